import numpy as np
import pytest

from moo_nas.errors import InputError
from moo_nas.evaluation import Runner
from moo_nas.meters import CpuLatency
from tests.fakes import Fake, Guilty, Misshapen


@pytest.fixture
def architectures(wide):
    genomes = np.unique(wide.sample(60, seed=0), axis=0)[:40]
    return [wide.decode(genome) for genome in genomes]


def outcomes(runner, meter, architectures):
    found = [o for chunk in runner.run(meter, architectures, range(len(architectures))) for o in chunk]
    assert sorted(o.index for o in found) == list(range(len(architectures)))  # each once
    return sorted(found, key=lambda o: o.index)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_architecture_gets_its_own_numbers(architectures, n_jobs):
    found = outcomes(Runner(n_jobs), Fake(), architectures)
    expected = [Fake().value(a, i) for i, a in enumerate(architectures)]
    assert [float(o.values[0]) for o in found] == expected


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_raising_chunk_fails_only_the_guilty_with_the_reason(architectures, n_jobs):
    meter = Guilty("raise")
    found = outcomes(Runner(n_jobs), meter, architectures)
    guilty = [meter.guilty(a) for a in architectures]
    assert 0 < sum(guilty) < len(guilty)
    assert [o.values is None for o in found] == guilty
    assert {o.reason for o in found} == {None, "ZeroDivisionError: no such luck"}
    assert [float(o.values[0]) for o in found if o.values is not None] == [
        Fake().value(a, i) for i, a in enumerate(architectures) if not meter.guilty(a)
    ]


def test_an_architecture_that_kills_its_worker_is_a_failure_and_no_other(architectures):
    meter = Guilty("exit", share=0.05)
    fatal = [a for a in architectures if meter.guilty(a)][:1]
    architectures = [*[a for a in architectures if not meter.guilty(a)][:7], *fatal]
    guilty = [meter.guilty(a) for a in architectures]
    assert sum(guilty) == 1
    found = outcomes(Runner(2), meter, architectures)
    assert [o.values is None for o in found] == guilty
    assert {o.reason for o in found} == {None, "the worker process died while measuring it"}
    # And the pool lives again.
    assert all(o.values is not None for o in outcomes(Runner(2), Fake(), architectures[:3]))


def test_a_meter_that_forgets_a_row_fails_every_row_and_says_what_it_returned(architectures):
    found = outcomes(Runner(), Misshapen(), architectures[:3])
    assert all("must return shape (1, 1); got (0, 1)" in o.reason for o in found)


def test_an_exclusive_meter_gets_as_many_as_it_takes_at_once_in_this_process(architectures):
    class Alone(Fake):
        exclusive = True
        largest_chunk = len(architectures) - 1

    meter = Alone()  # not picklable: it cannot have left this process
    outcomes(Runner(2), meter, architectures)
    assert meter.calls == 2
    assert CpuLatency.exclusive


def test_nothing_to_measure_calls_nothing():
    meter = Fake()
    assert outcomes(Runner(), meter, []) == []
    assert meter.calls == 0


@pytest.mark.parametrize("n_jobs", [0, -2])
def test_an_impossible_number_of_jobs_is_refused(n_jobs):
    with pytest.raises(InputError, match=f"got {n_jobs}"):
        Runner(n_jobs)


def test_minus_one_is_every_core():
    assert Runner(-1).n_jobs >= 1


def test_work_in_other_processes_is_accounted_for(architectures):
    runner = Runner(2)
    outcomes(runner, Fake(), architectures)
    assert runner.worker_seconds > 0
