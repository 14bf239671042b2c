import pytest

from moo_nas.errors import SpaceError
from moo_nas.spaces import Gene


def test_a_gene_of_one_choice_is_refused():
    with pytest.raises(SpaceError, match="'k' needs at least two choices"):
        Gene("k", (3,), "ordinal")


def test_a_choice_twice_is_refused():
    with pytest.raises(SpaceError, match="'k' has a choice twice"):
        Gene("k", (3, 5, 3), "ordinal")


def test_an_unknown_kind_is_refused():
    with pytest.raises(SpaceError, match="got 'real'"):
        Gene("k", (3, 5), "real")


def test_a_choice_that_a_gene_lacks_is_named_with_those_it_has():
    with pytest.raises(SpaceError, match=r"Gene 'stage3.kernel' has choices \(3, 5, 7\); got 4"):
        Gene("stage3.kernel", [3, 5, 7], "ordinal").index(4)
