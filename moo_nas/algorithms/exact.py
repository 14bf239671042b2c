"""The exact Pareto front of a whole space, where objectives are sums over stages."""

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np

from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.formulations import Pareto, Single
from moo_nas.problem import NASProblem
from moo_nas.spaces.tables import CostTables, StageTable, reduce_costs

_CHUNK = 1 << 20  # candidates looked at at a time: 32 MB of four objectives
_CORNERS = 12  # of so many costs all corners of their box are tried
_ROUNDING = 1e-13  # of a metric and its terms: what its sums may be off by

State = tuple[tuple[int, int], ...]  # (gene, choice) of the genes that later stages depend on, too


@dataclass(frozen=True)
class ExactFront:
    """The exact front of a problem: one genome a point.

    Attributes:
        genomes: Canonical genomes ``(n, n_var)``, by the first objective.
        f: Their objectives ``(n, n_obj)``, minimised.
    """

    genomes: IntArray
    f: FloatArray

    def __len__(self) -> int:
        return len(self.f)


def exact_front(problem: NASProblem, objectives: Sequence[str] | None = None) -> ExactFront:
    r"""Return the exact Pareto front among all genomes of a problem's space.

    Where every objective is a sum of what single stages contribute, a network of which some beginning
    (stages 1 to s) is dominated by another beginning with the same width at its end is dominated
    itself. So with :math:`C_s(w, w')` the contributions of stage :math:`s` between two widths,

    .. math:: P_s(w') = \operatorname{nondominated} \bigcup_w \{ p + c : p \in P_{s-1}(w), c \in C_s(w, w') \}

    from stage to stage, and the last one is the front. Points of equal objectives are kept once: there
    may be other networks with the same. Sums of whole numbers are exact; of others, points that differ by
    rounding alone (some 1e-13 of their size) may count as equal.

    Args:
        problem: Whose space and metrics; a block table and the like are prepared as for a search.
        objectives: Metrics; by default those of the problem's formulation, which must be a Pareto front
            (or a single metric) without limits.

    Raises:
        InputError: A metric that is no sum over stages (a maximum, a ratio, a proxy, a measurement),
            or a formulation that is no such front.

    Example:
        >>> from moo_nas.evaluation import Evaluator
        >>> from moo_nas.meters import Analytic
        >>> from moo_nas.spaces import StageSpace
        >>> evaluator = Evaluator(StageSpace.haenas(), [Analytic(96, 10)])
        >>> front = exact_front(NASProblem(evaluator, Pareto("params_survey", "macs")))
        >>> len(front), front.f[0].astype(int).tolist()  # the smallest network is the cheapest, too
        (1, [2244506, 30113456])

    References:
        H. T. Kung, F. Luccio, F. P. Preparata. On Finding the Maxima of a Set of Vectors. Journal of
        the ACM 22(4), 1975 (the filter, by moocore). K. Klamroth, M. M. Wiecek. Dynamic Programming
        Approaches to the Multiple Criteria Knapsack Problem. Naval Research Logistics 47, 2000.
    """
    asked = problem if objectives is None else problem.under(_front_of(objectives))
    formulation = asked.formulation
    if not isinstance(formulation, Pareto | Single) or formulation.n_ieq_constr:
        raise InputError(
            "An exact front is that of a Pareto formulation, or of a single metric, without limits; got "
            f"{formulation.settings}."
        )
    genomes, _ = solve_chain(_chain(asked, formulation.objective_names), asked.space.n_choices)
    genomes = asked.space.canonical(genomes)
    # As a search sees them: sums in another order may round otherwise.
    f = asked.fg(asked.evaluations(genomes))[0]
    kept = _nondominated(f)
    order = np.lexsort(f[kept].T[::-1])
    return ExactFront(genomes[kept][order], f[kept][order])


