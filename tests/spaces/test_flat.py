"""Plain genes."""

import pickle

import numpy as np
import pytest

from moo_nas.errors import SpaceError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import Architecture, FlatArchitecture, FlatSpace, Gene, StageSpace

GENES = [Gene("op", ("00", "conv 3x3"), "categorical"), Gene("width", (0.5, 1.0, 2.0), "ordinal")]


def test_a_text_keeps_what_is_a_text_and_what_is_a_number():
    architecture = FlatSpace(GENES).decode(np.array([0, 1]))
    assert str(architecture) == '{"op": "00", "width": 1.0}'
    read = FlatArchitecture.parse(str(architecture))
    assert [type(choice) for _, choice in read.choices] == [str, float]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "op=1",
        "[1, 2]",
        '{"op": [1]}',
        '{"op": {"a": 1}}',
        '{"op": true}',
        '{"op": null}',
        '{"op": NaN}',
        '{"op": Infinity}',
        "3",
        "stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280",
    ],
)
def test_a_text_that_is_no_object_of_choices_is_refused(text):
    with pytest.raises(SpaceError, match="An architecture's text is JSON"):
        FlatArchitecture.parse(text)


def test_a_gene_twice_is_refused():
    with pytest.raises(SpaceError, match="each gene once"):
        FlatArchitecture.parse('{"op": 1, "op": 2}')
    with pytest.raises(SpaceError, match="each gene once; got op, width, op"):
        FlatSpace([*GENES, GENES[0]])
    with pytest.raises(SpaceError, match="at least one gene"):
        FlatSpace([])


def test_an_architecture_goes_to_other_processes_and_into_sets():
    architecture = FlatSpace(GENES).decode(np.array([1, 2]))
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    assert len({architecture, FlatArchitecture(architecture.choices)}) == 1
    assert architecture != FlatSpace(GENES).decode(np.array([1, 1]))


def test_there_are_no_layers_and_the_error_says_what_to_do():
    space = FlatSpace(GENES)
    architecture = space.decode(np.array([0, 0]))
    for asked in (lambda: architecture.layers(32, 10), lambda: architecture.scaled(2.0)):
        with pytest.raises(SpaceError, match="has no layers to cost, build or time"):
            asked()
    # So a formula is a failure with that reason, and no crash.
    found = Evaluator(space, [Analytic(32, 10)]).evaluate(np.array([[0, 0]]), ["params"])
    assert "has no layers" in found.reasons[0]


def test_architectures_of_other_spaces_are_refused():
    space = FlatSpace(GENES)
    other = StageSpace.haenas()
    for architecture in (
        other.decode(other.genome_at(0)),
        FlatArchitecture((("op", "00"),)),
        FlatArchitecture((("width", 1.0), ("op", "00"))),
    ):
        with pytest.raises(SpaceError, match="the genes op, width"):
            space.encode(architecture)
    with pytest.raises(SpaceError, match="'width' has choices"):
        space.encode(FlatArchitecture((("op", "00"), ("width", 3.0))))
    with pytest.raises(SpaceError, match="This space has"):
        other.encode(space.decode(np.array([0, 0])))
    assert isinstance(space.decode(np.array([0, 0])), Architecture)
