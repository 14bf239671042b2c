"""A space as JSON and back: a run's folder can be read without the problem that was searched."""

from collections.abc import Callable, Mapping
from typing import Any

from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture, Head, Stem
from moo_nas.spaces.cell import CellSpace
from moo_nas.spaces.flat import FlatArchitecture, FlatSpace
from moo_nas.spaces.gene import Gene
from moo_nas.spaces.joint import Configured, JointSpace
from moo_nas.spaces.pruned import PrunedSpace
from moo_nas.spaces.space import SearchSpace
from moo_nas.spaces.stage import StageChoices, StageSpace


def _stages(told: Mapping[str, Any]) -> StageSpace:
    rows = [StageChoices(**row) for row in told["stages"]]
    return StageSpace(rows, Stem(**told["stem"]), Head(**told["head"]), told["image_size"])


def _pruned(told: Mapping[str, Any]) -> PrunedSpace:
    replaced: dict[int, dict[tuple[Any, ...], tuple[Any, ...]]] = {}
    for number, dropped, kept in told["replaced"]:
        replaced.setdefault(number, {})[tuple(dropped)] = tuple(kept)
    return PrunedSpace(_stages(told), replaced)


def _joint(told: Mapping[str, Any]) -> JointSpace:
    genes = [Gene(*gene) for gene in told["configuration"]["genes"]]
    return JointSpace(space_of(told["architectures"]), genes)


_MAKERS: dict[str, Callable[[Mapping[str, Any]], SearchSpace]] = {
    FlatSpace.name: lambda told: FlatSpace([Gene(*gene) for gene in told["genes"]]),
    CellSpace.name: lambda told: CellSpace(**told),
    StageSpace.name: _stages,
    PrunedSpace.name: _pruned,
    JointSpace.name: _joint,
}


def description(space: SearchSpace) -> dict[str, Any]:
    """Return what :func:`space_of` makes a space from, as JSON."""
    return {"name": space.name, "settings": space.settings}


def space_of(told: Mapping[str, Any]) -> SearchSpace:
    """Return the space that a description tells.

    Raises:
        SpaceError: It is of a class that is not known here, or makes no such space.

    Example:
        >>> told = description(CellSpace.nasbench201())
        >>> space_of(told).size
        15625
    """
    name = told.get("name")
    if name not in _MAKERS:
        raise SpaceError(f"A '{name}' cannot be made from its description; {', '.join(_MAKERS)} can.")
    try:
        space = _MAKERS[name](told["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise SpaceError(f"This is no description of a {name}: {error}.") from error
    return space


def parse(space: SearchSpace, text: str) -> Architecture:
    """Return the architecture that a text stands for in a space's notation.

    Raises:
        SpaceError: The text is of no architecture.
    """
    if isinstance(space, JointSpace):
        return Configured.parse(text)
    return FlatArchitecture.parse(text) if isinstance(space, FlatSpace) else Architecture.parse(text)
