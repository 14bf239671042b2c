"""grad_norm: how strongly the loss pulls on the weights."""

import torch

from moo_nas.meters.proxies.passes import Passes


def grad_norm(passes: Passes) -> float:
    """Return the sum over layers of the gradient's Euclidean norm, >= 0, more is better.

    sum over layers l of sqrt(sum (dL/dtheta_l)^2): what the text of HaeNAS and the public reference
    compute.

    References:
        M. Abdelfattah et al. Zero-Cost Proxies for Lightweight NAS. ICLR 2021.
    """
    return float(torch.stack([g.detach().double().norm() for g in passes.gradients]).sum())


def grad_norm_global(passes: Passes) -> float:
    """Return the gradient's one global Euclidean norm, >= 0, more is better.

    sqrt(sum (dL/dtheta)^2) over all weights: eq. 3 of HaeNAS as printed.
    """
    return float(torch.stack([g.detach().double().norm() for g in passes.gradients]).norm())
