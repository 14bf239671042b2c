"""Several formulations of one kind, spread evenly over the trade-offs that it can be asked for."""

import itertools
import math
from dataclasses import replace

import numpy as np
from scipy.stats import qmc

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError, InputError, whole_number
from moo_nas.formulations.base import Formulation
from moo_nas.formulations.constrained import Constrained, Quantile
from moo_nas.formulations.product import WeightedProduct
from moo_nas.formulations.scalarised import Scalarised

# Steps of the lattice that weights are chosen from where no Das-Dennis lattice has just so many.
_STEPS = {3: 30, 4: 16}


def spread(formulation: Formulation, n: int) -> list[Formulation]:
    r"""Return ``n`` formulations of one kind with their weights, or levels of limits, spread evenly.

    - Weighted sum, Tchebycheff, reference point: the weights of :func:`even_weights`.
    - Constrained: the limits that are left to the reference sample become :class:`Quantile`, their
      shares spread evenly (one: the middles of n equal parts; several: a Hammersley set).
    - Weighted product: with :math:`(1 - w, w)` the weights of score and costs, exponents
      :math:`\alpha w / (1 - w)` and :math:`\beta w / (1 - w)` for the middles of n equal parts of [0, 1].

    Nothing is searched here: each is a formulation like any other.

    Raises:
        FormulationError: A formulation with nothing to spread; no whole number, or fewer than one; more
            than four metrics.

    Example:
        >>> from moo_nas.formulations import WeightedSum
        >>> [f.weights["latency_ms"] for f in spread(WeightedSum({"score": 1, "latency_ms": 1}), 5)]
        [0.0, 0.25, 0.5, 0.75, 1.0]
        >>> levels = spread(Constrained("score", {"latency_ms": None}, method="epsilon"), 4)
        >>> [f.limits["latency_ms"].share for f in levels]
        [0.125, 0.375, 0.625, 0.875]

    References:
        I. Das, J. Dennis. Normal-Boundary Intersection. SIAM Journal on Optimization 8(3), 1998.
    """
    n = _number_of("formulations", n)
    if isinstance(formulation, Scalarised):
        rows = even_weights(len(formulation.weights), n)
        return [
            replace(formulation, weights=dict(zip(formulation.weights, row, strict=True)))
            for row in rows.tolist()
        ]
    if isinstance(formulation, Constrained):
        return _levels(formulation, n)
    if isinstance(formulation, WeightedProduct):
        if formulation.alpha == formulation.beta == 0:
            raise FormulationError("A weighted product with alpha = beta = 0 has no exponents to spread.")
        ratios = [w / (1 - w) for w in _middles(n).tolist()]
        return [replace(formulation, alpha=formulation.alpha * r, beta=formulation.beta * r) for r in ratios]
    raise FormulationError(
        f"'{formulation.name}' has no weights or levels to spread. Use weighted-sum, tchebycheff, "
        "reference-point, a weighted product, or constrained with limits left open."
    )


def even_weights(n_metrics: int, n: int) -> FloatArray:
    """Return ``n`` weight vectors ``(n, n_metrics)``, each of sum 1, spread evenly over the simplex.

    The lattice of Das and Dennis where it has just n vectors, as for any n of two metrics; else the
    vectors of a fine lattice whose Riesz energy no exchange of one vector lowers. A single vector has
    equal weights. Rows are sorted, the first metric's weight falling; nothing is random.

    Raises:
        FormulationError: Fewer than two or more than four metrics; no whole number of vectors, fewer than
            one, or more than the fine lattice has.

    Example:
        >>> even_weights(3, 6).tolist()[:3]
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]

    References:
        I. Das, J. Dennis. Normal-Boundary Intersection. SIAM Journal on Optimization 8(3), 1998.
        J. Blank, K. Deb, Y. Dhebar, S. Bandaru, H. Seada. Generating Well-Spaced Points on a Unit
        Simplex for Evolutionary Many-Objective Optimization. IEEE TEVC 25(1), 2021.
    """
    if n_metrics not in (2, 3, 4):
        raise FormulationError(f"Weights are spread over two to four metrics; got {n_metrics}.")
    n = _number_of("weight vectors", n)
    if n == 1:
        return np.full((1, n_metrics), 1 / n_metrics)
    steps = next(s for s in itertools.count(1) if math.comb(s + n_metrics - 1, n_metrics - 1) >= n)
    weights = das_dennis(n_metrics, steps)
    if len(weights) == n:
        return weights
    weights = das_dennis(n_metrics, _STEPS[n_metrics])
    if len(weights) < n:
        raise FormulationError(
            f"At most {len(weights)} weight vectors are spread over {n_metrics} metrics; got {n}."
        )
    chosen: FloatArray = weights[np.sort(_least_energy(weights, n))]
    return chosen


