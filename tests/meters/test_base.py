import numpy as np
import pytest

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import (
    Analytic,
    BlockMeter,
    BlockTableLatency,
    CpuLatency,
    DeviceEnergy,
    Metric,
    MlpLatency,
)
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space


class CountedBlocks(BlockMeter):
    metrics = (Metric("blocks", "1", "min"), Metric("widest", "1", "min"))
    reductions = ("sum", "max")

    def block_cost(self, block):
        return (1, block.hidden)


class MeanWidth(CountedBlocks):
    metrics = (Metric("mean_width", "1", "min"),)
    reductions = ("sum", "sum")

    def derive(self, costs):
        return costs[:, 1:] / costs[:, :1]


def test_a_metric_without_a_goal_is_refused():
    with pytest.raises(InputError, match="'speed' needs the goal min or max; got 'fast'"):
        Metric("speed", "1", "fast")


def test_a_key_depends_on_the_meters_class_and_settings():
    keys = {Fake().key, Fake(salt="x").key, Analytic(32).key, Analytic(33).key}
    assert len(keys) == 4
    assert Fake(salt="x").key == Fake(salt="x").key


def test_a_block_meter_needs_the_cost_of_one_block_only(wide):
    meter = CountedBlocks(16, 10)
    genomes = wide.sample(20, seed=0)
    architectures = [wide.decode(genome) for genome in genomes]
    measured = meter.measure(architectures, [0] * 20)
    assert measured[:, 0].tolist() == [2 + sum(s.depth for s in a.stages) for a in architectures]
    assert (wide.tabulate(meter)(genomes) == measured).all()
    assert meter.reduce(np.array([[1.0, 5.0], [1.0, 9.0]])).tolist() == [2, 9]


def test_a_ratio_of_sums_is_derived_from_the_whole_network(wide):
    meter = MeanWidth(16, 10)
    genomes = wide.sample(20, seed=0)
    architectures = [wide.decode(genome) for genome in genomes]
    means = [np.mean([block.hidden for block in a.blocks(16, 10)]) for a in architectures]
    assert meter.measure(architectures, [0] * 20)[:, 0] == pytest.approx(means)
    assert wide.tabulate(meter)(genomes)[:, 0] == pytest.approx(means)
    assert meter.measure([], []).shape == (0, 1)


@pytest.mark.parametrize("wrong", [{"image_size": 0}, {"n_classes": -1}])
def test_images_and_classes_must_be_positive(wrong):
    with pytest.raises(InputError, match="must be positive"):
        Analytic(**wrong)


class OnGpu(CpuLatency):
    uses_gpu = True


@pytest.mark.parametrize("of", [lambda watch: watch, DeviceEnergy, BlockTableLatency, MlpLatency])
def test_what_works_on_a_gpu_says_so_and_so_does_the_evaluator_that_is_asked_for_it(of):
    meter = of(OnGpu(16))
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), meter])
    assert evaluator.uses_gpu([meter.metrics[0].name])
    assert not evaluator.uses_gpu(["params"])
    assert not Evaluator(wide_space(), [of(CpuLatency(16))]).uses_gpu([meter.metrics[0].name])


class TooMany(CountedBlocks):
    metrics = (Metric("blocks", "1", "min"),)
    reductions = ("sum",)


class Unreduced(CountedBlocks):
    reductions = ()


def test_a_block_with_more_costs_than_reductions_fails_every_row_with_the_numbers():
    evaluator = Evaluator(wide_space(), [TooMany(32, 10)])
    with pytest.warns(UserWarning, match="one a reduction"):
        found = evaluator.evaluate(wide_space().sample(3, seed=0), ["blocks"])
    assert found.failed.all()
    assert all("a block has 1 costs, one a reduction; got (2,)" in reason for reason in found.reasons)


def test_a_meter_without_a_reduction_for_each_metric_ends_the_search_before_it_begins():
    with pytest.raises(InputError, match="2 metrics and 0 reductions"):
        Evaluator(wide_space(), [Unreduced(32, 10)])


@pytest.mark.parametrize("given", [CountedBlocks, "layers", None])
def test_what_is_no_meter_is_refused(given):
    with pytest.raises(InputError, match="A meter is a Meter or an Aggregate; got"):
        Evaluator(wide_space(), [given])
