"""What an architecture's cost is predicted from."""

import numpy as np
import pytest

from moo_nas.errors import InputError
from moo_nas.meters import Analytic
from moo_nas.meters.predictors import Domain, cost_features, feature_matrix
from moo_nas.meters.predictors.features import live_edges
from moo_nas.spaces import Architecture, CellSpace, StageSpace
from moo_nas.spaces.graph import Cell
from moo_nas.spaces.isomorphism import without_dead_edges

SPACES = {
    "haenas": StageSpace.haenas(),
    "mnasnet": StageSpace.mnasnet(),
    "nasbench201": CellSpace.nasbench201(merge=False),
}


def drawn(name, n=20):
    space = SPACES[name]
    return [space.decode(genome) for genome in space.sample(n, seed=0)]


@pytest.mark.parametrize("name", SPACES)
def test_the_totals_are_those_of_the_formulas(name):
    architectures = drawn(name)
    costs = Analytic(64, 7).measure(architectures, [0] * len(architectures))
    features = [cost_features(a, 64, 7) for a in architectures]
    totals = feature_matrix(features, ["all.params", "all.macs"]) * 1e6
    assert totals == pytest.approx(costs[:, [0, 2]])
    assert [row["all.layers"] for row in features] == [len(a.layers(64, 7)) for a in architectures]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("what", ["layers", "macs", "params", "traffic"])
def test_stages_and_kinds_of_layer_each_add_up_to_the_total(name, what):
    for features in (cost_features(a, 32, 10) for a in drawn(name, 5)):
        parts = {key.removesuffix(f".{what}"): value for key, value in features.items() if key.endswith(what)}
        total = parts.pop("all")
        places = {key: value for key, value in parts.items() if key.startswith(("stage", "head"))}
        kinds = sum(value for key, value in parts.items() if key not in places)
        assert sum(value for key, value in places.items() if "." not in key) == pytest.approx(total)
        assert sum(value for key, value in places.items() if "." in key) == pytest.approx(total)
        assert kinds == pytest.approx(total)


def test_squeezing_and_residual_blocks_are_counted():
    a = Architecture.parse("stem_k3_s2_c16 ibn_d3_k3_s2_e6_c24_se0.25 fused_d1_k3_s1_e4_c24 pool_conv_c64")
    features = cost_features(a, 32, 10)
    assert features["squeezes"] == features["stage1.squeezes"] == 3
    assert features["residuals"] == 3  # all blocks but the strided one
    assert "stage2.squeezes" not in features


def test_live_edges_are_those_that_the_space_keeps():
    space = SPACES["nasbench201"]
    genomes = space.sample(300, seed=1)
    kept = without_dead_edges(genomes, space.n_nodes, space.operators)
    for genome, live in zip(genomes, kept, strict=True):
        cell = Cell(tuple(space.operators[gene] for gene in genome))
        expected = Cell(tuple(space.operators[gene] for gene in live)).present
        assert live_edges(cell) == expected


def cell_features(*operators):
    a = SPACES["nasbench201"].decode(SPACES["nasbench201"].genome_of(operators))
    # Fifteen cells.
    return {name: value / 15 for name, value in cost_features(a, 32, 10).items()}


def test_a_chain_of_convolutions_adds_nothing_up():
    chain = cell_features("nor_conv_3x3", "none", "none", "nor_conv_1x1", "none", "nor_conv_3x3")
    for view in ("cell", "needed", "run", "live"):
        assert chain[f"{view}.path"] == chain[f"{view}.layer_path"] == chain[f"{view}.conv_path"] == 3
        assert f"{view}.additions" not in chain
        assert chain[f"{view}.conv3"] == 2
    assert chain["needed.node2.in_convs"] == chain["needed.node2.out_convs"] == 1


def test_parallel_edges_of_one_kind_are_siblings():
    wide = cell_features(
        "nor_conv_1x1", "nor_conv_1x1", "nor_conv_1x1", "skip_connect", "none", "skip_connect"
    )
    assert wide["needed.path"] == 3
    assert wide["needed.layer_path"] == 1
    assert wide["needed.siblings.conv1"] == 2
    assert wide["needed.additions"] == 2
    assert "needed.lone_additions" not in wide  # a convolution leads to both nodes that add
    assert wide["needed.activated"] == 1


def test_an_addition_without_a_convolution_is_a_lone_one():
    skips = cell_features("skip_connect", "none", "skip_connect", "none", "avg_pool_3x3", "none")
    assert skips["needed.additions"] == skips["needed.lone_additions"] == 1


def test_one_edge_that_leads_nowhere_runs_and_two_do_not():
    one = cell_features("nor_conv_3x3", "none", "avg_pool_3x3", "none", "none", "none")
    assert one["cell.conv3"] == one["run.conv3"] == 1
    assert "needed.conv3" not in one
    two = cell_features("nor_conv_3x3", "nor_conv_3x3", "avg_pool_3x3", "none", "none", "none")
    assert two["cell.conv3"] == 2
    assert "run.conv3" not in two


def test_an_edge_that_nothing_reaches_is_needed_but_not_live():
    features = cell_features("none", "none", "skip_connect", "none", "none", "nor_conv_3x3")
    assert features["needed.conv3"] == 1
    assert "live.conv3" not in features
    assert features["live.skip"] == 1


def test_an_empty_cell_has_no_features():
    empty = cell_features(*["none"] * 6)
    assert not [name for name in empty if name.startswith(("cell.", "needed.", "run.", "live."))]


def test_what_is_not_named_is_zero():
    assert feature_matrix([{"a": 1.0}, {"b": 2.0}], ["b", "a", "c"]).tolist() == [[0, 1, 0], [2, 0, 0]]
    assert feature_matrix([], ["a"]).shape == (0, 1)


def test_samples_lie_in_their_own_domain():
    features = [cost_features(a, 32, 10) for a in drawn("haenas")]
    domain = Domain.of(features, margin=0)
    assert [domain.why_outside(row) for row in features] == [None] * len(features)


def test_most_of_a_space_lies_in_the_domain_of_two_hundred_and_another_space_does_not():
    space = SPACES["haenas"]
    domain = Domain.of([cost_features(a, 96, 10) for a in drawn("haenas", 200)])
    others = [space.decode(genome) for genome in space.sample(200, seed=5)]
    outside = [domain.why_outside(cost_features(a, 96, 10)) for a in others]
    assert np.mean([reason is not None for reason in outside]) < 0.2
    assert all(domain.why_outside(cost_features(a, 96, 10)) for a in drawn("mnasnet"))
    assert all(domain.why_outside(cost_features(a, 224, 10)) for a in others)


def test_a_domain_says_what_is_furthest_outside():
    domain = Domain.of([{"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}], margin=0.5)
    assert domain.why_outside({"a": 1.4, "b": 1.0}) is None
    assert domain.why_outside({"a": 1.6, "b": 3.0}) == "b is 3, the samples have 0 to 1"
    assert domain.why_outside({"a": 9.0, "c": 1.0}) == "c is 1, no sample has it"
    assert domain.why_outside({"b": -1.0}) == "b is -1, the samples have 0 to 1"


def test_a_domain_of_nothing_and_a_negative_margin_are_refused():
    with pytest.raises(InputError, match="at least one sample"):
        Domain.of([])
    with pytest.raises(InputError, match="must not be negative"):
        Domain.of([{"a": 1.0}], margin=-0.1)
