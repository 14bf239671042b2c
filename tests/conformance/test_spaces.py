"""The space kit on every space."""

import inspect

import pytest

from moo_nas import spaces
from moo_nas.spaces import CellSpace, FlatSpace, Gene, JointSpace, PrunedSpace, SearchSpace, StageSpace
from moo_nas.testing import SpaceKit
from tests.spaces_for_tests import cube_space, tiny_space, wide_space

FLAT = [
    Gene("op code", ("00", "01", 'é="1"'), "categorical"),
    Gene("width", (0.25, 1.0, 1e20), "ordinal"),
    Gene("depth", (-1, 10), "ordinal"),
]
HARDWARE = [Gene("threads", (1, 2, 4), "ordinal"), Gene("device", ("a @ b", '{"x": "@"}'), "categorical")]


def half(space: StageSpace) -> PrunedSpace:
    """A space whose second stage has every other option, with the same channels."""
    options = space.stages[1].options()
    kept: dict = {}
    for option in options[::2]:
        kept.setdefault(option[4], option)
    return PrunedSpace(space, {2: {option: kept[option[4]] for option in options[1::2] if option[4] in kept}})


CASES = {
    "haenas": StageSpace.haenas,
    "mnasnet": StageSpace.mnasnet,
    "tiny": tiny_space,
    "wide": wide_space,
    "cube": cube_space,
    "nasbench201": CellSpace.nasbench201,
    "nasbench201, not merged": lambda: CellSpace.nasbench201(merge=False),
    "cells of three nodes": lambda: CellSpace(2, (8,), 3, ("none", "nor_conv_5x5", "skip_connect")),
    "cells without none": lambda: CellSpace(1, (4, 6), 3, ("avg_pool_5x5", "skip_connect", "nor_conv_1x1")),
    "flat": lambda: FlatSpace(FLAT),
    "pruned": lambda: half(tiny_space()),
    "pruned, of several widths": lambda: half(wide_space()),
    "joint": lambda: JointSpace(tiny_space(), HARDWARE),
    "joint, haenas": lambda: JointSpace(StageSpace.haenas(), HARDWARE[:1]),
    "joint, of plain genes": lambda: JointSpace(FlatSpace(FLAT), HARDWARE),
    "joint, of merged cells": lambda: JointSpace(CellSpace(1, (4,), 3), HARDWARE),
    "joint, of what is pruned": lambda: JointSpace(half(tiny_space()), HARDWARE),
}


@pytest.mark.parametrize("name", CASES)
class TestSpaces(SpaceKit):
    @pytest.fixture(autouse=True)
    def case(self, name):
        self.name = name

    def space(self):
        return CASES[self.name]()


def test_every_space_has_a_case():
    known = {getattr(spaces, name) for name in spaces.__all__}
    concrete = {
        c for c in known if inspect.isclass(c) and issubclass(c, SearchSpace) and not inspect.isabstract(c)
    }
    assert concrete == {type(make()) for make in CASES.values()}
