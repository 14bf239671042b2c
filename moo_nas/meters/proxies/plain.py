"""plain: how much the loss would rise were all weights scaled up."""

from moo_nas.meters.proxies.passes import Passes


def plain(passes: Passes) -> float:
    """Return the sum over weights of dL/dtheta * theta, any sign, more is better.

    It is the derivative of the loss by a common factor of the weights. A convolution ahead of batch
    normalisation by the minibatch adds nothing to it, as its scale has no part in the loss: what is
    left are the layers without.

    References:
        M. Mozer, P. Smolensky. Skeletonization. NeurIPS 1988. M. Abdelfattah et al. Zero-Cost
        Proxies for Lightweight NAS. ICLR 2021.
    """
    return float(
        sum(
            (g.detach().double() * w.detach().double()).sum()
            for g, w in zip(passes.gradients, passes.weights, strict=True)
        )
    )
