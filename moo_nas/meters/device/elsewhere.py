"""Measurements made on another device: networks go out as files, a table comes back.

A board, a phone or a simulator needs no moo_nas: its owner runs the exported ONNX files with whatever
measures there, and writes one row a network into a CSV file. What is read back is checked row by row
before it is believed.
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, SpaceError
from moo_nas.files import write_whole
from moo_nas.meters.base import Metric
from moo_nas.meters.device.columns import BY_NAME, COLUMNS, Cell, check_header
from moo_nas.meters.device.other_units import cost_ratios, work_of
from moo_nas.meters.table import LookUp
from moo_nas.spaces import Architecture, SearchSpace

_SHOWN = 5  # bad rows that an error tells of

# A row so many times above or below what its work makes one expect is in another unit: a thousand,
# less what networks differ by.
_OTHER_UNIT = 300.0
_LEAST_SHARE = 100  # of which the mean power is one of the peak, at least
_FEWEST = 3  # rows of which one can be told to be unlike the others


# What is the same in every row, and whether where it is empty too.
_SHARED = {
    "device": True,
    "image_size": True,
    "batch_size": True,
    "n_classes": True,
    "idle_subtracted": False,
}
_METRICS = (
    Metric("latency_ms", "ms", "min"),
    Metric("spread_ms", "ms", "min"),
    Metric("energy_mj", "mJ", "min"),
    Metric("peak_power_w", "W", "min"),
)


@dataclass(frozen=True)
class DeviceTable:
    """Networks measured on another device.

    Attributes:
        frame: The columns of :data:`COLUMNS`, indexed by each network's text as the space writes it.
        genomes: The networks' canonical genomes ``(n, n_var)``, in the same order.
        source: The file's name and a hash of it, with the device if it is told.
        image_size: Pixels of the images that the networks were run on.
        batch_size: How many images at a time; costs are of all of them.
        n_classes: How many classes the networks tell apart.

    Example:
        Networks measured on a board, as a metric of a problem:

        .. code-block:: python

            table = DeviceTable.read("pi4.csv", space)
            evaluator = Evaluator(space, [Analytic(96, 10), table.meter()], pool=table.genomes)
    """

    frame: pd.DataFrame
    genomes: IntArray
    source: str
    image_size: int
    batch_size: int
    n_classes: int

    @classmethod
    def read(cls, path: str | os.PathLike[str], space: SearchSpace) -> "DeviceTable":
        """Return the table of a CSV file, all of it checked.

        Raises:
            InputError: The file cannot be read, has a column that is not known, or a row that cannot
                be: an architecture that is none or not of the space, a network twice, a value that is
                no number, out of range or of another unit, a device, size, batch or number of classes
                that is not the other rows'. The message names the lines.
        """
        path = Path(path)
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")
        except OSError as error:
            raise InputError(f"The table {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"The table {path} must be UTF-8 text; byte {error.start} is not.") from error
        if not text.strip():
            raise InputError(f"The table {path} is empty.")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows: list[dict[str, Cell]] = []
        genomes: dict[tuple[int, ...], int] = {}
        wrong: list[str] = []
        shared: dict[str, tuple[Any, int]] = {}
        for line, cells in _lines(reader, path, wrong):
            try:
                row = _row(cells)
                genome = _genome(str(row["architecture"]), space)
                if genome in genomes:
                    raise ValueError(f"the same network as line {genomes[genome]}: '{row['architecture']}'")
                genomes[genome] = line
                _check_shared(row, line, shared)
                rows.append(row)
            except ValueError as error:
                wrong.append(f"line {line}: {error}")
        if not rows and not wrong:
            wrong.append("it has no rows")
        if not wrong:
            size, n_classes = (int(shared[name][0]) for name in ("image_size", "n_classes"))
            work = work_of([space.decode(np.array(genome)) for genome in genomes], size, n_classes)
            wrong += _other_units(rows, list(genomes.values()), work)
        if wrong:
            more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            raise InputError(
                f"{path} is not taken, {len(wrong)} fault{'s' * (len(wrong) > 1)}: "
                f"{_sentence('; '.join(wrong[:_SHOWN]) + more)}"
            )
        matrix = np.array(list(genomes), dtype=np.int64)
        frame = pd.DataFrame(
            {
                c.name: pd.Series([row.get(c.name) for row in rows], dtype="float64" if c.unit else "str")
                for c in COLUMNS[1:]
            }
        )
        frame.index = pd.Index([str(space.decode(g)) for g in matrix], name="architecture")
        device = shared["device"][0]
        digest = hashlib.sha256(data).hexdigest()[:16]
        return cls(
            frame,
            matrix,
            f"{path.name} ({digest})" + (f", {device}" if device else ""),
            *(int(shared[name][0]) for name in ("image_size", "batch_size", "n_classes")),
        )

    def check(self, image_size: int, batch_size: int, n_classes: int) -> None:
        """Refuse a size, a batch or a number of classes that the networks were not measured with.

        Raises:
            InputError: The networks were not measured so; the message says how.
        """
        asked, has = (image_size, batch_size, n_classes), (self.image_size, self.batch_size, self.n_classes)
        if asked != has:
            of, to = (f"{size} pixels, batch {batch} and {n} classes" for size, batch, n in (has, asked))
            raise InputError(
                f"The table {self.source} is of networks for {of}; asked for {to}. Make the problem with the "
                "options that it was exported with: the export's README.md has them."
            )

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """The networks, in the table's order."""
        return tuple(Architecture.parse(str(text)) for text in self.frame.index)

    @property
    def idle_subtracted(self) -> bool | None:
        """Was the device's idle power taken off energies; None where there are none."""
        said = self.frame["idle_subtracted"].dropna()
        return None if said.empty else said.iloc[0] == "yes"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that some row has a value of."""
        return tuple(metric for metric in _METRICS if self.frame[metric.name].notna().any())

    @property
    def costs(self) -> tuple[Metric, ...]:
        """Those of the metrics that are costs of a network: all but the spread of its timings."""
        return tuple(metric for metric in self.metrics if metric.name != "spread_ms")

    def meter(self) -> LookUp:
        """Return the meter that looks up what was measured."""
        return LookUp(self.frame, self.metrics, self.source)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table with architectures as the space writes them; columns without a value are left out.

        Raises:
            InputError: It cannot be written.
        """
        return write_whole(path, self.frame.dropna(axis="columns", how="all").to_csv())


