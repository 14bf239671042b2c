"""naswot: how differently the ReLUs switch for different images."""

import torch
from torch import Tensor

from moo_nas.errors import MeterError
from moo_nas.meters.proxies.passes import Passes


def naswot(passes: Passes) -> float:
    r"""Return log det K, >= 0, more is better, K_ij the number of ReLU units that agree on i and j.

    .. math:: K = \sum_{ReLUs} c\,c^\top + (1 - c)(1 - c)^\top

    with c ``(n, units)`` the code of the images: 1 where a unit is on, 0 where it is off. Every
    call of a ReLU module counts (ReLU6, LeakyReLU and PReLU too, on where their input is positive);
    functions such as ``torch.relu`` do not. K is of whole numbers and positive semidefinite, so its
    determinant is at least 1 unless it is 0.

    Raises:
        MeterError: There is but one image, the network calls no ReLU module, or K is singular: two
            images have one code, or there are more images than codes that are linearly independent.

    References:
        J. Mellor et al. Neural Architecture Search without Training. ICML 2021.
    """
    return log_determinant(passes.agreement)


def log_determinant(agreement: Tensor) -> float:
    """Return the score of a kernel ``(n, n)``; see :func:`naswot`."""
    n = len(agreement)
    if n < 2:
        raise MeterError("naswot compares images; it needs at least 2, got 1.")
    eigenvalues = torch.linalg.eigvalsh(agreement)
    # As in the usual definition of a matrix's numerical rank.
    rank = int((eigenvalues > eigenvalues[-1] * n * torch.finfo(agreement.dtype).eps).sum())
    if rank < n:
        same = torch.nonzero((agreement == agreement.diagonal()).triu(1))
        why = (
            f"images {int(same[0, 0])} and {int(same[0, 1])} switch every ReLU alike"
            if len(same)
            else f"the patterns of {n} images have rank {rank}; take fewer images"
        )
        raise MeterError(f"naswot needs images that the ReLUs tell apart: {why}.")
    # Of whole numbers, so not below 0 but for rounding.
    return max(float(eigenvalues.log().sum()), 0.0)
