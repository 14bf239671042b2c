"""Accel-NASBench's networks: their definition, and what is published of them."""

import os

import numpy as np
import pytest

from moo_nas import Constrained, Pareto, Single
from moo_nas.errors import InputError
from moo_nas.meters import Analytic
from moo_nas.networks import build
from moo_nas.spaces import StageSpace
from problems import mnasnet
from problems.data import benchmark_table
from problems.mnasnet import MnasNet, table_genomes

published = pytest.mark.skipif(
    not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA is unset: no folder of published data"
)


@pytest.fixture(scope="module")
def table():
    return benchmark_table(mnasnet.TABLE)


@pytest.fixture(scope="module")
def problem():
    return MnasNet(batch_size=8, image_size=16, n_reference=4)


def exact_front(error: np.ndarray, latency: np.ndarray) -> int:
    """How many rows no other row is better than, by comparing every pair."""
    better = (error[:, None] <= error) & (latency[:, None] <= latency)
    better &= (error[:, None] < error) | (latency[:, None] < latency)
    return int((~better.any(axis=0)).sum())


@published
def test_the_networks_have_the_published_number_of_parameters(table):
    space = StageSpace.mnasnet()
    genomes = table_genomes(table, space)
    params = space.tabulate(Analytic(224, 1000))(genomes)[:, 0]
    # The table has eight significant digits of millions: every parameter shows.
    assert (np.rint(table["params_M"].to_numpy() * 1e6) == params).all()


@published
def test_the_published_macs_are_ours_and_what_thop_counts_beside_them(table):
    """thop adds 4 per element of every batch norm and (pixels + 1) per channel of every pooling.

    See https://github.com/Lyken17/pytorch-OpCounter, thop/vision/calc_func.py.
    """
    space = StageSpace.mnasnet()
    genomes = table_genomes(table, space)
    macs = space.tabulate(Analytic(224, 1000))(genomes)[:, 2]
    for row in range(0, len(table), 40):
        layers = space.decode(genomes[row]).layers(224, 1000)
        normed = sum(x.out_channels * x.out_size**2 for x in layers if x.norm)
        pooled = sum(x.out_channels * (x.in_size**2 + 1) for x in layers if x.kind == "pool")
        # Eight significant digits: above 100 millions the last shows tens.
        assert table["macs_M"][row] * 1e6 == pytest.approx(macs[row] + 4 * normed + pooled, abs=5)
    published = table["macs_M"].to_numpy() * 1e6
    assert (published > macs).all()
    assert np.corrcoef(published, macs)[0, 1] > 0.99


@published
def test_the_networks_built_have_the_published_number_of_parameters(table):
    space = StageSpace.mnasnet()
    for row in (0, 1, 2, 77, len(table) - 1):
        genome = table_genomes(table.iloc[[row]], space)[0]
        network = build(space.decode(genome), 1000)
        n = sum(parameter.numel() for parameter in network.parameters())
        assert n == round(table["params_M"][row] * 1e6)


@published
def test_every_rows_genome_says_what_the_row_says_and_reads_back(table, problem):
    space = StageSpace.mnasnet()
    genomes = table_genomes(table, space)
    assert genomes.shape == (5138, 28)
    assert len(np.unique(genomes, axis=0)) == len(problem.trained_genomes) == 5125
    assert {g.tobytes() for g in problem.trained_genomes} == {g.tobytes() for g in genomes}
    choices = space.choices(genomes)
    for stage in range(7):
        assert (choices[f"stage{stage + 1}.kernel"] == table[f"block{stage}_k"]).all()
        assert (choices[f"stage{stage + 1}.expansion"] == table[f"block{stage}_e"]).all()
        assert (choices[f"stage{stage + 1}.depth"] == table[f"block{stage}_l"]).all()
        assert ((choices[f"stage{stage + 1}.se"] == 0.25) == (table[f"block{stage}_se"] == 1)).all()
    for genome in genomes[::50]:
        assert space.encode(space.decode(genome)).tolist() == genome.tolist()


@published
@pytest.mark.parametrize(("device", "size"), [("zcu102", 42), ("vck190", 22)])
def test_the_front_is_that_of_the_table_compared_pair_by_pair(device, size, table):
    rows = table.dropna(subset=f"latency_{device}_ms")
    assert exact_front(100 - rows["val_top1"].to_numpy(), rows[f"latency_{device}_ms"].to_numpy()) == size
    problem = MnasNet(device=device, batch_size=8, image_size=16)
    trained = problem.evaluations(problem.trained_genomes)
    # Two of the networks were never timed; counted among the undominated they would make two more.
    assert trained.failed.sum() == 2
    assert {reason for reason in trained.reasons if reason} == {"latency_ms is nan"}
    f, g = problem.fg(trained)
    assert np.isfinite(f).all()
    assert exact_front(*f[(g <= 0).all(axis=1)].T) == size
    assert exact_front(trained["top1_error"], trained["latency_ms"]) == size + 2


