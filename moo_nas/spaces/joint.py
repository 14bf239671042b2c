"""An architecture and the hardware configuration it runs on, searched as one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import BETWEEN, Architecture
from moo_nas.spaces.block import Block
from moo_nas.spaces.flat import FlatArchitecture, FlatSpace
from moo_nas.spaces.gene import Choice, Gene
from moo_nas.spaces.space import SearchSpace


@dataclass(frozen=True, slots=True, init=False)
class Configured(Architecture):
    """An architecture on a hardware configuration: all that an architecture is, and what it runs on.

    ``str(configured)`` is the architecture's text, `` @ ``, and the configuration as JSON.

    Args:
        architecture: The network.
        configuration: Each configuration gene's name and what is chosen.

    Example:
        >>> network = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280")
        >>> one = Configured(network, (("threads", 2), ("precision", "int8")))
        >>> str(one)
        'stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280 @ {"threads": 2, "precision": "int8"}'
        >>> Architecture.parse(str(one)) == one, one["threads"]
        (True, 2)
    """

    architecture: Architecture
    configuration: tuple[tuple[str, Choice], ...]

    def __init__(self, architecture: Architecture, configuration: Sequence[tuple[str, Choice]]) -> None:
        # Frozen: set past the guard.
        for name in ("stem", "stages", "head"):
            object.__setattr__(self, name, getattr(architecture, name))
        object.__setattr__(self, "architecture", architecture)
        object.__setattr__(self, "configuration", tuple(configuration))

    def __str__(self) -> str:
        text = json.dumps(dict(self.configuration), ensure_ascii=False)
        # So that the last @ of the whole is the one between.
        return f"{self.architecture}{BETWEEN}" + text.replace("@", "\\u0040")

    def __getitem__(self, name: str) -> Choice:
        """Return what is chosen of the configuration.

        Raises:
            SpaceError: It has no such gene.
        """
        chosen = dict(self.configuration)
        if name not in chosen:
            raise SpaceError(f"A configuration has {', '.join(chosen)}; got '{name}'.")
        return chosen[name]

    @classmethod
    def parse(cls, text: str) -> "Configured":
        """Return what a line of text stands for.

        Raises:
            SpaceError: There is no configuration, or a part cannot be read.
        """
        network, between, configuration = text.rpartition(BETWEEN)
        if not between:
            raise SpaceError(
                f"An architecture on a configuration is 'architecture{BETWEEN}{{...}}'; got {text!r}."
            )
        kind = FlatArchitecture if network.startswith("{") else Architecture
        return cls(kind.parse(network), FlatArchitecture.parse(configuration).choices)

    def blocks(self, image_size: int, n_classes: int) -> tuple[Block, ...]:
        """Return the architecture's blocks."""
        return self.architecture.blocks(image_size, n_classes)

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> "Configured":
        """Return the architecture wider and deeper by these multipliers, on the same configuration."""
        return Configured(self.architecture.scaled(width, depth), self.configuration)


class JointSpace(SearchSpace):
    """Architectures times hardware configurations: the genes of one, then those of the other.

    What a configuration means is the meters' matter: those that say so
    (:attr:`~moo_nas.meters.Meter.takes_configuration`) measure an architecture on its configuration
    (:class:`Configured`), such as :class:`~moo_nas.meters.PerConfiguration`; all others go on
    measuring architectures, each once, whatever it runs on.

    Args:
        architectures: The space of architectures.
        configuration: The genes of the hardware: a clock, a number of threads, a batch size, a
            precision, a device.

    Raises:
        SpaceError: No configuration gene; a name twice; the architectures have a configuration already.

    Example:
        >>> from moo_nas.spaces import StageSpace
        >>> space = JointSpace(StageSpace.haenas(), [Gene("threads", (1, 2, 4), "ordinal")])
        >>> space.n_var, space.size == 3 * StageSpace.haenas().size
        (27, True)
        >>> space.decode(space.genome_at(space.size - 1)).configuration
        (('threads', 4),)

    References:
        H. Benmeziane et al. Hardware-Aware Neural Architecture Search: Survey and Taxonomy. IJCAI 2021.
    """

    name = "joint space"

    def __init__(self, architectures: SearchSpace, configuration: Sequence[Gene]) -> None:
        if isinstance(architectures, JointSpace):
            raise SpaceError("These architectures have a configuration already: give all its genes at once.")
        if not configuration:
            raise SpaceError("A joint space needs at least one configuration gene; got none.")
        self._architectures = architectures
        self.genes = (*architectures.genes, *configuration)
        names = [gene.name for gene in self.genes]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise SpaceError(
                f"A gene of the configuration and another gene are called '{twice[0]}'. Rename one of them."
            )
        self.configurations = FlatSpace(configuration)

    @property
    def architectures(self) -> SearchSpace:
        return self._architectures

    @property
    def whole(self) -> SearchSpace:
        whole = self._architectures.whole
        return self if whole is self._architectures else JointSpace(whole, self.configurations.genes)

    @property
    def n_distinct(self) -> int:
        return self._architectures.n_distinct * self.configurations.size

    def distinct_at(self, index: int) -> IntArray:
        index, configuration = divmod(index, self.configurations.size)
        parts = (self._architectures.distinct_at(index), self.configurations.genome_at(configuration))
        return np.concatenate(parts)

    @property
    def settings(self) -> dict[str, Any]:
        alone = self._architectures
        return {
            "architectures": {"name": alone.name, "settings": alone.settings},
            "configuration": self.configurations.settings,
        }

    def canonical(self, genomes: IntArray) -> IntArray:
        """Return genomes ``(n, n_var)`` with one form for each network on each configuration."""
        n = self._architectures.n_var
        return np.column_stack([self._architectures.canonical(genomes[:, :n]), genomes[:, n:]])

    def decode(self, genome: IntArray) -> Configured:
        row, n = self.check(genome)[0], self._architectures.n_var
        return Configured(self._architectures.decode(row[:n]), self.configurations.decode(row[n:]).choices)

    def encode(self, architecture: Architecture) -> IntArray:
        if not isinstance(architecture, Configured):
            raise SpaceError(f"This space has architectures on a configuration; got '{architecture}' alone.")
        return np.concatenate(
            [
                self._architectures.encode(architecture.architecture),
                self.configurations.encode(FlatArchitecture(architecture.configuration)),
            ]
        )