def _lines(reader: Any, path: Path, wrong: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with its line number; a row of another length is told in ``wrong``."""
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        check_header(header, path)
        line = reader.line_num + 1
        for cells in reader:
            # A quoted cell may go over lines: the row is where it begins.
            begun, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                wrong.append(f"line {begun}: {len(cells)} cells under {len(header)} headings")
                continue
            yield begun, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        at_end = "unexpected end" in str(error)
        wrong.append(f"line {line}: {'a quotation mark is not closed' if at_end else error}")


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _row(cells: dict[str, str]) -> dict[str, Cell]:
    row = {name: BY_NAME[name].value(text) for name, text in cells.items()}
    latency, energy, peak = (row.get(name) for name in ("latency_ms", "energy_mj", "peak_power_w"))
    spread = row.get("spread_ms")
    if isinstance(latency, float) and isinstance(spread, float) and spread > latency:
        raise ValueError(
            f"spread_ms is {spread:.4g}, more than latency_ms, {latency:.4g}: one of them is in another unit"
        )
    if energy is not None and not row.get("idle_subtracted"):
        raise ValueError("energy_mj without idle_subtracted: say whether idle power was taken off, yes or no")
    if isinstance(latency, float) and isinstance(energy, float) and isinstance(peak, float):
        mean = energy / latency
        if mean > 1.01 * peak:  # a hundredth for rounding
            raise ValueError(
                f"energy_mj / latency_ms is {mean:.4g} W on average, more than peak_power_w, {peak:.4g}: "
                "one of them is in another unit"
            )
        # With the idle power in it, energy is of all that a device takes.
        if row["idle_subtracted"] == "no" and mean < peak / _LEAST_SHARE:
            raise ValueError(
                f"energy_mj / latency_ms is {mean:.4g} W on average with the idle power in it, less than a "
                f"hundredth of peak_power_w, {peak:.4g}: one of them is in another unit"
            )
    return row


def _genome(text: str, space: SearchSpace) -> tuple[int, ...]:
    try:
        architecture = Architecture.parse(text)
    except SpaceError as error:
        raise ValueError(f"unknown architecture: {str(error).rstrip('.')}") from error
    try:
        genome = space.canonical(space.encode(architecture)[None])[0]
    except SpaceError as error:
        raise ValueError(f"not of the {space.name}: {str(error).rstrip('.')}") from error
    return tuple(map(int, genome))


def _check_shared(row: dict[str, Cell], line: int, shared: dict[str, tuple[Any, int]]) -> None:
    """Refuse a row whose device, sizes or way to count energy are not those of the rows before."""
    for name, even_empty in _SHARED.items():
        value = row.get(name)
        if value is None and not even_empty:
            continue
        value = "" if value is None else value
        first, where = shared.setdefault(name, (value, line))
        if value != first:
            told, other = (f"{v:g}" if isinstance(v, float) else f"'{v}'" for v in (value, first))
            raise ValueError(f"{name} {told}, but line {where} has {other}")


def _other_units(rows: list[dict[str, Cell]], lines: list[int], work: FloatArray) -> list[str]:
    """Return the faults of rows that cost hundreds of times what the others make one expect, or as little."""
    wrong = []
    for metric in _METRICS:
        if metric.name == "spread_ms":
            continue  # held against the latency already
        there = [i for i, row in enumerate(rows) if isinstance(row.get(metric.name), float)]
        there = [i for i in there if np.isfinite(work[i])]
        if len(there) < _FEWEST:
            continue
        costs = np.array([rows[i][metric.name] for i in there], dtype=np.float64)
        ratios = cost_ratios(costs, work[there])
        for i, ratio in zip(there, ratios, strict=True):
            if not 1 / _OTHER_UNIT < ratio < _OTHER_UNIT:
                how = f"{ratio:.0f} times" if ratio > 1 else f"1/{1 / ratio:.0f} of"
                wrong.append(
                    f"line {lines[i]}: {metric.name} is {how} what networks of its size take in the other "
                    f"rows: is it in another unit than {BY_NAME[metric.name].unit}?"
                )
    return wrong
