"""What a comparison was given, whatever form it was given in: seeds, algorithms, formulations."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymoo.core.algorithm import Algorithm

from moo_nas.errors import InputError, whole_number
from moo_nas.formulations import Formulation
from moo_nas.study.plans import Alone, Plan

_MOST_SEEDS = 100_000


def seeds_of(given: Any) -> list[int]:
    """Return the seeds that a number of them, or a row of them, stands for.

    Raises:
        InputError: It stands for none, or for one twice.
    """
    try:
        row = None if isinstance(given, str | bytes | Mapping) else list(given)
    except TypeError:
        row = None
    if row is None:
        n = whole_number("seeds are how many, or which in a row, whole numbers", given, 0)
        if n > _MOST_SEEDS:
            raise InputError(f"seeds are how many, at most {_MOST_SEEDS:,}; got {n:,}. One of yours: [{n}].")
        return list(range(n))
    seeds = [whole_number("The seed must be a whole number", seed, 0) for seed in row]
    if len(set(seeds)) < len(seeds):
        raise InputError(f"A method runs once with a seed; got {', '.join(map(str, seeds))}.")
    return seeds


def solvers_of(given: Any) -> dict[str, str | Algorithm]:
    """Return algorithms by name, or registered names by themselves.

    Raises:
        InputError: They are in no row, or one has no name.
    """
    if isinstance(given, str | bytes | Algorithm) or not isinstance(given, Iterable):
        raise InputError(f"Algorithms are given in a row, or by name: [{given!r}].")
    if isinstance(given, Mapping):
        return dict(given)
    row = list(given)
    for one in row:
        if not isinstance(one, str):
            kind = one if isinstance(one, type) else type(one)
            raise InputError(
                "In a row are registered names; what has none needs a name of yours, "
                f"{{'mine': {kind.__name__}()}}; got {one!r}."
            )
        if row.count(one) > 1:
            raise InputError(f"The algorithm '{one}' takes part once; it is there {row.count(one)} times.")
    return {name: name for name in row}


def plans_of(given: Any) -> dict[str, Plan]:
    """Return plans by name; a formulation is a plan of one run.

    Raises:
        InputError: They are in no row, one is none, or two have one name.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InputError(f"Formulations are given in a row, or by name: [{given!r}].")
    row = tuple(given.values() if isinstance(given, Mapping) else given)  # it may come from a generator
    for one in row:
        if not isinstance(one, Formulation | Plan):
            raise InputError(
                f"A comparison is of formulations, such as Pareto('score', 'latency_ms'), and plans; "
                f"got {one!r}."
            )
    if isinstance(given, Mapping):
        return {name: one if isinstance(one, Plan) else Alone(one) for name, one in given.items()}
    named: dict[str, Plan] = {}
    for one in row:
        if one.name in named:
            raise InputError(
                f"Two formulations are called '{one.name}': give them names of your own, "
                f"{{'a': ..., 'b': ...}}."
            )
        named[one.name] = one if isinstance(one, Plan) else Alone(one)
    return named
