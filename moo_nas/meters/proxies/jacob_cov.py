"""jacob_cov: how differently the network answers to different images."""

import torch
from torch import Tensor

from moo_nas.errors import MeterError
from moo_nas.meters.proxies.passes import Passes

_K = 1e-5


def jacob_cov(passes: Passes) -> float:
    """Return -sum_i [log(s_i + k) + 1 / (s_i + k)], k = 1e-5, < 0, more is better (eq. 6 of HaeNAS).

    s_i are the eigenvalues of the correlation matrix of the n images' input gradients; the largest
    value, -n [log(1 + k) + 1 / (1 + k)], is that of images none of which are correlated. The matrix
    is symmetric, so its eigenvalues are real; those below zero by rounding count as zero.

    Raises:
        MeterError: An image has a constant input gradient, so its correlation is not defined, or
            there is but one image.

    References:
        J. Mellor et al. Neural Architecture Search without Training. ICML 2021.
    """
    return correlation_score(passes.input_jacobian)


def correlation_score(jacobian: Tensor) -> float:
    """Return the score of input gradients ``(n, pixels)``; see :func:`jacob_cov`."""
    centred = jacobian.double() - jacobian.double().mean(dim=1, keepdim=True)
    norms = centred.norm(dim=1, keepdim=True)
    # Relative, as what is constant but for rounding has no direction either.
    floor = 32 * torch.finfo(jacobian.dtype).eps * jacobian.double().norm(dim=1, keepdim=True)
    flat = torch.nonzero(~(norms > floor).squeeze(1))
    if len(jacobian) < 2:
        raise MeterError("jacob_cov compares images; it needs at least 2, got 1.")
    if len(flat):
        raise MeterError(
            f"jacob_cov needs an input gradient that varies over the pixels; that of image {int(flat[0])} is "
            f"constant ({len(flat)} of {len(jacobian)} are)."
        )
    unit = centred / norms
    eigenvalues = torch.linalg.eigvalsh(unit @ unit.T).clamp(min=0.0) + _K
    return -float((eigenvalues.log() + 1 / eigenvalues).sum())
