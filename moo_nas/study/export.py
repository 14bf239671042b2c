"""A problem's networks as files for another device, and what its owner needs to know."""

import csv
import hashlib
import io
import json
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moo_nas import registry
from moo_nas.arrays import stable_hash, stable_seed
from moo_nas.errors import InputError
from moo_nas.evaluation import Runner, Store
from moo_nas.files import write_whole
from moo_nas.meters import Analytic, BlockMeter, BlockTable, BlockTableLatency, PredictedCost
from moo_nas.meters.device import StopWatch
from moo_nas.meters.device.columns import COLUMNS
from moo_nas.meters.device.elsewhere import DeviceTable
from moo_nas.meters.predictors.regressor import unlearnable
from moo_nas.meters.predictors.saved_table import TabledLatency
from moo_nas.meters.proxies.inputs import SOURCES
from moo_nas.problem import NASProblem

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Export:
    """What was written: how many networks, and where."""

    folder: Path
    n_networks: int
    n_bytes: int


def export_networks(
    problem: NASProblem,
    n: int,
    out: str | os.PathLike[str],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write random networks of a problem as ONNX files, with a manifest and a table to fill in.

    The folder then has ``networks/*.onnx``, ``manifest.json`` and ``manifest.csv`` (architecture,
    file, sha256, bytes, input shape), ``measurements.csv`` (the architectures, and empty columns) and
    a ``README.md`` that says what goes into them. Networks have random weights. Started again on the
    same folder, an export goes on where it was.

    Args:
        problem: Whose space; image size, classes and batch are those its latency is of.
        n: How many distinct networks; all there are, if the space has fewer.
        out: The folder; made if there is none.
        seed: What draws networks and weights.
        progress: Called with how many of how many are written.

    Raises:
        InputError: No room on the disk, another export in the folder, or the package ``onnx`` is
            not installed.
    """
    if n < 1:
        raise InputError(f"At least 1 network is exported; got n={n}.")
    if seed < 0:
        raise InputError(f"The seed must not be negative; got {seed}.")
    size, batch, n_classes = _input(problem)
    from moo_nas.networks import build
    from moo_nas.networks.onnx import INPUT, IR_VERSION, OPSET, OUTPUT, to_onnx

    shape = (batch, 3, size, size)
    definition = {
        "problem": {"name": problem.name, **problem.options},
        "space": stable_hash(problem.space.settings),
        "n": n,
        "seed": seed,
        "n_classes": n_classes,
        "input": {"name": INPUT, "shape": list(shape), "type": "float32"},
        "output": {"name": OUTPUT, "shape": [batch, n_classes], "type": "float32"},
        "opset": OPSET,
        "ir_version": IR_VERSION,
        "versions": {name: version(name) for name in ("moo_nas", "torch")},
    }
    genomes = problem.evaluator.draw(n, stable_seed("exported networks", seed))
    architectures = [problem.space.decode(genome) for genome in genomes]
    folder = Path(out)
    params = Analytic(size, n_classes).measure(architectures, [0] * len(architectures))[:, 0]
    _make(folder, definition, int(4 * params.sum()))
    rows: list[dict[str, Any]] = []
    for done, architecture in enumerate(architectures, start=1):
        name = f"networks/{stable_hash(str(architecture), definition)}.onnx"
        path = folder / name
        if not path.exists():
            write_whole(path, to_onnx(build(architecture, n_classes, seed), shape))
        data = path.read_bytes()
        rows.append(
            {
                "architecture": str(architecture),
                "file": name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "input_shape": "x".join(map(str, shape)),
            }
        )
        if progress is not None:
            progress(done, len(architectures))
    write_whole(folder / "manifest.csv", _csv(list(rows[0]), [list(row.values()) for row in rows]))
    names = [column.name for column in COLUMNS]
    table = folder / "measurements.csv"
    if not table.exists():  # or what was filled in would be lost
        known = {"image_size": size, "batch_size": batch, "n_classes": n_classes}
        filled = [{**known, "architecture": row["architecture"]} for row in rows]
        write_whole(table, _csv(names, [[row.get(name, "") for name in names] for row in filled]))
    write_whole(folder / "README.md", _readme(problem, len(rows), shape))
    manifest = {**definition, "networks": rows}
    write_whole(folder / _MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return Export(folder, len(rows), sum(row["bytes"] for row in rows))


def import_table(path: str | os.PathLike[str], problem: NASProblem) -> DeviceTable:
    """Return a table of measurements of a problem's exported networks, checked row by row.

    Raises:
        InputError: The file is no such table, has a row that cannot be, or is of another size, batch
            or number of classes than the problem's latency.
    """
    table = DeviceTable.read(path, problem.space)
    table.check(*_input(problem))
    return table


def worth(table: DeviceTable, problem: NASProblem) -> list[str]:
    """Return what can be predicted from a table, and for how much of the problem's space, in sentences."""
    told = []
    for metric in table.costs:
        costs = table.frame[metric.name].dropna().to_numpy()
        told.append(f"{metric.name}: {len(costs)} networks. {unlearnable(costs) or ''}".rstrip())
    return [*told, PredictedCost.of_table(table).reach(problem.space).words]


def measure_table(problem: NASProblem, out: str | os.PathLike[str]) -> BlockTable:
    """Measure a problem's table of block latencies on this device and save it as JSON.

    What is measured is kept beside the file until all is, so that an interrupted measurement goes on.

    Args:
        problem: One whose latency is predicted from a table of blocks.
        out: The file, as :meth:`BlockTable.load` reads it.

    Raises:
        InputError: The problem's latency is not from such a table, or the file cannot be written.
    """
    source = next((s for s in problem.evaluator.sources if isinstance(s, BlockTableLatency)), None)
    if source is None:
        raise InputError(
            f"Problem '{problem.name}' as asked for predicts no latency from blocks measured here: there is "
            "no table to measure. 'haenas' does with latency=table."
        )
    target = Path(out)
    if not target.parent.is_dir():
        raise InputError(f"The folder of {target} does not exist.")
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file.")
    part = target.with_name(f".{target.name}.measuring")
    store = Store(part)
    try:
        ready = problem.at(store, Runner(1)).evaluator.ready(source)
    finally:
        store.close()
    assert isinstance(ready, BlockTableLatency)
    ready.table.save(target)
    for end in ("", "-wal", "-shm"):
        part.with_name(part.name + end).unlink(missing_ok=True)
    return ready.table


def _input(problem: NASProblem) -> tuple[int, int, int]:
    """Return pixels, batch and classes of what a problem's latency is of."""
    sources = problem.evaluator.sources
    for meter in (*problem.timers.values(), *sources):
        if isinstance(meter, StopWatch):
            return meter.image_size, meter.batch_size, meter.n_classes
    for source in sources:
        if isinstance(source, PredictedCost):
            return source.image_size, source.batch_size, source.n_classes
        if isinstance(source, TabledLatency):
            return source.image_size, source.timer.batch_size, source.n_classes
    for source in sources:
        if isinstance(source, BlockMeter):
            return source.image_size, 1, source.n_classes
    raise InputError(
        f"Problem '{problem.name}' has neither a stop-watch nor a formula that would say for images of "
        "how many pixels its networks are."
    )


def _make(folder: Path, definition: dict[str, Any], n_bytes: int) -> None:
    """Make the folder, unless it holds another export or has no room."""
    marker = folder / ".export.json"
    text = json.dumps(definition, sort_keys=True, indent=2)
    try:
        if marker.exists():
            if marker.read_text(encoding="utf-8") != text:
                raise InputError(f"{folder} holds another export. Choose another folder.")
        elif folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty. Choose another folder.")
        (folder / "networks").mkdir(parents=True, exist_ok=True)
        there = sum(path.stat().st_size for path in (folder / "networks").iterdir())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"{folder} cannot be used: {error.strerror}.") from error
    needed = n_bytes - there
    if needed > 0.95 * free:
        raise InputError(
            f"The networks take {needed / 1e9:.3g} GB; {folder} has {free / 1e9:.3g} GB left. Free space, "
            "export fewer, or choose another folder."
        )
    write_whole(marker, text)


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue()


def _import_command(problem: NASProblem) -> str:
    """Return the command that takes the table back, with the options that make this problem, from any folder.

    A file that latency is of is left out: the table takes its place.
    """
    known = registry.choices(type(problem))
    words = ["moo-nas", "measure", "import", "measurements.csv", problem.name, "--out", "measured.csv"]
    for name, default in registry.options(type(problem)).items():
        value = problem.options.get(name)
        given = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if name == "latency":
            if given.endswith((".csv", ".json")):
                continue
        elif isinstance(value, str) and value not in (*SOURCES, *known.get(name, ())):
            given = str(Path(value).resolve()) if Path(value).exists() else value
        if name in problem.options and given != default:
            words += ["--problem-option", f"{name}={given}"]
    return shlex.join(words)


def _readme(problem: NASProblem, n: int, shape: tuple[int, ...]) -> str:
    columns = "\n".join(
        f"| `{c.name}` | {c.unit or 'text'} | {'yes' if c.needed else 'no'} | {c.meaning} |" for c in COLUMNS
    )
    return f"""# {n} networks to measure

Random networks of `{problem.name}`, with random weights, as ONNX files under `networks/`. Each takes
`images`, float32 of shape {" x ".join(map(str, shape))}, and puts out `scores`. `manifest.csv` says
which file is which architecture, and its sha256; `manifest.json` says also the opset and how they were made.

Run every file on the device: some runs to warm up, then enough that the median settles; in rounds over
all files rather than one file after the other, so that a warm or busy spell is shared by all. Write the
results into `measurements.csv`, one row a network, separated by commas, with a point as decimal mark.
Times and energies are of one run, which takes {shape[0]} image{"s" * (shape[0] > 1)} at once:

| column | in | needed | what |
|---|---|---|---|
{columns}

Leave out the rows of networks that could not be run, and columns that were not measured. Then:

    {_import_command(problem)}

Rows that cannot be are refused by line number, and nothing is written before all are good.
"""
