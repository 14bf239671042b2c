"""Reports of runs that are on disk, written anew: nothing is searched or measured."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from moo_nas import registry
from moo_nas.arrays import stable_hash
from moo_nas.errors import InputError
from moo_nas.formulations import Formulation, Pareto, Single
from moo_nas.study.comparison import Comparison
from moo_nas.study.entry import Entry
from moo_nas.study.folder import STORE, locked
from moo_nas.study.publish import publish_comparison, publish_run
from moo_nas.study.reading import load_comparison, load_run
from moo_nas.study.record import check_same_problem, definition_of
from moo_nas.study.run import Run


def report(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    objectives: Sequence[str] | None = None,
) -> Path:
    """Write the report of a run or of a comparison anew, or one that compares several runs.

    Args:
        paths: The folder of a run or of a comparison, whose pictures, tables and page are written anew; or
            those of several runs on one problem, to be compared.
        out: The folder for the comparison of several runs; by default one under ``runs/``.
        objectives: In which metrics several runs are judged; by default in those that all were asked
            for or measured.

    Returns:
        The folder that has the report.

    Raises:
        InputError: What is no run's folder, runs on different problems, or the same one twice.
        StoreError: A store is damaged, or another process writes there.
    """
    folders = [Path(path) for path in paths]
    if not folders:
        raise InputError("A report is of at least one run's folder; got none.")
    if len(folders) == 1:
        if out is not None or objectives is not None:
            raise InputError(
                "The report of one folder is written there, as it was asked for: out and objectives are of "
                "several runs."
            )
        return _again(folders[0])
    for folder in folders:
        if [other.resolve() for other in folders].count(folder.resolve()) > 1:
            raise InputError(f"{folder} is given twice.")
    runs = {folder: load_run(folder) for folder in folders}
    check_same_problem((str(folder), run.record) for folder, run in runs.items())
    named = _named(runs)
    judge = _judge(list(runs.values()), objectives)
    entries = [
        Entry.of_runs(method, seed, (run,), int(run.record["budget"]))
        for (method, seed), run in named.items()
    ]
    metrics = {name: entries[0].table.metric(name) for name in judge.metrics}
    target = (
        Path(out)
        if out is not None
        else Path("runs") / f"compared-{stable_hash(*sorted(map(str, folders)))[:6]}"
    )
    if (target / STORE).exists() or (target / "run.json").exists():
        raise InputError(f"{target} holds a run. Choose another folder for the comparison.")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target} cannot be made: {error}.") from error
    comparison = Comparison(entries, {}, judge, metrics, target)
    with locked(target) as files:
        publish_comparison(comparison, files)
    return target


def _again(folder: Path) -> Path:
    if folder.is_dir() and (folder / STORE).exists():
        comparison = load_comparison(folder)
        if comparison is not None:
            with locked(folder) as files:
                publish_comparison(comparison, files)
            return folder
    if (folder / "comparison.csv").exists() and not (folder / STORE).exists():
        raise InputError(
            f"{folder} compares runs of other folders: name these again, moo-nas report RUN RUN --out "
            f"{folder}."
        )
    run = load_run(folder)
    with locked(folder) as files:
        publish_run(run, files)
    return folder


def _named(runs: Mapping[Path, Run]) -> dict[tuple[str, int], Run]:
    """Return runs by method and seed; methods that differ by more than their names are called by folders."""
    kinds: dict[str, list[Path]] = {}
    for folder, run in runs.items():
        asked = {key: value for key, value in definition_of(run.record).items() if key != "seed"}
        kinds.setdefault(stable_hash(asked), []).append(folder)
    labelled: dict[str, list[list[Path]]] = {}
    for folders in kinds.values():
        labelled.setdefault(_label(runs[folders[0]]), []).append(folders)
    method = {
        folder: label if len(alike) == 1 else f"{label} ({part})"
        for label, alike in labelled.items()
        for folders, part in zip(alike, _parts([folders[0] for folders in alike]), strict=True)
        for folder in folders
    }
    named: dict[tuple[str, int], Run] = {}
    of: dict[tuple[str, int], Path] = {}
    for folder, run in runs.items():
        key = method[folder], int(run.record.get("seed", 0))
        if key in named:
            raise InputError(f"{of[key]} and {folder} are the same run: one definition, one seed.")
        named[key], of[key] = run, folder
    return named


def _parts(folders: Sequence[Path]) -> list[str]:
    """Return what tells folders apart: one name of each path, the last that will do, or else its end."""
    paths = [folder.resolve().parts[::-1] for folder in folders]
    for names in zip(*paths, strict=False):
        if len(set(names)) == len(names):
            return list(names)
    longest = max(map(len, paths))
    ends = [["/".join(path[:n][::-1]) for path in paths] for n in range(1, longest + 1)]
    return next(some for some in ends if len(set(some)) == len(some))


def _label(run: Run) -> str:
    qualified = str((run.record.get("algorithm") or {}).get("class", "?"))
    algorithm = registry.name_of("algorithm", qualified) or qualified.rpartition(".")[2]
    return f"{run.formulation.name}-{algorithm}"


def _judge(runs: Sequence[Run], objectives: Sequence[str] | None) -> Formulation:
    """Return the formulation in whose objectives runs are judged."""
    shared = set.intersection(*({metric.name for metric in run.table.metrics} for run in runs))
    asked = list(dict.fromkeys(name for run in runs for name in run.formulation.metrics))
    names = [name for name in asked if name in shared] if objectives is None else list(objectives)
    for name in names:
        if name not in shared:
            raise InputError(
                f"Not all of these runs have measured '{name}'; they share {', '.join(sorted(shared))}."
            )
    if not names:
        raise InputError(
            f"No metric that one of these runs was asked for is known of all of them ({', '.join(asked)})."
        )
    return Single(names[0]) if len(names) == 1 else Pareto(*names)
