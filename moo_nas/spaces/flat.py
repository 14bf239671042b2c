"""Plain genes: a space whose architectures are nothing but their choices."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture
from moo_nas.spaces.gene import Choice, Gene
from moo_nas.spaces.space import SearchSpace


@dataclass(frozen=True, slots=True, init=False)
class FlatArchitecture(Architecture):
    """An architecture known by its choices alone: what network they stand for is not said.

    It can be looked up in a table and measured by a meter that knows its genes; there are no layers
    to cost or to build, and asking for them is an error. ``str(architecture)`` is one line of JSON,
    which :meth:`parse` reads back.

    Args:
        choices: Each gene's name and what is chosen.

    Example:
        >>> a = FlatArchitecture((("op", "01"), ("depth", 3)))
        >>> str(a)
        '{"op": "01", "depth": 3}'
        >>> FlatArchitecture.parse(str(a)) == a
        True
    """

    choices: tuple[tuple[str, Choice], ...]

    def __init__(self, choices: Sequence[tuple[str, Choice]]) -> None:
        # Frozen: set past the guard. Stem and head there are none, blocks() says so.
        for name, value in (("choices", tuple(choices)), ("stages", ()), ("stem", None), ("head", None)):
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return json.dumps(dict(self.choices), ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> "FlatArchitecture":
        """Return the architecture that a line of text stands for.

        Raises:
            SpaceError: The text is no JSON object of numbers and texts by name.
        """
        try:
            pairs = json.loads(text, object_pairs_hook=tuple)
        except (ValueError, RecursionError):
            pairs = None
        if not isinstance(pairs, tuple) or not all(_is_choice(choice) for _, choice in pairs):
            raise SpaceError(f"An architecture's text is JSON such as '{{\"op\": 1}}'; got {text!r}.")
        if len({name for name, _ in pairs}) != len(pairs):
            raise SpaceError(f"An architecture has each gene once; got {text!r}.")
        return cls(pairs)

    def blocks(self, image_size: int, n_classes: int) -> NoReturn:
        """There are none.

        Raises:
            SpaceError: Always.
        """
        raise SpaceError(
            f"'{self}' is known by its choices alone and has no layers to cost, build or time: its metrics "
            "come from a table, or from a meter that knows what its genes mean."
        )

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> NoReturn:
        """There is nothing to scale.

        Raises:
            SpaceError: Always.
        """
        self.blocks(0, 0)


class FlatSpace(SearchSpace):
    """Genes of any names and choices, every combination of them another architecture.

    For tables of results and for meters of one's own: what a choice means is left to them. A space
    of networks that are built and costed is a
    :class:`~moo_nas.spaces.StageSpace` or :class:`~moo_nas.spaces.CellSpace`.

    Args:
        genes: The genes.

    Raises:
        SpaceError: No gene, or a name twice.

    Example:
        >>> genes = [Gene("op", ("conv", "pool"), "categorical"), Gene("depth", (1, 2, 4), "ordinal")]
        >>> space = FlatSpace(genes)
        >>> space.size
        6
        >>> str(space.decode(space.genome_at(5)))
        '{"op": "pool", "depth": 4}'
    """

    name = "flat space"

    def __init__(self, genes: Sequence[Gene]) -> None:
        self.genes = tuple(genes)
        names = [gene.name for gene in self.genes]
        if not names:
            raise SpaceError("A flat space needs at least one gene; got none.")
        if len(set(names)) != len(names):
            raise SpaceError(f"A flat space has each gene once; got {', '.join(names)}.")

    @property
    def settings(self) -> dict[str, Any]:
        return {"genes": [[gene.name, list(gene.choices), gene.kind] for gene in self.genes]}

    def decode(self, genome: IntArray) -> FlatArchitecture:
        row = self.check(genome)[0].tolist()
        return FlatArchitecture(
            [(gene.name, gene.choices[i]) for gene, i in zip(self.genes, row, strict=True)]
        )

    def encode(self, architecture: Architecture) -> IntArray:
        names = [gene.name for gene in self.genes]
        chosen = architecture.choices if isinstance(architecture, FlatArchitecture) else ()
        if [name for name, _ in chosen] != names:
            raise SpaceError(
                f"This space has architectures with the genes {', '.join(names)}; got '{architecture}'."
            )
        return self.genome_of([choice for _, choice in chosen])


def _is_choice(value: object) -> bool:
    return type(value) in (int, str) or (isinstance(value, float) and math.isfinite(value))
