"""Settings of algorithms that are no numbers, or numbers that make no sense."""

import inspect

import numpy as np
import pytest

from moo_nas import registry
from moo_nas.algorithms import HardwareAwareAging
from moo_nas.errors import InputError

ALGORITHMS = {name: registry.load("algorithm", name) for name in registry.names("algorithm")}
ALGORITHMS.pop("surrogate")
WHOLE = ("pop_size", "n_offsprings", "sample_size", "batch_size", "n_children", "n_initial")
WHOLE += ("n_neighbours", "n_replaced", "horizon")
SHARES = ("crossover_probability", "mutation_probability", "neighbour_probability")
DISTANCES = ("alpha", "epsilon")


def takers(settings):
    return [
        (name, setting)
        for name, cls in ALGORITHMS.items()
        for setting in settings
        if setting in inspect.signature(cls).parameters
    ]


@pytest.mark.parametrize(("name", "setting"), takers(WHOLE))
def test_a_number_of_things_is_whole_and_positive(name, setting):
    for wrong in (10.5, "10", float("nan"), True, 0, -3):
        with pytest.raises(
            InputError, match=f"{setting} must be a whole number, at least [12]; got {wrong!r}"
        ):
            ALGORITHMS[name](**{setting: wrong})
    kept = getattr(ALGORITHMS[name](**{setting: np.int64(12)}), setting)
    assert (type(kept), kept) == (int, 12)


@pytest.mark.parametrize(("name", "setting"), takers(("n_even",)))
def test_any_number_of_networks_is_spread_evenly(name, setting):
    for wrong in (1.5, "1", True, -1):
        with pytest.raises(InputError, match=f"{setting} must be a whole number, at least 0; got {wrong!r}"):
            ALGORITHMS[name](**{setting: wrong})
    assert ALGORITHMS[name](n_even=0).n_even == 0


@pytest.mark.parametrize("name", registry.names("algorithm"))
def test_a_misspelt_setting_is_not_taken(name):
    with pytest.raises(TypeError, match="popsize"):
        registry.load("algorithm", name)(popsize=3)


@pytest.mark.parametrize(("name", "setting"), takers(SHARES))
def test_a_probability_lies_between_0_and_1(name, setting):
    for wrong in ("a", float("nan"), True, -0.1, 1.5, None):
        with pytest.raises(InputError, match=rf"{setting} must be a number in \[0, 1\]; got {wrong!r}"):
            ALGORITHMS[name](**{setting: wrong})
    for right in (0, 0.3, 1):
        ALGORITHMS[name](**{setting: right})


@pytest.mark.parametrize(("name", "setting"), takers(DISTANCES))
def test_what_is_not_negative_is_a_finite_number(name, setting):
    for wrong in ("a", float("nan"), float("inf"), True, -1, None):
        with pytest.raises(InputError, match=f"{setting} must be a number, at least 0; got {wrong!r}"):
            ALGORITHMS[name](**{setting: wrong})


def test_every_setting_that_is_a_number_is_looked_at():
    numbers = {
        setting
        for cls in ALGORITHMS.values()
        for setting, default in registry.options(cls).items()
        if default.replace(".", "").isdigit()
    }
    assert numbers <= {*WHOLE, *SHARES, *DISTANCES}


@pytest.mark.parametrize("voters", [(), "snip", 5])
def test_voters_are_names_in_a_sequence(voters):
    with pytest.raises(InputError, match="sequence of voters, at least one; got"):
        HardwareAwareAging(voters=voters)
