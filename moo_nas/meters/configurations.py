"""Metrics of an architecture on the hardware configuration it is searched with."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.base import Memory, Meter
from moo_nas.spaces import Architecture, Configured, JointSpace, SearchSpace
from moo_nas.spaces.gene import Choice
from moo_nas.spaces.tables import Tabulated


class PerConfiguration(Meter):
    """One meter for each choice of a configuration gene: of devices, threads, clocks, precisions.

    Each of them measures architectures alone; which one does is said by the configuration. So tables
    of several devices, stop-watches of several numbers of threads or device models of several chips
    make one metric of a :class:`~moo_nas.spaces.JointSpace`.

    Args:
        gene: The configuration gene.
        meters: For each of its choices the meter, all with the same metrics.

    Raises:
        InputError: No meter, or meters of other metrics.

    Example:
        >>> from moo_nas.meters import Roofline
        >>> from moo_nas.spaces import Gene, StageSpace
        >>> chips = ("snapdragon-855", "a100-sxm4-40gb")
        >>> space = JointSpace(StageSpace.haenas(), [Gene("chip", chips, "categorical")])
        >>> meter = PerConfiguration("chip", {chip: Roofline(chip, 224, 1000) for chip in chips})
        >>> first, last = (space.decode(space.genome_at(i)) for i in (0, 1))  # one network, both chips
        >>> ms = meter.measure([first, last], [0, 0])[:, 0]
        >>> bool(ms[0] > 10 * ms[1])
        True
    """

    takes_configuration = True

    def __init__(self, gene: str, meters: Mapping[Any, Meter]) -> None:
        if not meters:
            raise InputError(f"'{gene}' needs a meter for each of its choices; got none.")
        first = next(iter(meters.values()))
        for choice, meter in meters.items():
            if meter.metrics != first.metrics:
                names = [", ".join(metric.name for metric in one.metrics) for one in (first, meter)]
                raise InputError(
                    f"The meters of '{gene}' must give the same metrics, {names[0]}; that of {choice!r} "
                    f"gives {names[1]}."
                )
        self.gene = gene
        self.meters: dict[Choice, Meter] = dict(meters)
        self.metrics = first.metrics
        self.exclusive = any(meter.exclusive for meter in meters.values())
        self.instant = all(meter.instant for meter in meters.values())
        self.uses_gpu = any(meter.uses_gpu for meter in meters.values())
        self.largest_chunk = min(meter.largest_chunk for meter in meters.values())

    @property
    def settings(self) -> dict[str, Any]:
        of_each = [[choice, type(m).__name__, m.settings] for choice, m in self.meters.items()]
        return {"gene": self.gene, "meters": of_each}

    @property
    def free(self) -> tuple[str, ...]:
        of_each = [meter.free for meter in self.meters.values()]
        return tuple(m.name for m in self.metrics if all(m.name in free for free in of_each))

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        """Return the meter with that of each choice ready.

        Raises:
            InputError: The space has no such configuration gene, or a choice has no meter.
        """
        choices = self._choices(space)
        missing = [choice for choice in choices if choice not in self.meters]
        if missing:
            raise InputError(f"The choice {missing[0]!r} of '{self.gene}' has no meter.")
        ready = copy.copy(self)
        ready.meters = self.meters | {
            choice: self.meters[choice].prepare(space.architectures, memory, seed) for choice in choices
        }
        return ready

    def load(self) -> None:
        for meter in self.meters.values():
            meter.load()

    def tabulate(self, space: SearchSpace) -> Tabulated | None:
        tables = [self.meters[choice].tabulate(space.architectures) for choice in self._choices(space)]
        names, n = [gene.name for gene in space.genes], space.architectures.n_var
        column = names.index(self.gene)

        def look_up(genomes: IntArray) -> FloatArray:
            values = np.full((len(genomes), len(self.metrics)), np.nan)
            for index, table in enumerate(tables):
                rows = np.flatnonzero(genomes[:, column] == index)
                if len(rows) and table is not None:
                    values[rows] = table(np.ascontiguousarray(genomes[rows, :n]))
            return values

        return look_up if any(table is not None for table in tables) else None

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        values = np.full((len(architectures), len(self.metrics)), np.nan)
        chosen = [self._choice(architecture) for architecture in architectures]
        for choice in dict.fromkeys(chosen):
            rows = [row for row, one in enumerate(chosen) if one == choice]
            alone = [_alone(architectures[row]) for row in rows]
            values[rows] = self.meters[choice].measure(alone, [seeds[row] for row in rows])
        return values

    def _choice(self, architecture: Architecture) -> Choice:
        if not isinstance(architecture, Configured):
            raise MeterError(f"'{architecture}' has no configuration; '{self.gene}' is needed.")
        choice = architecture[self.gene]
        if choice not in self.meters:
            raise MeterError(f"The choice {choice!r} of '{self.gene}' has no meter.")
        return choice

    def _choices(self, space: SearchSpace) -> tuple[Choice, ...]:
        genes = space.configurations.genes if isinstance(space, JointSpace) else ()
        for gene in genes:
            if gene.name == self.gene:
                return tuple(gene.choices)
        raise InputError(
            f"The {space.name} has no configuration gene '{self.gene}'; it has "
            f"{', '.join(gene.name for gene in genes) or 'none'}. Search a JointSpace with it."
        )


def _alone(architecture: Architecture) -> Architecture:
    return architecture.architecture if isinstance(architecture, Configured) else architecture
