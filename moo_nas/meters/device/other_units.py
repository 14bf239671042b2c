"""Costs in another unit than the others: told by what networks of their size take."""

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.meters.analytic import Analytic
from moo_nas.spaces import Architecture

_EXPONENTS = np.linspace(0, 1.5, 16)  # of the work, that a cost may grow with


def work_of(architectures: list[Architecture], image_size: int, n_classes: int) -> FloatArray:
    """Return multiply-accumulates and parameters together, ``(n,)``; NaN of a network that is a constant.

    Where no path through a cell leads to its output, a runtime can leave nearly everything out: such
    networks took a thousandth of the others' time on HW-NAS-Bench's Raspberry Pi.
    """
    # Here, as the package of predictors imports this one.
    from moo_nas.meters.predictors.features import live_edges

    meter = Analytic(image_size, n_classes)
    costs = meter.measure(architectures, [0] * len(architectures))
    names = [metric.name for metric in meter.metrics]
    work: FloatArray = costs[:, names.index("macs")] + costs[:, names.index("params")]
    for row, architecture in enumerate(architectures):
        cells = {block.cell for block in architecture.blocks(image_size, n_classes)} - {None}
        if not all(live_edges(cell) for cell in cells if cell is not None):
            work[row] = np.nan
    return work


def cost_ratios(costs: FloatArray, work: FloatArray) -> FloatArray:
    r"""Return costs over what is expected of their work, ``(n,)``, whatever fewer than half of them are.

    With :math:`c` the costs and :math:`w` the work, the expected is :math:`e^b w^a`: of several
    exponents :math:`a` the one for which half of the :math:`\log c - a \log w` lie closest together,
    and :math:`b` the median of that half (least median of squares).

    References:
        P. Rousseeuw. Least Median of Squares Regression. Journal of the American Statistical
        Association 79, 1984.
    """
    half = len(costs) // 2 + 1
    best, ratios = np.inf, np.ones(len(costs))
    for exponent in _EXPONENTS:
        logs = np.log(costs) - exponent * np.log(work)
        ordered = np.sort(logs)
        widths = ordered[half - 1 :] - ordered[: len(logs) - half + 1]
        start = int(np.argmin(widths))
        if widths[start] < best:
            best = float(widths[start])
            ratios = np.exp(logs - np.median(ordered[start : start + half]))
    return ratios
