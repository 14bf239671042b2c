"""snip: how much the loss would change were single weights removed."""

import torch

from moo_nas.meters.proxies.passes import Passes


def snip(passes: Passes) -> float:
    """Return the sum over weights of |dL/dtheta * theta|, >= 0, more is better (eq. 4 of HaeNAS).

    References:
        N. Lee, T. Ajanthan, P. Torr. SNIP: Single-shot Network Pruning based on Connection
        Sensitivity. ICLR 2019.
    """
    return float(
        sum(
            (g.detach() * w.detach()).abs_().sum(dtype=torch.float64)
            for g, w in zip(passes.gradients, passes.weights, strict=True)
        )
    )