@published
def test_error_and_latency_are_the_tables(problem, table):
    genomes = table_genomes(table, problem.space)
    of_row = {genome.tobytes(): row for row, genome in enumerate(genomes)}
    twice = [g for g in problem.trained_genomes if (genomes == g).all(axis=1).sum() > 1]
    assert len(twice) == 13
    once = np.array([g for g in problem.trained_genomes if not any((g == other).all() for other in twice)])
    rows = [of_row[genome.tobytes()] for genome in once]
    found = problem.evaluations(once)
    assert found["top1_error"] == pytest.approx(100 - table["val_top1"].to_numpy()[rows])
    assert np.array_equal(found["latency_ms"], table["latency_zcu102_ms"].to_numpy()[rows], equal_nan=True)
    assert found["params"] == pytest.approx(table["params_M"].to_numpy()[rows] * 1e6, abs=0.6)


@published
def test_a_network_trained_twice_has_the_mean_of_both(problem, table):
    genomes = table_genomes(table, problem.space)
    first = genomes[0]  # rows 0 and 443
    rows = np.flatnonzero((genomes == first).all(axis=1))
    assert len(rows) == 2
    found = problem.evaluations(first[None])
    assert found["top1_error"][0] == pytest.approx(100 - table["val_top1"].to_numpy()[rows].mean())
    assert found["latency_ms"][0] == pytest.approx(table["latency_zcu102_ms"].to_numpy()[rows].mean())


@published
def test_a_network_that_was_not_trained_is_a_failure_with_the_reason_and_has_its_formulas(problem):
    known = {tuple(genome) for genome in problem.trained_genomes.tolist()}
    other = next(g for g in problem.space.sample(99, seed=0) if tuple(g.tolist()) not in known)
    found = problem.evaluations(np.array([problem.trained_genomes[0], other]))
    assert found.failed.tolist() == [False, True]
    assert mnasnet.TABLE in found.reasons[1]
    assert str(problem.space.decode(other)) in found.reasons[1]
    assert found["params"][1] > 1e6
    out = problem.evaluate(np.array([problem.trained_genomes[0], other]), return_as_dictionary=True)
    assert np.isfinite(out["F"]).all()
    assert (out["G"][:, -1] > 0).tolist() == [False, True]


@published
def test_scores_can_be_measured_of_networks_that_were_not_trained(problem):
    asked = problem.under(Pareto("score", "params"))
    found = asked.evaluations(problem.space.sample(3, seed=0))
    assert not found.failed.any()
    assert np.isfinite(found["snip"]).all()


@published
def test_the_devices_differ_and_so_does_what_defines_a_run():
    one, other = (MnasNet(device=d, batch_size=8, image_size=16) for d in ("zcu102", "vck190"))
    assert one.evaluator.settings(["latency_ms"]) != other.evaluator.settings(["latency_ms"])
    genomes = one.trained_genomes[:5]
    assert (one.evaluations(genomes)["latency_ms"] != other.evaluations(genomes)["latency_ms"]).all()


@published
def test_limits_and_single_goals_are_of_the_same_problem(problem):
    limited = problem.under(Constrained("top1_error", {"latency_ms": 4.0}))
    found = limited.evaluations(problem.trained_genomes)
    f, g = limited.fg(found)
    assert ((g <= 0).all(axis=1) == (found["latency_ms"] <= 4.0)).all()
    assert f[:, 0].argmin() == problem.under(Single("top1_error")).fg(found)[0][:, 0].argmin()


@published
def test_an_unknown_device_is_refused_by_the_closest():
    with pytest.raises(InputError, match="did you mean 'zcu102'"):
        MnasNet(device="zcu104")


def test_without_the_folder_or_the_table_the_problem_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("MOO_NAS_DATA", str(tmp_path))
    with pytest.raises(InputError, match=rf"'{tmp_path}', which has no file '{mnasnet.TABLE}'"):
        MnasNet()
    monkeypatch.delenv("MOO_NAS_DATA")
    with pytest.raises(InputError, match=rf"'{mnasnet.TABLE}'.*MOO_NAS_DATA.*export MOO_NAS_DATA="):
        MnasNet()


def test_the_space_is_efficientnet_b0s_table_of_widths_and_strides():
    space = StageSpace.mnasnet()
    architecture = space.decode(space.genome_at(space.size - 1))
    blocks = architecture.blocks(224, 1000)
    assert [stage.channels for stage in architecture.stages] == [16, 24, 40, 80, 112, 192, 320]
    assert [stage.stride for stage in architecture.stages] == [1, 2, 2, 2, 1, 2, 1]
    assert (blocks[0].out_channels, blocks[-1].operator, blocks[-1].hidden) == (32, "conv_pool", 1280)
    assert {block.operator for block in blocks[1:-1]} == {"ibn"}
    # A quarter of what comes in, not of what it is expanded to.
    assert all(4 * block.squeezed == block.in_channels for block in blocks[1:-1])
    assert {block.hidden // block.in_channels for block in blocks[1:-1]} == {6}


def test_without_expansion_a_block_has_no_expansion_convolution():
    space = StageSpace.mnasnet()
    smallest = space.decode(space.genome_at(0))
    for block in smallest.blocks(224, 1000)[1:-1]:
        assert [layer.groups > 1 for layer in block.layers()] == [True, False]