def solve_chain(chain: Sequence[StageTable], n_choices: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the genomes and objectives of the exact front of sums over a chain of tables.

    Args:
        chain: A table a stage; its values ``(n_rows, n_obj)`` are contributions, minimised. Tables may
            share genes (a stage's width and the next one's input).
        n_choices: How many choices each gene has, ``(n_var,)``; genes of no table stay at their first.

    Returns:
        Genomes ``(n, n_var)`` and their objectives ``(n, n_obj)``, each point once.
    """
    n_obj = chain[0].values.shape[1]
    fronts: dict[State, _Front] = {(): _Front(np.zeros((1, n_obj)), np.zeros(1, dtype=np.int64))}
    steps: list[tuple[IntArray, IntArray]] = []
    for number, table in enumerate(chain):
        needed = {int(column) for later in chain[number + 1 :] for column in later.columns}
        choices = _choices(table, n_choices)
        parts: dict[State, list[tuple[_Front, IntArray]]] = {}
        for state, front in fronts.items():
            for after, rows in _transitions(state, table.columns.tolist(), choices, needed).items():
                parts.setdefault(after, []).append((front, rows[_nondominated(table.values[rows])]))
        fronts, parents, chosen, n = {}, [], [], 0
        for after, some in parts.items():
            f, parent, row = _extended(some, table.values)
            fronts[after] = _Front(f, np.arange(n, n + len(f)))
            parents.append(parent)
            chosen.append(row)
            n += len(f)
        steps.append((np.concatenate(parents), np.concatenate(chosen)))
    (front,) = fronts.values()
    genomes = np.zeros((len(front.f), len(n_choices)), dtype=np.int64)
    at = front.index
    for table, (parent, row) in zip(reversed(chain), reversed(steps), strict=True):
        genomes[:, table.columns] = _choices(table, n_choices)[row[at]]
        at = parent[at]
    return genomes, front.f


@dataclass(frozen=True)
class _Front:
    """Beginnings that no other dominates: objectives so far ``(n, n_obj)``, and where they are kept."""

    f: FloatArray
    index: IntArray


def _extended(
    parts: Sequence[tuple[_Front, IntArray]], values: FloatArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the front of all beginnings with one more stage each, and which beginning and row it is of."""
    kept: list[tuple[FloatArray, IntArray, IntArray]] = []
    for front, rows in parts:
        size = max(1, _CHUNK // len(rows))
        for start in range(0, len(front.f), size):
            f = (front.f[start : start + size, None] + values[rows]).reshape(-1, values.shape[1])
            good = np.flatnonzero(_nondominated(f))
            kept.append((f[good], front.index[start + good // len(rows)], rows[good % len(rows)]))
    f, parent, row = (np.concatenate(column) for column in zip(*kept, strict=True))
    if len(kept) > 1:
        good = np.flatnonzero(_nondominated(f))
        f, parent, row = f[good], parent[good], row[good]
    return f, parent, row


def _transitions(
    state: State, columns: Sequence[int], choices: IntArray, needed: set[int]
) -> dict[State, IntArray]:
    """Return which rows of a table can follow a state, by the state that they lead to."""
    before = dict(state)
    fits = np.ones(len(choices), dtype=bool)
    for position, column in enumerate(columns):
        if column in before:
            fits &= choices[:, position] == before[column]
    rows = np.flatnonzero(fits)
    carried = {column: choice for column, choice in state if column in needed}
    found: dict[State, list[int]] = {}
    for row in rows.tolist():
        after = carried | {c: int(choices[row, i]) for i, c in enumerate(columns) if c in needed}
        found.setdefault(tuple(sorted(after.items())), []).append(row)
    return {after: np.array(some) for after, some in found.items()}


def _choices(table: StageTable, n_choices: IntArray) -> IntArray:
    """Return the choices of a table's genes in each of its rows, ``(n_rows, n_columns)``."""
    rows = np.arange(len(table.values))[:, None]
    choices: IntArray = rows // table.strides % n_choices[table.columns]
    return choices


def _chain(problem: NASProblem, names: Sequence[str]) -> list[StageTable]:
    """Return a chain of tables whose values are the contributions to these metrics, minimised."""
    columns: list[list[FloatArray]] = []
    layout: Sequence[StageTable] = ()
    for name in names:
        tables, position = problem.evaluator.tables(name) or (None, 0)
        if not isinstance(tables, CostTables):
            raise InputError(
                f"'{name}' is no sum over stages, so its exact front is not known: it is measured, predicted "
                "or looked up network by network, or the space has no stages."
            )
        weights = _weights(tables, position, name)
        sign = 1.0 if problem.evaluator.metric(name).goal == "min" else -1.0
        if layout and [t.columns.tolist() for t in layout] != [t.columns.tolist() for t in tables.tables]:
            raise InputError(f"'{name}' and '{names[0]}' are sums over different stages.")
        layout = tables.tables
        # A cost that does not count may be infinite.
        counts = weights != 0
        columns.append([sign * table.values[:, counts] @ weights[counts] for table in layout])
    return [
        StageTable(table.columns, table.strides, np.column_stack(values))
        for table, values in zip(layout, zip(*columns, strict=True), strict=True)
    ]


def _weights(tables: CostTables, position: int, name: str) -> FloatArray:
    """Return what each cost counts in a metric ``(n_costs,)``; found by trying, as it is derived by code.

    Costs are tried within what networks have: one may be a few microseconds, another some 1e9 bytes.

    Raises:
        InputError: The metric is no weighted sum of costs that are sums.
    """
    n = len(tables.reductions)
    low, high = (
        reduce_costs(np.stack([tables.constant, *map(end, tables.tables)]), tables.reductions)
        for end in (lambda table: table.values.min(axis=0), lambda table: table.values.max(axis=0))
    )
    rng = np.random.default_rng(0)
    # All corners, as that is where a maximum is farthest from any sum; of very many costs some of them.
    corners = np.indices((2,) * n).reshape(n, -1).T if n <= _CORNERS else rng.integers(0, 2, (2**_CORNERS, n))
    shares = np.concatenate([np.zeros((1, n)), np.eye(n), corners, rng.uniform(size=(4 * n + 8, n))])
    # What is not finite fits no sum.
    with np.errstate(all="ignore"):
        metric = tables.derive(low + shares * (high - low))[:, position]
        # From the least that a cost can be to the most: just 0 where the metric does not read it.
        effects = metric[1 : n + 1] - metric[0]
        width = np.where(effects == 0, 1.0, high - low)
        weights: FloatArray = effects / width
        terms = np.where(effects == 0, 0.0, np.abs(weights) * np.maximum(np.abs(low), np.abs(high)))
        size = float(np.abs(metric).max() + terms.sum())
        fits = np.abs(metric[0] + shares @ effects - metric) <= _ROUNDING * size
    summed = all(r == "sum" for r, effect in zip(tables.reductions, effects, strict=True) if effect)
    if not (summed and np.isfinite(size) and fits.all()):
        raise InputError(
            f"'{name}' is no sum over stages but a maximum or a ratio, or not finite "
            "for some: its exact front cannot be computed."
        )
    # Whole numbers are meant as such: then sums of whole numbers stay exact.
    whole = np.rint(weights)
    meant = (whole != 0) & (np.abs(weights - whole) * width < 8 * np.finfo(float).eps * size)
    weights[meant] = whole[meant]
    return weights


def _front_of(objectives: Sequence[str]) -> Pareto | Single:
    return Single(objectives[0]) if len(objectives) == 1 else Pareto(*objectives)


def _nondominated(f: FloatArray) -> BoolArray:
    """Return which rows ``(n, n_obj)`` no other dominates, ``(n,)``; of equal rows one."""
    if f.shape[1] == 1:
        best = np.zeros(len(f), dtype=bool)
        best[f[:, 0].argmin()] = True
        return best
    return np.asarray(moocore.is_nondominated(f), dtype=bool)
