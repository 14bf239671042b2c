"""A run's folder read back: everything evaluated, the front, the record; nothing is measured or changed."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moo_nas import registry
from moo_nas.arrays import IntArray, stable_hash
from moo_nas.errors import InputError, MooNasError, StoreError
from moo_nas.evaluation import Evaluations, Store
from moo_nas.evaluation.bench import genome_text
from moo_nas.formulations import Formulation
from moo_nas.formulations.described import formulation_of
from moo_nas.meters import Metric
from moo_nas.problem import NASProblem
from moo_nas.spaces import SearchSpace
from moo_nas.spaces.described import description, space_of
from moo_nas.study.comparison import Comparison
from moo_nas.study.entry import Entry
from moo_nas.study.folder import STORE
from moo_nas.study.run import Run

# What a store keeps for those who read it, under names that begin so.
READER = "reader/"
_PROBLEM, _COMPARISON = f"{READER}problem", f"{READER}comparison"


def keep_problem(problem: NASProblem) -> None:
    """Keep with the measurements what a reader needs to know of the problem: its space and metrics."""
    metrics = [[metric.name, metric.unit, metric.goal] for metric in problem.evaluator.metrics]
    told = {"space": description(problem.space), "metrics": metrics}
    problem.evaluator.store.recall(_PROBLEM, lambda: told)


def keep_outside(store: Store, run: Run) -> None:
    """Keep which evaluations lie outside of what predictors were fitted on, and why."""
    if run.outside is not None:
        told = {str(row): why for row, why in enumerate(run.outside) if why}
        store.recall(_outside(run.name, len(run.outside)), lambda: told)


def keep_batch(store: Store, name: str, proposals: Mapping[int, IntArray], meters: Sequence[str]) -> None:
    """Keep what a run asked for last, by number, and the keys of the meters that are told of it.

    What is told of a batch comes to the run when all of it is: until then a reader counts it.
    """
    if len(proposals) > 1:
        told = {"genomes": [genome_text(genome) for genome in proposals.values()], "meters": list(meters)}
        store.recall(_batch(name, min(proposals)), lambda: told)


def _told_of_batch(store: Store, kept: Mapping[str, Any] | None) -> int:
    """Return how much of a batch that is not whole was told."""
    if kept is None:
        return 0
    found = [store.measurements(meter, kept["genomes"]).keys() for meter in kept["meters"]]
    return len(set[str]().union(*found))


def keep_comparison(store: Store, comparison: Comparison) -> None:
    """Keep who took part in a comparison, and how it is judged."""
    exact, reference, limits = comparison.given
    told = {
        "judge": comparison.judge.settings,
        "refused": comparison.refused,
        "missing": comparison.missing,
        "exact": None if exact is None else exact.to_dict(orient="split"),
        "reference": None if reference is None else dict(reference),
        "limits": None if limits is None else {name: list(levels) for name, levels in limits.items()},
        "entries": [
            {"method": method, "seed": seed, **_told(entry)}
            for (method, seed), entry in comparison.entries.items()
        ],
    }
    # One that was interrupted has more the next time, or it is judged otherwise: the last one counts.
    kept, mark = _kept_comparisons(store.setup()), stable_hash(told)
    if not (kept and kept[-1].endswith(f"/{mark}")):
        store.recall(f"{_COMPARISON}/{len(kept)}/{mark}", lambda: told)


def load_run(
    path: str | os.PathLike[str], problem: NASProblem | None = None, formulation: Formulation | None = None
) -> Run:
    """Return a run as its folder has it; see :meth:`moo_nas.Run.load`."""
    folder = Path(path)
    home, name = _home(folder)
    store = Store(home / STORE, read_only=True)
    try:
        record = read_record(folder)
        names = store.runs()
        if name not in names:
            raise InputError(f"{folder} holds no run called '{name}'; its store has {', '.join(names)}.")
        known = store.setup()
        told = known[_PROBLEM][0] if _PROBLEM in known else None
        space = problem.space if problem is not None else _space(folder, told, record)
        asked = formulation or _formulation(folder, record)
        metrics = {m.name: m for m in (() if problem is None else problem.evaluator.metrics)}
        if problem is None and told is not None:
            metrics = {m[0]: Metric(*m) for m in told["metrics"]}
        table = _table(store.logged(name), space, metrics, asked)
        outside = known.get(_outside(name, len(table)))
        batch = known.get(_batch(name, len(table)))
        n_waiting = _told_of_batch(store, None if batch is None else batch[0])
    finally:
        store.close()
    measured = folder / "measured.csv"
    return Run(
        *(name, space, asked, table, record, folder),
        measured=pd.read_csv(measured) if measured.exists() else None,
        outside=None if outside is None else [outside[0].get(str(row), "") for row in range(len(table))],
        n_waiting=n_waiting,
    )


def read_record(folder: Path) -> dict[str, Any]:
    """Return what ``run.json`` says.

    Raises:
        InputError: There is none, or it is none.
    """
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        inside = sorted(path.parent for path in folder.glob("**/run.json"))
        where = f" Runs lie inside: {', '.join(map(str, inside[:3]))}" if inside else ""
        more = " and more." if len(inside) > 3 else "." if inside else ""
        raise InputError(f"{folder} is no run's folder: it has no run.json.{where}{more}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'run.json'} cannot be read: {error}.") from error
    if not isinstance(record, dict) or "problem" not in record:
        raise InputError(f"{folder / 'run.json'} is no record of a run.")
    return record


def load_comparison(folder: Path) -> Comparison | None:
    """Return the comparison that a folder holds; None of a run's folder.

    Raises:
        InputError: It is no folder of a comparison that can be read.
    """
    store = Store(folder / STORE, read_only=True)
    try:
        known = store.setup()
    finally:
        store.close()
    if "definition" not in known or "comparison" not in known["definition"][0]:
        return None
    kept = _kept_comparisons(known)
    if not kept or _PROBLEM not in known:
        raise InputError(
            f"{folder} holds a comparison that has no report yet. Start its command again: it goes on."
        )
    told = known[kept[-1]][0]
    judge = formulation_of(told["judge"])
    every = {m[0]: Metric(*m) for m in known[_PROBLEM][0]["metrics"]}
    entries = [_entry(one, folder, every) for one in told["entries"]]
    exact = told["exact"]
    return Comparison(
        entries,
        told["refused"],
        judge,
        {name: every[name] for name in judge.metrics},
        folder,
        None if exact is None else pd.DataFrame(exact["data"], exact["index"], exact["columns"]),
        told["reference"],
        told["limits"],
        [(method, seed) for method, seed in told.get("missing", ())],
    )


def _kept_comparisons(names: Iterable[str]) -> list[str]:
    """Return the names that comparisons are kept under, the last one last."""
    return [name for name in names if name.startswith(f"{_COMPARISON}/")]


def _told(entry: Entry) -> dict[str, Any]:
    """Return where an entry is found again: its runs' names; of what was searched elsewhere, all of it."""
    if entry.runs:
        return {"runs": [run.name for run in entry.runs], "stop_reason": entry.stop_reason}
    table = entry.table
    return {
        "origin": entry.origin,
        "stop_reason": entry.stop_reason,
        "labels": None if entry.labels is None else list(entry.labels),
        "when": None if entry.when is None else entry.when.tolist(),
        "metrics": [metric.name for metric in table.metrics],
        "values": table.values.tolist(),
        "genomes": table.genomes.tolist(),
        "reasons": list(table.reasons),
    }


