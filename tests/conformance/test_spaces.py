"""The space kit on every space."""

import inspect

import pytest

from moo_nas import spaces
from moo_nas.spaces import CellSpace, FlatSpace, Gene, SearchSpace, StageSpace
from moo_nas.testing import SpaceKit
from tests.spaces_for_tests import cube_space, tiny_space, wide_space

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
    "flat": lambda: FlatSpace(
        [
            Gene("op code", ("00", "01", 'é="1"'), "categorical"),
            Gene("width", (0.25, 1.0, 1e20), "ordinal"),
            Gene("depth", (-1, 10), "ordinal"),
        ]
    ),
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
