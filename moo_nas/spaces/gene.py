"""One named choice of a search space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from moo_nas.errors import SpaceError

Choice = int | float | str


@dataclass(frozen=True, slots=True)
class Gene:
    """A named choice among a few values.

    Args:
        name: How the gene is called in tables, such as ``stage3.kernel``.
        choices: What can be chosen; a genome holds the index of one of them.
        kind: ``ordinal`` where neighbours in ``choices`` are alike (a kernel size: mutation
            steps), ``categorical`` where they are not (an operator: mutation redraws).

    Raises:
        SpaceError: Fewer than two choices, or one of them twice.

    Example:
        >>> Gene("stage3.kernel", (3, 5, 7), "ordinal").index(5)
        1
    """

    name: str
    choices: Sequence[Choice]
    kind: Literal["categorical", "ordinal"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        if len(self.choices) < 2:
            raise SpaceError(
                f"Gene '{self.name}' needs at least two choices; got {self.choices}. "
                "What cannot be chosen is no gene."
            )
        if len(set(self.choices)) != len(self.choices):
            raise SpaceError(f"Gene '{self.name}' has a choice twice: {self.choices}.")
        if self.kind not in ("categorical", "ordinal"):
            raise SpaceError(f"Gene '{self.name}' must be categorical or ordinal; got '{self.kind}'.")

    def index(self, choice: Choice) -> int:
        """Return the index of a choice.

        Raises:
            SpaceError: The gene has no such choice.
        """
        if choice not in self.choices:
            raise SpaceError(f"Gene '{self.name}' has choices {self.choices}; got {choice!r}.")
        return self.choices.index(choice)
