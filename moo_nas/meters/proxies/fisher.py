"""fisher: how much the loss would change were single channels removed."""

import torch

from moo_nas.meters.proxies.passes import Passes


def fisher(passes: Passes) -> float:
    r"""Return the Fisher information of the channels, summed over their weights, >= 0, more is better.

    .. math:: \sum_l k_l \sum_c \frac1{2n} \sum_i \Big(\sum_p a_{licp}\,
              \frac{\partial L}{\partial a_{licp}}\Big)^2

    over what convolutions and linear layers l put out, a, of images i in channels c at positions p,
    with L the minibatch's mean loss. k_l is how many weights make one channel: the information is
    the channel's, and the public reference gives it to each of its weights before it sums. A layer
    that is called twice counts twice.

    References:
        L. Theis et al. Faster Gaze Prediction with Dense Networks and Fisher Pruning. 2018.
        J. Turner et al. BlockSwap: Fisher-guided Block Substitution for Network Compression on a
        Budget. ICLR 2020. M. Abdelfattah et al. Zero-Cost Proxies for Lightweight NAS. ICLR 2021.
    """
    # Squared in float64: the squares of small gradients vanish in float32.
    return float(
        sum(
            n_weights * (a * g).sum(dim=2, dtype=torch.float64).square().mean(dim=0).sum() / 2
            for a, g, n_weights in passes.activations
        )
    )
