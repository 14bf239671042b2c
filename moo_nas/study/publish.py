"""The files that a reader opens: tables, pictures, the page."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from moo_nas.errors import InputError
from moo_nas.study.carbon import total
from moo_nas.study.command import command
from moo_nas.study.comparison import Comparison
from moo_nas.study.folder import Files
from moo_nas.study.run import Run

# What the records of a comparison's runs have in common.
SHARED = ("problem", "budget", "measurement", "machine", "versions", "setup", "written")
# Tables of a comparison that are files of their own, beside comparison.csv.
TABLES = ("curves", "fronts", "front", "reach", "best", "attainment", "ranks", "costs")


def publish_run(run: Run, folder: Files, prefix: str = "", pictures: bool = True) -> None:
    """Write a run's ``front.csv``, ``measured.csv`` where there is one, its picture and ``report.html``."""
    folder.write(prefix + "front.csv", run.front.to_csv())
    if run.measured is not None:
        folder.write(prefix + "measured.csv", run.measured.to_csv(index=False))
    if not pictures:
        return
    # Here, so that only those who draw wait for matplotlib and plotly.
    from moo_nas.analysis.figures import front_picture, progress_picture
    from moo_nas.analysis.report import run_report

    title = f"{run.record['problem']['name']}, {run.formulation.name}: {len(run.table)} evaluations"
    score, *costs = (run.table.metric(name) for name in run.formulation.metrics)
    if costs:
        limits = run.formulation.settings.get("limits")
        picture = front_picture(run.evaluations, run.front, costs[0], score, run.measured, title, limits)
    else:
        picture = progress_picture(run.evaluations, score, title)
    _write(folder, prefix + "front", picture)
    metrics = {metric.name: metric for metric in (score, *costs)}
    page = run_report(
        {**run.record, "command": command(run.record)},
        run.evaluations,
        run.front,
        run.least_violating,
        run.measured,
        metrics,
        run.formulation.objective_names,
        [gene.name for gene in run.space.genes],
        _proxies(folder.read(prefix + "proxies.csv")),
        run.n_waiting,
    )
    folder.write(prefix + "report.html", page)


def _write(folder: Files, name: str, picture: Mapping[str, bytes]) -> None:
    """Write a picture in each of its formats."""
    for kind, content in picture.items():
        folder.write(f"{name}.{kind}", content)


def _proxies(content: str | None) -> pd.DataFrame | None:
    """Return a table that ``moo-nas proxies`` has put beside a run.

    Raises:
        InputError: It is none.
    """
    if content is None:
        return None
    try:
        found = pd.read_csv(io.StringIO(content))
    except ValueError as error:
        raise InputError(f"proxies.csv cannot be read: {error}.") from error
    missing = {"proxy", "repeatability", "low", "high", "seeds_for_0.9", "n"} - set(found)
    if missing:
        raise InputError(f"proxies.csv is not of 'moo-nas proxies': it lacks {', '.join(sorted(missing))}.")
    return found


def taken(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what several runs took and measured, as a run's record has it.

    ``energy`` is that of all together (:func:`~moo_nas.study.carbon.total`); ``timings`` and
    ``energies`` are those of the run that was the last to measure, as runs share a store, and a
    record tells all that is in it.
    """
    records = [run.record for run in runs]
    measured = {
        key: max((record.get(key, {}) for record in records), key=lambda told: told.get("batches", 0))
        for key in ("timings", "energies")
    }
    return {"energy": total([record["energy"] for record in records]), **measured}


def publish_comparison(comparison: Comparison, folder: Files) -> None:
    """Write a comparison's ``comparison.csv``, its other tables, pictures and ``report.html``."""
    from moo_nas.analysis.comparison_figures import attainment_picture, critical_difference_picture
    from moo_nas.analysis.comparison_report import Compared, comparison_report
    from moo_nas.analysis.figures import comparison_picture

    folder.write("comparison.csv", comparison.table.to_csv(index=False))
    for name in TABLES:
        folder.write(f"{name}.csv", getattr(comparison, name).to_csv(index=False))
    metrics = comparison.metrics
    names = comparison.judge.objective_names or comparison.judge.metrics
    score, *costs = (metrics[name] for name in names)
    record = next(iter(comparison.runs.values())).record
    shared = {key: record[key] for key in SHARED if key in record}
    seeds = sorted({seed for _, seed in comparison.runs})
    on = record["problem"]["name"]
    title = f"{on}: hypervolume over evaluations, and the fronts"
    cost = costs[0] if costs else None
    picture = comparison_picture(comparison.curves, comparison.fronts, cost, score, title)
    _write(folder, "comparison", picture)
    if costs:
        title = f"{on}: attainment of {score.name} and {costs[0].name}"
        _write(folder, "attainment", attainment_picture(comparison.fronts, costs[0], score, title))
    ranking = comparison.rankings.get("hypervolume")
    if ranking is not None and ranking.nemenyi is not None:
        title = f"{on}: mean ranks by hypervolume"
        _write(folder, "ranks", critical_difference_picture(ranking.methods, ranking.nemenyi, title))
    found = Compared(
        comparison.table,
        comparison.curves,
        comparison.fronts,
        metrics,
        names,
        comparison.front_is_exact,
        comparison.reach,
        comparison.best,
        comparison.attainment,
        comparison.rankings,
        comparison.costs,
        comparison.reference,
        comparison.notes,
    )
    told = {**shared, **taken(list(comparison.runs.values())), "seeds": seeds}
    folder.write("report.html", comparison_report(told, found))
