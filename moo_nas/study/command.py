"""The command that makes a run again, from its record."""

import shlex
from collections.abc import Mapping
from typing import Any

from moo_nas import registry
from moo_nas.errors import MooNasError

_STOPS = {"max_seconds": "--max-seconds", "stagnation": "--stagnation", "timeout_s": "--timeout"}


def command(record: Mapping[str, Any]) -> str | None:
    """Return the ``moo-nas search`` that defines the same run; None where no command does.

    It is None of problems, formulations and algorithms that have no registered name or were given
    what words cannot tell, and of a warm start, whose file a record does not name.

    Example:
        >>> command({"problem": {"name": "one of my own"}}) is None
        True
    """
    if "warm_start" in record:
        return None
    try:
        problem = _problem(record["problem"])
        asked = _formulation(record["asked_formulation"])
        algorithm = _algorithm(record["algorithm"])
        stops = ["--budget", str(record["budget"])]
        for key, option in _STOPS.items():
            if record.get(key) is not None:
                stops += [option, str(record[key]).removesuffix(".0")]
    except (KeyError, MooNasError):
        return None
    if problem is None or asked is None or algorithm is None:
        return None
    return shlex.join(
        ["moo-nas", "search", *problem, *asked, *algorithm, *stops, "--seed", str(record["seed"])]
    )


def _problem(told: Mapping[str, Any]) -> list[str] | None:
    name = told.get("name")
    if name not in registry.names("problem"):
        return None
    words = [str(name)]
    options = registry.options(registry.load("problem", name))
    if not told.keys() <= {"name", *options}:
        return None
    for option, default in options.items():
        value = told.get(option, default)
        given = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if given != default:
            words += ["--problem-option", f"{option}={given}"]
    return words


def _formulation(asked: Mapping[str, Any]) -> list[str] | None:
    """Return the options that make a formulation, found by making it."""
    score = [asked["score"]] if "score" in asked else []
    open_or_not: Mapping[str, Any] = (
        asked.get("targets") or asked.get("aspiration") or asked.get("limits") or {}
    )
    objectives = list(asked.get("objectives") or asked.get("weights") or [*score, *open_or_not])
    limits = {metric: value for metric, value in open_or_not.items() if isinstance(value, int | float)}
    for name in registry.names("formulation"):
        make = registry.load("formulation", name)
        for chosen in (objectives, [*score] or objectives):
            try:
                if make(chosen, limits, ()).settings != asked:
                    continue
            except MooNasError:
                continue
            words = ["--formulation", name, "--objectives", ",".join(chosen)]
            for metric, value in limits.items():
                words += ["--limit", f"{metric}={value:.17g}"]
            return words
    return None


def _algorithm(told: Mapping[str, Any]) -> list[str] | None:
    """Return the options that make an algorithm, found by making it."""
    # Here, as a search makes runs and their pages.
    from moo_nas.study.search import prepare_algorithm

    name = registry.name_of("algorithm", told["class"])
    if name is None:
        return None
    options = {
        option: ",".join(map(str, told[option])) if isinstance(told[option], list) else str(told[option])
        for option, default in registry.options(registry.load("algorithm", name)).items()
        if option in told and str(told[option]) != default
    }
    for some in ({}, options):
        try:
            made = prepare_algorithm(registry.make("algorithm", name, some), 0)[1]
        except MooNasError:
            continue
        if made == told:
            pairs = [word for key, value in some.items() for word in ("--algorithm-option", f"{key}={value}")]
            return ["--algorithm", name, *pairs]
    return None
