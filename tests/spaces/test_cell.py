"""Cells and cell spaces, and which of their genomes are one network."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import SpaceError
from moo_nas.meters import Analytic, Metric
from moo_nas.meters.base import BlockMeter
from moo_nas.networks import build
from moo_nas.spaces import Architecture, Cell, CellSpace, StageSpace
from moo_nas.spaces.isomorphism import all_genomes, without_dead_edges
from tests.strategies import cells

SPACE, RAW = CellSpace.nasbench201(), CellSpace.nasbench201(merge=False)
SKIP, NONE, CONV3, CONV1, POOL = SPACE.operators
EDGES = [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]
EVERY = all_genomes(6, 5)


def genome(**edges: str) -> np.ndarray:
    """A genome of NAS-Bench-201 by its edges: ``e12=CONV3``; the rest none."""
    return SPACE.genome_of([edges.get(f"e{i}{j}", NONE) for i, j in EDGES])


def same(one: np.ndarray, *others: np.ndarray) -> bool:
    return len(np.unique(SPACE.canonical(np.array([one, *others])), axis=0)) == 1


@given(cells())
def test_a_cells_text_reads_back(cell):
    assert Cell.parse(str(cell)) == cell


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0",
        "none~0|",
        "|none~1|",
        "|none~0||",
        "|none~0|+|none~0|",
        "|none~0|+|none~1|none~0|",
        "|max_pool_3x3~0|",
        "|nor_conv_3x1~0|",
        "|nor_conv_4x4~0|",
    ],
)
def test_a_text_that_is_no_cell_is_refused(text):
    with pytest.raises(SpaceError):
        Cell.parse(text)


def test_a_cell_needs_an_operation_for_every_pair_of_nodes():
    with pytest.raises(SpaceError, match="got 5"):
        Cell((NONE,) * 5)


def test_genes_are_named_for_their_edges_and_choices_are_the_fields():
    assert [g.name for g in SPACE.genes] == [f"edge{i}_{j}" for i, j in EDGES]
    assert {g.kind for g in SPACE.genes} == {"categorical"}
    assert SPACE.genes[0].choices == ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    assert SPACE.size == 15625


def test_a_network_is_five_cells_a_stage_with_reductions_between():
    a = SPACE.decode(np.full(6, 2))
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    assert str(a) == (
        f"stem_k3_s1_c16_linear cell_d5_c16_{cell} residual_d1_k3_s2_c32 cell_d5_c32_{cell} "
        f"residual_d1_k3_s2_c64 cell_d5_c64_{cell} norm_pool"
    )
    params, _, macs, *_ = Analytic(32, 10).measure([a], [0])[0]
    # X. Dong, Y. Yang: 1.531546 M; by hand, convolutions and the classifier.
    assert params == 1_531_546
    convs = (
        27 * 16 * 1024 + 90 * 9 * 16 * 16 * 1024 + 2 * (9 * 16 * 32 * 256 + 9 * 32 * 32 * 256 + 16 * 32 * 256)
    )
    assert macs == convs + 640


# What is merged.


def test_edges_that_lead_nowhere_or_that_nothing_reaches_are_none():
    lone = genome(e14=CONV3)
    nowhere = genome(e14=CONV3, e12=CONV3, e13=POOL, e23=SKIP)
    unreached = genome(e14=CONV3, e24=CONV1, e34=POOL, e23=CONV3)
    assert same(lone, nowhere, unreached)
    assert SPACE.canonical(nowhere[None])[0].tolist() == lone.tolist()


def test_a_skip_is_the_identity():
    assert same(genome(e12=SKIP, e24=CONV3), genome(e14=CONV3), genome(e12=CONV3, e24=SKIP))
    assert same(genome(e12=SKIP, e23=SKIP, e34=SKIP), genome(e14=SKIP))


def test_nodes_may_change_places():
    assert same(
        genome(e12=CONV3, e24=POOL, e13=CONV1, e34=CONV3), genome(e13=CONV3, e34=POOL, e12=CONV1, e24=CONV3)
    )


# What is not.


def test_a_skip_beside_another_edge_is_no_identity():
    assert not same(genome(e12=SKIP, e14=SKIP, e24=SKIP), genome(e14=SKIP))  # 2x is not x


def test_two_convolutions_are_not_one_used_twice():
    twice = genome(e12=CONV3, e24=SKIP, e23=SKIP, e34=SKIP)
    two = genome(e12=CONV3, e24=SKIP, e13=CONV3, e34=SKIP)
    assert not same(twice, two)


def test_two_poolings_are_not_one_of_the_sum():
    apart = genome(e12=CONV3, e24=POOL, e14=POOL)
    together = genome(e12=CONV3, e23=SKIP, e13=SKIP, e34=POOL)
    assert not same(apart, together)


def test_5425_of_the_15625_are_distinct_and_9445_have_no_dead_edge():
    assert len(np.unique(SPACE.canonical(EVERY), axis=0)) == 5425
    assert len(np.unique(without_dead_edges(EVERY, 4, SPACE.operators), axis=0)) == 9445


def test_the_canonical_form_is_the_smallest_of_its_kind_and_idempotent_on_every_genome():
    canonical = SPACE.canonical(EVERY)
    assert (SPACE.canonical(canonical) == canonical).all()
    assert ((canonical != 1).sum(axis=1) <= (EVERY != 1).sum(axis=1)).all()


def test_no_two_canonical_genomes_differ_by_the_names_of_nodes_only():
    # Exchanging nodes 2 and 3 where no edge is between them.
    canonical = SPACE.canonical(EVERY)
    free = canonical[:, 3] == 1
    swapped = canonical[free][:, [1, 0, 2, 3, 5, 4]]
    assert (SPACE.canonical(swapped) == canonical[free]).all()


def test_merged_networks_keep_every_live_layer():
    live = without_dead_edges(EVERY, 4, SPACE.operators)
    canonical = SPACE.canonical(EVERY)
    for code in (2, 3):
        # Operations are kept one by one, so parameters and multiply-accumulates are.
        assert ((live == code).sum(axis=1) == (canonical == code).sum(axis=1)).all()
    assert ((live == 4).sum(axis=1) == (canonical == 4).sum(axis=1)).all()


@pytest.mark.parametrize("space", [SPACE, RAW])
def test_tabulated_costs_are_the_measured_ones(space):
    meter = Analytic(image_size=32, n_classes=10)
    genomes = space.sample(300, seed=3)
    tables = space.tabulate(meter)
    measured = meter.measure([space.decode(genome) for genome in genomes], [0] * len(genomes))
    for _ in range(2):  # as they are first met, and as they are known
        assert tables(genomes).tolist() == measured.tolist()
    assert tables(genomes[:0]).shape == (0, len(meter.metrics))


class Skips(BlockMeter):
    """Counts what is no layer: cells with the same layers have different numbers of it."""

    metrics = (Metric("skips", "1", "min"),)
    reductions = ("sum",)

    def block_cost(self, block):
        return [0.0 if block.cell is None else block.cell.operators.count(SKIP)]


def test_costs_that_are_not_of_layers_are_found_for_each_cell_by_itself():
    genomes = np.array(
        [genome(e14=CONV3, e13=SKIP), genome(e14=CONV3), genome(e14=CONV3, e12=SKIP, e13=SKIP)]
    )
    assert RAW.tabulate(Skips(32, 10))(genomes)[:, 0].tolist() == [15.0, 0.0, 30.0]


def test_a_space_of_too_many_networks_has_no_table():
    assert CellSpace(n_nodes=5, merge=False).tabulate(Analytic(32, 10)) is None


def small(merge: bool) -> CellSpace:
    return CellSpace(n_cells=1, channels=(3, 4), merge=merge)


@settings(max_examples=60)
@given(st.integers(0, 15624))
def test_the_canonical_network_computes_the_same_with_the_weights_of_its_live_edges(index):
    original = small(False).decode(EVERY[index])
    canonical = small(True).decode(EVERY[index])
    a, b = (build(x, 5, seed=index).double() for x in (original, canonical))
    randomise(a, index)
    live = Cell(
        tuple(SPACE.operators[g] for g in without_dead_edges(EVERY[index][None], 4, SPACE.operators)[0])
    )
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(index))
    reset_dead(a, live)
    for module in (a, b):
        module.eval()
    with torch.inference_mode():
        expected = a(x)
        found = False
        for order in orders(original.stages[0].cell, canonical.stages[0].cell, live):
            copy_weights(a, b, order)
            found = found or torch.allclose(b(x), expected, rtol=1e-11, atol=1e-11)
    assert found


def randomise(network, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low in (
                (module.weight, 0.5),
                (module.bias, -1),
                (module.running_mean, -1),
                (module.running_var, 0.5),
            ):
                tensor.data.uniform_(low, low + 1.5, generator=generator)


def reset_dead(network, live: Cell) -> None:
    """What nothing reaches is zero as long as its batch norm has learned nothing."""
    kept = {f"{e.source}_{e.target}" for e in live.present}
    for block in network:
        for name, edge in getattr(block, "edges", {}).items():
            if name not in kept:
                for module in edge.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        module.reset_running_stats()
                        torch.nn.init.ones_(module.weight)
                        torch.nn.init.zeros_(module.bias)


def orders(original: Cell, canonical: Cell, live: Cell):
    """Every way to give the live convolutions of the original to those of the canonical cell."""
    to = [e for e in canonical.present if e.operation.kind == "conv"]
    of = [e for e in live.present if e.operation.kind == "conv"]
    for chosen in itertools.permutations(of):
        if all(a.operator == b.operator for a, b in zip(chosen, to, strict=True)):
            yield [
                (f"{a.source}_{a.target}", f"{b.source}_{b.target}") for a, b in zip(chosen, to, strict=True)
            ]


def copy_weights(a, b, order) -> None:
    for before, after in zip(a, b, strict=True):
        if hasattr(before, "edges"):
            for source, target in order:
                after.edges[target].load_state_dict(before.edges[source].state_dict())
        else:
            after.load_state_dict(before.state_dict())


def test_without_merge_every_genome_is_its_own():
    assert (RAW.canonical(EVERY) == EVERY).all()
    dead = genome(e12=CONV3, e14=SKIP)
    assert (
        Analytic(32, 10).measure([RAW.decode(dead)], [0])[0, 0]
        > Analytic(32, 10).measure([SPACE.decode(dead)], [0])[0, 0]
    )


def test_spaces_too_large_to_merge_are_refused_and_can_be_had_unmerged():
    with pytest.raises(SpaceError, match=r"9,765,625\. Pass merge=False"):
        CellSpace(n_nodes=5)
    assert CellSpace(n_nodes=5, merge=False).size == 9765625


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_cells": 0}, "at least one cell"),
        ({"channels": ()}, "positive channels"),
        ({"n_nodes": 1}, "two nodes"),
        ({"operators": ("none", "sep_conv_3x3")}, "sep_conv_3x3"),
        ({"operators": ("none",)}, "two choices"),
    ],
)
def test_a_space_that_cannot_be_built_is_refused(wrong, message):
    with pytest.raises(SpaceError, match=message):
        CellSpace(**wrong)


def test_an_architecture_of_another_space_is_refused():
    text = str(SPACE.decode(EVERY[777]))
    for other in (
        str(StageSpace.haenas().decode(StageSpace.haenas().genome_at(0))),
        text.replace("cell_d5_c64", "cell_d4_c64"),
        str(CellSpace(n_nodes=3).decode(CellSpace(n_nodes=3).genome_at(2))),
    ):
        with pytest.raises(SpaceError):
            SPACE.encode(Architecture.parse(other))


def test_a_cell_network_is_no_network_of_a_stage_space():
    haenas = StageSpace.haenas()
    stages = (*haenas.decode(haenas.genome_at(0)).stages[:6], SPACE.decode(EVERY[0]).stages[0])
    with pytest.raises(SpaceError, match="inverted bottlenecks"):
        haenas.encode(Architecture(haenas.stem, stages, haenas.head))
