"""Measurements made on another device: networks go out as files, a table comes back.

A board, a phone or a simulator needs no moo_nas: its owner runs the exported ONNX files with whatever
measures there, and writes one row a network into a CSV file. What is read back is checked row by row
before it is believed.
"""

import csv
import hashlib
import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, SpaceError
from moo_nas.files import write_whole
from moo_nas.meters.base import Metric
from moo_nas.meters.device.other_units import cost_ratios, work_of
from moo_nas.meters.table import LookUp
from moo_nas.spaces import Architecture, SearchSpace

_SHOWN = 5  # bad rows that an error tells of

_HOTTEST, _COLDEST = 150.0, -90.0

# Python also takes "1_5", "nan" and digits of other scripts for numbers.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# A row so many times above or below what its work makes one expect is in another unit: a thousand,
# less what networks differ by.
_OTHER_UNIT = 300.0
_FEWEST = 3  # rows of which one can be told to be unlike the others


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of measurements.

    Args:
        name: Its heading; a unit ends it.
        unit: The unit in words; none for text.
        meaning: What it says, for whoever fills it in.
        needed: Must every row have it?
        lowest: The least value that can be.
        highest: The greatest.
        open_: Is ``lowest`` itself excluded?
        whole: Is it an integer?
        words: The only words that a text can be; none for any text.
    """

    name: str
    unit: str | None
    meaning: str
    needed: bool = False
    lowest: float = -math.inf
    highest: float = math.inf
    open_: bool = False
    whole: bool = False
    words: tuple[str, ...] = ()

    def value(self, text: str) -> float | str | None:
        """Return what a cell says, None where it is empty.

        Raises:
            ValueError: It cannot be; the message says why.
        """
        text = text.strip()
        if not text:
            if self.needed:
                raise ValueError(f"{self.name} is empty; leave out the rows that were not measured")
            return None
        if self.unit is None:
            if self.words and text.lower() not in self.words:
                raise ValueError(f"{self.name} must be {' or '.join(self.words)}; got '{text}'")
            return text.lower() if self.words else text
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value) or (self.whole and not value.is_integer()):
            kind = "an integer" if self.whole else "a number"
            raise ValueError(f"{self.name} must be {kind}, in {self.unit}; got '{text}'")
        if value < self.lowest or value > self.highest or (self.open_ and value == self.lowest):
            wanted = "more than 0" if self.open_ else "0 or more"
            if self.highest < math.inf:
                wanted = f"between {self.lowest:g} and {self.highest:g}"
            raise ValueError(f"{self.name} must be {wanted}, in {self.unit}; got {text}")
        return value


COLUMNS = (
    Column("architecture", None, "the network, as its line in manifest.csv", needed=True),
    Column(
        "latency_ms",
        "milliseconds",
        "median time of one run on the whole batch",
        needed=True,
        lowest=0,
        open_=True,
    ),
    Column("spread_ms", "milliseconds", "half the distance between the quartiles of the runs", lowest=0),
    Column("energy_mj", "millijoules", "energy of one run on the whole batch", lowest=0, open_=True),
    Column(
        "idle_subtracted",
        None,
        "`yes` if the device's idle power was taken off energy_mj, `no` if not; needed where energy_mj is "
        "filled in, the same in every row",
        words=("yes", "no"),
    ),
    Column("peak_power_w", "watts", "the highest power read during the runs", lowest=0, open_=True),
    Column("tool", None, "what measured: the runtime, its version and settings, the power meter"),
    Column(
        "ambient_c",
        "degrees Celsius",
        "temperature of the room",
        lowest=_COLDEST,
        highest=_HOTTEST,
    ),
    Column("device", None, "what was measured on; the same in every row"),
    *(
        Column(name, unit, f"{meaning}; filled in already", needed=True, lowest=0, open_=True, whole=True)
        for name, unit, meaning in (
            ("image_size", "pixels", "width of the images"),
            ("batch_size", "images", "how many images one run takes"),
            ("n_classes", "classes", "how many classes the networks tell apart"),
        )
    ),
)
# What is the same in every row, and whether where it is empty too.
_SHARED = {
    "device": True,
    "image_size": True,
    "batch_size": True,
    "n_classes": True,
    "idle_subtracted": False,
}
_BY_NAME = {column.name: column for column in COLUMNS}

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
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows: list[dict[str, float | str | None]] = []
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
                f"{'; '.join(wrong[:_SHOWN])}{more}."
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
            InputError: It has both.
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
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
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
        wrong.append(f"line {reader.line_num}: {error}")


def _check_header(header: list[str], path: Path) -> None:
    known = ", ".join(_BY_NAME)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise InputError(f"{path}, line 1: cells are separated by commas; got '{header[0]}'.")
    for name in header:
        if name not in _BY_NAME:
            close = get_close_matches(name, _BY_NAME, n=1, cutoff=0.4)
            hint = f"; did you mean '{close[0]}'" if close else ""
            raise InputError(f"{path}, line 1: unknown column '{name}'{hint}? Known: {known}.")
        if header.count(name) > 1:
            raise InputError(f"{path}, line 1: the column '{name}' is there more than once.")
    for column in COLUMNS:
        if column.needed and column.name not in header:
            raise InputError(f"{path}, line 1: the column '{column.name}' is missing. Known: {known}.")


def _row(cells: dict[str, str]) -> dict[str, float | str | None]:
    row = {name: _BY_NAME[name].value(text) for name, text in cells.items()}
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


def _check_shared(row: dict[str, float | str | None], line: int, shared: dict[str, tuple[Any, int]]) -> None:
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


def _other_units(rows: list[dict[str, float | str | None]], lines: list[int], work: FloatArray) -> list[str]:
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
                how = f"{ratio:.2g} times" if ratio > 1 else f"1/{1 / ratio:.2g} of"
                wrong.append(
                    f"line {lines[i]}: {metric.name} is {how} what networks of its size take in the other "
                    f"rows: is it in another unit than {_BY_NAME[metric.name].unit}?"
                )
    return wrong
