"""Architectures with a hardware configuration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import SpaceError
from moo_nas.spaces import Architecture, CellSpace, Configured, Gene, JointSpace
from tests.spaces_for_tests import tiny_space
from tests.strategies import architectures

THREADS = Gene("threads", (1, 2, 4), "ordinal")
choices = st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)


@given(architectures(), st.dictionaries(st.text(), choices, min_size=1, max_size=3))
@settings(max_examples=60)
def test_any_configuration_s_text_reads_back(architecture, configuration):
    one = Configured(architecture, tuple(configuration.items()))
    again = Configured.parse(str(one))
    assert again == Architecture.parse(str(one)) == one
    assert again.architecture == architecture
    assert all(one[name] == choice for name, choice in configuration.items())


def test_it_is_all_that_its_architecture_is():
    space = JointSpace(tiny_space(), [THREADS])
    one = space.decode(space.genome_at(5))
    alone = one.architecture
    assert isinstance(one, Architecture)
    assert (one.stem, one.stages, one.head) == (alone.stem, alone.stages, alone.head)
    assert one.layers(16, 10) == alone.layers(16, 10)
    assert one.scaled(width=2.0) == Configured(alone.scaled(width=2.0), one.configuration)
    assert one != Configured(alone, (("threads", 99),))


def test_the_same_network_on_another_configuration_is_another():
    space = JointSpace(CellSpace.nasbench201(), [THREADS])
    assert space.size == 3 * 15_625
    genome = np.append(space.architectures.sample(1, 0)[0], 0)
    assert space.canonical(genome[None])[0, -1] == 0
    texts = {str(space.decode(np.append(genome[:-1], threads))) for threads in range(3)}
    assert len(texts) == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: JointSpace(tiny_space(), []), "at least one configuration gene"),
        (lambda: JointSpace(JointSpace(tiny_space(), [THREADS]), [THREADS]), "configuration already"),
        (lambda: JointSpace(tiny_space(), [THREADS, THREADS]), "called 'threads'"),
        (
            lambda: JointSpace(tiny_space(), [Gene("stage1.operator", (1, 2), "ordinal")]),
            "called 'stage1.operator'",
        ),
        (lambda: JointSpace(tiny_space(), [THREADS]).encode(tiny_space().decode(np.zeros(6, int))), "alone"),
        (lambda: Configured.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64"), "architecture @"),
        (lambda: Configured.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64 @ 7"), "JSON"),
        (lambda: Configured(tiny_space().decode(np.zeros(6, int)), (("a", 1),))["b"], "has a; got 'b'"),
    ],
)
def test_what_is_no_joint_space_or_configuration_is_refused(make, words):
    with pytest.raises(SpaceError, match=words):
        make()
