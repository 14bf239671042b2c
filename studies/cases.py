"""The problems of compare_algorithms.py: tables of results whose exact fronts are known, and additive."""

import functools
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from moo_nas import Pareto
from moo_nas.algorithms.exact import exact_front
from moo_nas.analysis.regret import Regret
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.problem import NASProblem
from problems.additive import Additive
from problems.data import benchmark_table
from problems.known import KnownProblem
from problems.mnasnet import MnasNet
from problems.nasbench201 import NASBench201, is_live
from problems.tabular import Table

ALL, LIVE, ACCEL, ADDITIVE = "NAS-Bench-201", "NAS-Bench-201, live cells", "Accel-NASBench", "additive"
PLAIN, HELD_OUT = "plain tables", "held out"


@dataclass(frozen=True)
class Case:
    """A problem to find the front of.

    Attributes:
        name: What it is called.
        group: What its results are averaged with.
        cls: What makes the problem.
        options: What it is made with.
        objectives: Its metrics; all but the first are costs, judged on a logarithmic scale.
    """

    name: str
    group: str
    cls: Callable[..., NASProblem]
    objectives: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def problem(self) -> NASProblem:
        """The problem itself."""
        return self.cls(**self.options, formulation=Pareto(*self.objectives))

    @functools.cached_property
    def regret(self) -> Regret:
        """What a search is judged by."""
        if isinstance(self.problem, KnownProblem):
            exact = self.problem.exact_objectives()
        else:
            exact = exact_front(self.problem).f
        return Regret(exact, log=range(1, len(self.objectives)))

    def answer(self, genome: IntArray, seen: Container[bytes]) -> tuple[bytes, FloatArray]:
        """Return which network a peer's genome ``(n_var,)`` is, and its objectives ``(n_obj,)``.

        What a table lacks is answered for by the nearest genome that it has and that was not seen, as
        our own algorithms do: the one with the fewest genes that differ, the first of equals.
        """
        genome = self.problem.space.canonical(genome[None])[0]
        if not isinstance(self.problem, KnownProblem):
            return genome.tobytes(), self.problem.fg(self.problem.evaluations(genome))[0][0]
        genomes, objectives, row_of = self._known
        row = row_of.get(genome.tobytes())
        if row is None:
            nearest = (genomes != genome).sum(axis=1).argsort(kind="stable")
            row = next(int(row) for row in nearest if genomes[row].tobytes() not in seen)
        return genomes[row].tobytes(), objectives[row]

    @functools.cached_property
    def _known(self) -> tuple[IntArray, FloatArray, dict[bytes, int]]:
        assert isinstance(self.problem, KnownProblem)
        genomes = self.problem.known_genomes()
        table = self.problem.evaluations(genomes)
        genomes, table = genomes[~table.failed], table.rows(~table.failed)
        row_of = {genome.tobytes(): row for row, genome in enumerate(genomes)}
        return genomes, self.problem.fg(table)[0], row_of


def tables() -> Iterator[Case]:
    """Yield the problems on published tables."""
    costs = {
        "raspi4 latency": ("raspi4", ("latency_ms",)),
        "edgegpu latency": ("edgegpu", ("latency_ms",)),
        "edgegpu latency, energy": ("edgegpu", ("latency_ms", "energy_mj")),
        "eyeriss latency": ("eyeriss", ("latency_ms",)),
        "raspi4 latency, edgegpu energy, params": (
            "raspi4,edgegpu",
            ("raspi4_latency_ms", "edgegpu_energy_mj", "params"),
        ),
    }
    for group, networks in ((ALL, "all"), (LIVE, "live")):
        for data_set in ("cifar10", "cifar100"):
            for name, (device, metrics) in costs.items():
                options = {"data_set": data_set, "device": device, "networks": networks}
                yield Case(f"{data_set}, {name}", group, NASBench201, ("test_error", *metrics), options)
    for device in ("zcu102", "vck190"):
        yield Case(f"{device} latency", ACCEL, MnasNet, ("top1_error", "latency_ms"), {"device": device})


def plain_tables() -> Iterator[Case]:
    """Yield the same results as a user's own tables: columns without structure, and nothing known before."""
    objectives = ("test_error", "latency_ms")
    for networks in ("all", "live"):
        for data_set in ("cifar10", "cifar100"):
            for device in ("raspi4", "edgegpu", "eyeriss"):
                options = {"data_set": data_set, "device": device, "networks": networks}
                yield Case(f"{data_set}, {device}, {networks}", PLAIN, cell_table, objectives, options)
    for device in ("zcu102", "vck190"):
        yield Case(f"imagenet, {device}", PLAIN, stage_table, objectives, {"device": device})


def held_out() -> Iterator[Case]:
    """Yield what no setting was chosen on: other devices, as cells and as plain tables."""
    objectives = ("test_error", "latency_ms")
    for data_set in ("cifar10", "cifar100"):
        for networks in ("all", "live"):
            options = {"data_set": data_set, "device": "fpga", "networks": networks}
            yield Case(f"{data_set}, fpga, {networks}", HELD_OUT, NASBench201, objectives, options)
        for device in ("titan_rtx_32", "essential_ph_1", "samsung_a50"):
            options = {"data_set": data_set, "device": device, "networks": "live"}
            yield Case(f"{data_set}, {device}, live", HELD_OUT, cell_table, objectives, options)


def cell_table(data_set: str, device: str, networks: str, formulation: Pareto) -> Table:
    """Return NAS-Bench-201 with a device of HW-NAS-Bench or HELP, a column an edge."""
    frame = benchmark_table("nb201_accuracy_hw.csv.xz", dtype={"naslib_code": str})
    genomes = np.array([list(code) for code in frame["naslib_code"]], dtype=np.int64)
    latency = frame.get(f"{data_set}__{device}_latency")
    if latency is None:
        latency = benchmark_table("nb201_help_latency.csv.xz")[device]
    edges = [f"edge{i}" for i in range(genomes.shape[1])]
    table = pd.DataFrame(genomes, columns=edges).assign(
        test_error=100 - frame[f"{data_set}_test_acc"], latency_ms=latency
    )
    if networks == "live":
        table = table[is_live(genomes)]
    return Table(table, edges, {"test_error": "min", "latency_ms": "min"}, formulation=formulation)


def stage_table(device: str, formulation: Pareto) -> Table:
    """Return Accel-NASBench with a device, a column a gene."""
    frame = benchmark_table("accel_nasbench_mnasnet.csv.xz")
    genes = [name for name in frame if name.startswith("block")]
    table = frame[genes].assign(test_error=100 - frame["val_top1"], latency_ms=frame[f"latency_{device}_ms"])
    table = table.groupby(genes, as_index=False).mean()
    return Table(table, genes, {"test_error": "min", "latency_ms": "min"}, formulation=formulation)


def additive() -> Case:
    """Return the problem of 1.49e11 architectures whose exact front is computed."""
    return Case("error, latency, params", ADDITIVE, Additive, ("error", "latency_ms", "params"))


@functools.cache
def cases() -> dict[tuple[str, str], Case]:
    """Return every problem by group and name; each process makes one only when it is used."""
    return {(case.group, case.name): case for case in (*tables(), additive(), *plain_tables(), *held_out())}


def curve(case: Case, found: list[FloatArray], budgets: list[int]) -> FloatArray:
    """Return the regret after each budget of objectives in the order in which they were found."""
    return case.regret.curve(np.array(found).reshape(-1, len(case.objectives)), budgets)