def _entry(told: Mapping[str, Any], folder: Path, metrics: Mapping[str, Metric]) -> Entry:
    method, seed = told["method"], told["seed"]
    if "runs" in told:
        runs = tuple(load_run(folder / "runs" / name) for name in told["runs"])
        return replace(Entry.of_runs(method, seed, runs, 0), stop_reason=told["stop_reason"])
    values = np.array(told["values"], dtype=np.float64).reshape(-1, len(told["metrics"]))
    genomes = np.array(told["genomes"], dtype=np.int64).reshape(len(values), -1)
    named = tuple(metrics[name] for name in told["metrics"])
    return Entry(
        method,
        seed,
        Evaluations(genomes, named, values, tuple(told["reasons"])),
        None if told["labels"] is None else tuple(told["labels"]),
        origin=told["origin"],
        when=None if told["when"] is None else np.array(told["when"], dtype=np.int64),
        stop_reason=told["stop_reason"],
    )


def _home(folder: Path) -> tuple[Path, str]:
    """Return the folder that has a run's store, and the run's name in it."""
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.")
    if (folder / STORE).exists():
        return folder, "search"
    # A comparison's runs lie in runs/<method>/seed<k>, a plan's in parts of it, and share its store.
    whole = folder.resolve()
    for home in whole.parents[:5]:
        if (home / STORE).exists() and whole.is_relative_to(home / "runs"):
            return home, whole.relative_to(home / "runs").as_posix()
    raise InputError(f"{folder} is no run's folder: it has no {STORE}.")


def _space(folder: Path, told: Mapping[str, Any] | None, record: Mapping[str, Any]) -> SearchSpace:
    try:
        if told is None:
            raise StoreError("it was written by an earlier version")
        return space_of(told["space"])
    except MooNasError as error:
        problem = _registered(record)
        if problem is None:
            raise InputError(
                f"{folder} cannot be read without its problem ({str(error).rstrip('.')}), and "
                f"'{record['problem'].get('name')}' is none that has a name here. Start its command "
                "again, or in Python: Run.load(folder, problem)."
            ) from error
        return problem.space


def _registered(record: Mapping[str, Any]) -> NASProblem | None:
    """Return the problem of a record, if it is one that has a name here."""
    options = dict(record["problem"])
    name = options.pop("name", None)
    if name not in registry.names("problem"):
        return None
    known = registry.options(registry.load("problem", name))
    texts = {
        key: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in options.items()
        if key in known and value is not None
    }
    made: NASProblem = registry.make("problem", name, texts)
    return made


def _formulation(folder: Path, record: Mapping[str, Any]) -> Formulation:
    try:
        return formulation_of(record.get("formulation") or {})
    except MooNasError as error:
        raise InputError(
            f"{folder} cannot be read without its formulation: {str(error).rstrip('.')}. In Python: "
            "Run.load(folder, formulation=...), fitted."
        ) from error


def _table(
    rows: list[tuple[str, dict[str, float | None], str, str | None]],
    space: SearchSpace,
    metrics: Mapping[str, Metric],
    formulation: Formulation,
) -> Evaluations:
    names = list(rows[0][1]) if rows else list(formulation.metrics)
    genomes = np.array([genome.split(",") for genome, *_ in rows], dtype=np.int64)
    values = [[np.nan if row[name] is None else row[name] for name in names] for _, row, *_ in rows]
    return Evaluations(
        space.check(genomes.reshape(len(rows), space.n_var)),
        tuple(metrics.get(name) or Metric(name, "1", None) for name in names),
        np.array(values, dtype=np.float64).reshape(len(rows), len(names)),
        tuple(reason or "failed" if status == "failed" else None for *_, status, reason in rows),
    )


def _batch(name: str, start: int) -> str:
    return f"{READER}batch/{name}/{start}"


def _outside(name: str, n: int) -> str:
    return f"{READER}outside/{name}/{n}"
