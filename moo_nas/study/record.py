"""``run.json``: what was run, on what, how long it took, and how it ended."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moo_nas.errors import InputError
from moo_nas.evaluation import Store
from moo_nas.meters.device import machine
from moo_nas.meters.device.energy import ENERGIES, IDLE
from moo_nas.meters.device.timer import ROUNDS
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import footprint, sittings
from moo_nas.study.folder import Folder, difference
from moo_nas.study.measured_front import MEASURED
from moo_nas.study.reading import READER

# What the energy of sittings is kept under in the store.
ENERGY = "energy/"
MEASURING = "measuring/"  # and what measuring took
# What a record has beside the run's definition.
_FOUND = (
    "formulation",
    "asked_formulation",
    "machine",
    "stop_reason",
    "n_evaluations",
    "n_failed",
    "wall_seconds",
    "cpu_seconds",
    "measuring_seconds",
    "energy",
    "written",
    "setup",
    "timings",
    "energies",
)
_NOT_SET_UP = (MEASURED, ENERGY, MEASURING, ROUNDS, ENERGIES, READER)


def run_record(
    name: str,
    definition: Mapping[str, Any],
    problem: NASProblem,
    stop_reason: str | None,
    counts: tuple[int, int],
    grid: float,
) -> dict[str, Any]:
    """Return what ``run.json`` says of a run.

    Args:
        name: What the run is called in the problem's store.
        definition: What defines it.
        problem: What is searched.
        stop_reason: Why it ended; None while it goes on.
        counts: How many evaluations there are, and how many of them failed.
        grid: The carbon intensity of the electricity in g/kWh.
    """
    store: Store = problem.evaluator.store
    wall, cpu = store.spent(name)
    setup = store.setup()
    kept = {key: value for key, (value, _) in setup.items()}
    own = f"{ENERGY}{name}/"
    measuring = [value["seconds"] for key, value in kept.items() if key.startswith(f"{MEASURING}{name}/")]
    readings = [
        (key.removeprefix(own).partition("/")[0], value) for key, value in kept.items() if key.startswith(own)
    ]
    return {
        **{key: value for key, value in definition.items() if key != "formulation"},
        "formulation": problem.fitted().settings,
        "asked_formulation": definition["formulation"],
        "machine": machine(),
        "stop_reason": stop_reason,
        "n_evaluations": counts[0],
        "n_failed": counts[1],
        "wall_seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "measuring_seconds": round(sum(measuring), 3),
        "energy": footprint(sittings(readings), grid),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "setup": {
            key: {**_brief(value), "seconds": round(seconds, 3)}
            for key, (value, seconds) in setup.items()
            if key != "definition" and not key.startswith(_NOT_SET_UP)
        },
        "timings": _timings(kept),
        "energies": _energies(kept),
    }


def definition_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what defines the run of a record, as it was asked for."""
    told = {key: value for key, value in record.items() if key not in _FOUND}
    return {**told, "formulation": record.get("asked_formulation")}


def check_same_problem(records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse runs that cannot be judged in the same metrics of the same networks.

    Args:
        records: Each run's name for the message, and its record.

    Raises:
        InputError: Two of them are on different problems.
    """
    (first, one), *others = records
    for name, record in others:
        found = difference(_problem(one), _problem(record))
        if found is not None:
            raise InputError(
                f"Runs on different problems do not go together. Of {first} and {name}, the {found} "
                f"(there {first}, here {name})."
            )


def _problem(record: Mapping[str, Any]) -> Any:
    """Return what decides which networks there are and what is measured of them."""
    made_with = {key: value for key, value in record["problem"].items() if key != "failures"}
    space = (record.get("measurement") or {}).get("space")
    # As a file has it, as some records come from one.
    return json.loads(json.dumps({"problem": made_with, "space": space}))


def write_record(record: dict[str, Any], folder: Folder, prefix: str) -> dict[str, Any]:
    """Write a record, and return the one that the folder has.

    Of a run that was finished before, what it took then stays.
    """
    name = prefix + "run.json"
    before: dict[str, Any] = json.loads(folder.read(name) or "{}")
    if all(before.get(key, 0) == record[key] for key in ("stop_reason", "n_evaluations")):
        return before
    folder.write(name, json.dumps(record, indent=2) + "\n")
    return record


def _timings(setup: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how many batches were timed, and why some of them are doubtful."""
    timed = [value for name, value in setup.items() if name.startswith(ROUNDS)]
    faults: Counter[str] = Counter()
    for value in timed:
        for fault in value["faults"]:
            faults[fault] += len(value["ratios"][0])
    told = [
        f"{_counted(n, 'network or block', 'networks or blocks')}: {fault}" for fault, n in faults.items()
    ]
    return {"batches": len(timed), "faults": told}


def _energies(setup: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return in how many batches energy was measured, and why some of them are doubtful."""
    batches = [value for name, value in setup.items() if name.startswith(ENERGIES)]
    faults = [fault for name, value in setup.items() if name.startswith(IDLE) for fault in value["faults"]]
    faults += [
        f"{_counted(len(batch['networks']), 'network', 'networks')}: {fault}"
        for batch in batches
        for fault in batch["faults"]
    ]
    return {"batches": len(batches), "faults": faults}


def _counted(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _brief(value: dict[str, Any]) -> dict[str, Any]:
    """Return a set-up's JSON with long lists given by their length."""
    return {
        key: f"{len(item)} values" if isinstance(item, list) and len(item) > 12 else item
        for key, item in value.items()
    }
