"""HaeNAS's 1.49e11 architectures with costs and an error that are sums over stages: solved exactly."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.algorithms.exact import exact_front
from moo_nas.arrays import FloatArray, stable_hash, stable_seed
from moo_nas.errors import MeterError
from moo_nas.evaluation import Evaluator, Runner, Source, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.meters import Analytic, BlockMeter, BlockTable, Meter, Metric
from moo_nas.problem import Failures, NASProblem
from moo_nas.spaces import Architecture, Block, SearchSpace, Stage, StageSpace
from moo_nas.spaces.tables import Reduction, Tabulated

# What each of HaeNAS's seven stages weighs, in percentage points of error.
WEIGHTS = (2.0, 5.0, 8.0, 11.0, 10.0, 10.0, 4.0)
BASE = 60.0
RIPPLE = 0.02


class Additive(NASProblem):
    """Which HaeNAS network is best where that can be known: the ground truth for comparing algorithms.

    Every metric is a sum over stages, so the exact Pareto front among all 148,769,467,776
    architectures is computed (:meth:`exact_front`), and how far an algorithm is from it is measured,
    not guessed.

    Metrics: ``error`` (%, synthetic: :class:`StageError`; what a search has to evaluate),
    ``latency_ms`` (blocks measured on a CPU in torch, at 96 pixels, one image, one thread, with a residual
    fitted to whole networks; the file ``cpu_blocks.json`` says which CPU, versions and date, and
    another saved :class:`~moo_nas.meters.BlockTable` can take its place), and ``params``, ``macs`` and
    the other costs by formula at the table's pixels and classes.

    Args:
        formulation: What is asked for; by default the Pareto front of error, latency_ms and params.
        seed: The problem's seed: the reference sample, and the ripple of the error.
        latency: The path of a saved block table; by default the problem's own.
        n_reference: Size of the reference sample.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Raises:
        InputError: The block table cannot be read or lacks a block of the space.

    Example:
        >>> problem = Additive(Pareto("error", "latency_ms"))
        >>> front = problem.exact_front()
        >>> len(front), f"{front['error'].min():.1f} %", f"{front['latency_ms'].min():.1f} ms"
        (392, '22.4 %', '5.3 ms')
    """

    name = "additive"

    def __init__(
        self,
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        latency: str | None = None,
        n_reference: int = 200,
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        space = StageSpace.haenas()
        table = own_table() if latency is None else BlockTable.load(latency)
        table.check(space, table.image_size, table.n_classes)
        sources: list[Source] = [
            StageError(seed),
            BlockSum(table),
            Analytic(table.image_size, table.n_classes),
        ]
        options = {"seed": seed, "latency": latency, "n_reference": n_reference, "failures": failures}
        super().__init__(
            Evaluator(space, sources, seed, store, Runner(n_jobs), n_reference),
            formulation or Pareto("error", "latency_ms", "params"),
            failures,
            options,
        )

    def exact_front(self, formulation: Formulation | None = None) -> pd.DataFrame:
        """Return the exact front: one row a point, genes as choices and metrics.

        Args:
            formulation: A Pareto formulation without limits; by default the problem's.

        Raises:
            InputError: The formulation is another, or one of its metrics is no sum over stages.
        """
        asked = self if formulation is None else self.under(formulation)
        genomes = exact_front(asked).genomes
        frame = self.space.choices(genomes)
        for metric, values in asked.evaluations(genomes).columns().items():
            frame[metric] = values
        return frame

    def exact_objectives(self, formulation: Formulation | None = None) -> FloatArray:
        """Return the exact front's objectives ``(n, n_obj)``, each point once."""
        asked = self if formulation is None else self.under(formulation)
        return exact_front(asked).f


class StageError(Meter):
    r"""A synthetic error: not of trained networks, but shaped as theirs is.

    With :math:`w_s` the weight of stage :math:`s` and :math:`h(x; c) = x / (x + c)`, which grows ever less,

    .. math:: error = 60 - \sum_s w_s \left[0.5\,h(d_s; 2) + 0.3\,h(e_s; 3) + 0.2\,h(k_s; 3) + 0.1\,f_s
              + 0.02\,(r_s - 0.5)\right]

    in % for depth :math:`d`, expansion :math:`e`, kernel :math:`k`, :math:`f = 1` for a Fused-IBN
    stage, and a ripple :math:`r`, uniform between 0 and 1, of each stage's own for each of its
    choices: real errors do not follow a formula either.

    Args:
        seed: What the ripple is drawn from.

    Example:
        >>> space = StageSpace.haenas()
        >>> error = StageError(seed=0).measure([space.decode(g) for g in space.sample(3, seed=0)], [0] * 3)
        >>> error.shape
        (3, 1)
    """

    metrics = (Metric("error", "%", "min"),)
    instant = True
    reductions: tuple[Reduction, ...] = ("sum",)

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @property
    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "base": BASE, "weights": list(WEIGHTS), "ripple": RIPPLE}

    @property
    def free(self) -> tuple[str, ...]:
        # It stands for a training: a search must not know it beforehand.
        return ()

    def stage_cost(self, number: int, stage: Stage) -> list[float]:
        """Return what a stage, counted from 1, adds to the error (less than 0), ``(1,)``."""
        ripple = stable_seed("ripple", self.seed, number, str(stage)) / 2**63
        gain = (
            0.5 * stage.depth / (stage.depth + 2)
            + 0.3 * stage.expansion / (stage.expansion + 3)
            + 0.2 * stage.kernel / (stage.kernel + 3)
            + 0.1 * (stage.operator == "fused")
            + RIPPLE * (ripple - 0.5)
        )
        return [-WEIGHTS[number - 1] * gain]

    def derive(self, costs: FloatArray) -> FloatArray:
        """Return the error ``(n, 1)`` of networks whose stages add up to ``costs``, ``(n, 1)``."""
        return BASE + costs

    def tabulate(self, space: SearchSpace) -> Tabulated | None:
        return space.tabulate_stages(self) if isinstance(space, StageSpace) else None

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        costs = []
        for architecture in architectures:
            if len(architecture.stages) != len(WEIGHTS):
                raise MeterError(
                    f"The error is of networks with {len(WEIGHTS)} stages; got '{architecture}'."
                )
            stages = [stage for stage in architecture.stages if isinstance(stage, Stage)]
            costs.append(np.sum([self.stage_cost(i, s) for i, s in enumerate(stages, start=1)], axis=0))
        return self.derive(np.array(costs).reshape(-1, 1))


class BlockSum(BlockMeter):
    """The latency of a block table, whichever machine this is: nothing is checked or measured.

    Args:
        table: The table.
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    reductions = ("sum",)

    def __init__(self, table: BlockTable) -> None:
        super().__init__(table.image_size, table.n_classes)
        self.table = table

    @property
    def settings(self) -> dict[str, Any]:
        blocks = [[repr(block), ms] for block, ms in self.table.ms.items()]
        return {**super().settings, "blocks": stable_hash(blocks, self.table.weights)}

    def block_cost(self, block: Block) -> FloatArray:
        return np.array([self.table.cost(block)])


@cache
def own_table() -> BlockTable:
    """Return the block table that comes with the problem: 218 blocks on a two-core AMD EPYC server.

    Other programs ran while it was measured: it is a real table of a busy machine.
    """
    with as_file(files("problems") / "cpu_blocks.json") as path:
        return BlockTable.load(path)