def das_dennis(n: int, steps: int) -> FloatArray:
    """Return all vectors ``(n_vectors, n)`` of ``steps`` equal parts shared out over n, the first falling.

    Example:
        >>> das_dennis(2, 2).tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]

    References:
        I. Das, J. Dennis. Normal-Boundary Intersection. SIAM Journal on Optimization 8(3), 1998.
    """
    rows = itertools.product(range(steps, -1, -1), repeat=n - 1)
    lattice = np.array([(*row, steps - sum(row)) for row in rows if sum(row) <= steps], dtype=np.int64)
    return lattice / steps


def _number_of(what: str, n: int) -> int:
    try:
        return whole_number(f"A spread is of a whole number of {what}", n, 1)
    except InputError:
        raise FormulationError(f"A spread is of a whole number of {what}, at least one; got {n!r}.") from None


def _levels(formulation: Constrained, n: int) -> list[Formulation]:
    """Return formulations whose open limits are quantiles of the reference sample."""
    open_limits = [
        m for m, limit in formulation.limits.items() if limit is None or isinstance(limit, Quantile)
    ]
    if not open_limits:
        raise FormulationError(
            "The limits of 'constrained' are all given: leave those that are to be spread at None."
        )
    shares = _middles(n)[:, None]
    if len(open_limits) > 1:
        # Hammersley: Halton's sequence (without its first point, the corner) beside the middles.
        others = qmc.Halton(len(open_limits) - 1, scramble=False).random(n + 1)[1:]
        shares = np.column_stack([shares, others])
    return [
        replace(
            formulation,
            limits={**formulation.limits, **{m: Quantile(q) for m, q in zip(open_limits, row, strict=True)}},
        )
        for row in shares.tolist()
    ]


def _middles(n: int) -> FloatArray:
    """Return the middles of n equal parts of [0, 1]."""
    middles: FloatArray = (np.arange(n) + 0.5) / n
    return middles


def _least_energy(points: FloatArray, n: int) -> list[int]:
    """Return which n points have an energy that no exchange of one of them lowers: sum of 1 / distance^s."""
    # The exponent of Blank et al.; the larger it is, the more the closest pair counts.
    power = points.shape[1] ** 2
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    energy = (distance / distance.min()) ** -power
    # Corners first, then what is farthest from all chosen.
    chosen = [int(point) for point in np.argsort(-points.max(axis=1), kind="stable")[: points.shape[1]]][:n]
    while len(chosen) < n:
        free = np.setdiff1d(np.arange(len(points)), chosen)
        chosen.append(int(free[np.argmin(energy[free][:, chosen].sum(axis=1))]))
    improved = True
    while improved:
        improved = False
        for place, point in enumerate(chosen):
            others = [other for other in chosen if other != point]
            # Summed anew each time: differences would round to exchanges that go round in circles.
            field = energy[:, others].sum(axis=1)
            field[others] = np.inf
            best = int(np.argmin(field))
            if field[best] < field[point] * (1 - 1e-9):
                chosen[place], improved = best, True
    return chosen
