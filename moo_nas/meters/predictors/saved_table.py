"""A table of block latencies as data: saved, shipped, loaded, and predicted from without measuring."""

import json
import math
import os
import reprlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from moo_nas.arrays import FloatArray, stable_hash
from moo_nas.errors import InputError, MeterError
from moo_nas.files import write_whole
from moo_nas.meters.analytic import Analytic
from moo_nas.meters.base import BlockMeter, Memory, Metric
from moo_nas.meters.device.timer import CpuLatency, StopWatch
from moo_nas.spaces import Block, SearchSpace, StageSpace

_FORMAT = "moo_nas block table"
_VERSION = 1
# What of a timing's settings makes it another quantity, beside pixels and classes.
_CONDITIONS = ("batch_size", "threads", "memory_format")
_DEEPEST = 8  # of what a file says of its device and settings
_OPERATORS = get_args(next(f.type for f in fields(Block) if f.name == "operator"))


@dataclass(frozen=True)
class BlockTable:
    """The latency of single blocks on one device.

    Attributes:
        ms: Each block's latency in milliseconds.
        image_size: Width of the images, in pixels, that networks of these blocks take.
        n_classes: How many classes their heads tell apart.
        device: What was measured on.
        settings: How it was measured: batch, threads, rounds.
        versions: Of what measured.
        date: When, ISO 8601.
        source: Where the numbers come from, if they were not measured by moo_nas.
        weights: The residual's three factors, of a block's latency, its number of layers and its
            parameters in millions; None for the blocks' own latencies.
        left_out: What the prediction is worth, on whole networks left out of the residual's fit.

    Example:
        >>> block = Block("conv", 3, 0, 16, 32, 3, 2)
        >>> table = BlockTable({block: 0.25}, 32, 10, {"cpu": "mine"})
        >>> float(table.summed([block, block]))
        0.5
    """

    ms: Mapping[Block, float]
    image_size: int
    n_classes: int
    device: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    source: str = ""
    weights: tuple[float, ...] | None = None
    left_out: Mapping[str, float] | None = None

    @property
    def device_name(self) -> str:
        """The device in a few words."""
        return _device_name(self.device)

    def is_of(self, timer: StopWatch) -> bool:
        """Is it what a stop-watch would measure: the same device and runtime, under the same conditions?"""
        settings = timer.settings
        return (
            dict(self.device) == timer.device()
            and (self.image_size, self.n_classes) == (timer.image_size, timer.n_classes)
            and all(self.settings.get(key) == settings.get(key) for key in _CONDITIONS)
        )

    def features(self, block: Block) -> FloatArray:
        """Return a block's latency in ms, its number of layers, and its parameters in millions, ``(3,)``.

        Raises:
            MeterError: The table lacks the block.
        """
        if block not in self.ms:
            raise MeterError(
                f"The block table of {self.device_name} at {self.image_size} pixels has no {block}."
            )
        params = Analytic(self.image_size, self.n_classes).block_cost(block)[0]
        return np.array([self.ms[block], len(block.layers()), params / 1e6])

    def cost(self, block: Block) -> float:
        """Return what a block adds to a network's latency, in ms."""
        features = self.features(block)
        return float(features[0] if self.weights is None else features @ np.array(self.weights))

    def summed(self, blocks: Iterable[Block]) -> float:
        """Return the latency in ms of a network of these blocks."""
        return sum(self.cost(block) for block in blocks)

    def check(
        self,
        space: SearchSpace,
        image_size: int,
        n_classes: int,
        batch_size: int | None = None,
        threads: int | None = None,
    ) -> None:
        """Refuse a space or conditions that the table is not for; of None and what it does not say, nothing.

        Raises:
            InputError: It says which.
        """
        if not isinstance(space, StageSpace):
            raise InputError(f"A block table needs a stage space; got a {space.name}.")
        if (image_size, n_classes) != (self.image_size, self.n_classes):
            raise InputError(
                f"The block table of {self.device_name} is of networks for {self.image_size} pixels and "
                f"{self.n_classes} classes; asked for {image_size} and {n_classes}."
            )
        for key, asked in (("batch_size", batch_size), ("threads", threads)):
            if asked is not None and self.settings.get(key, asked) != asked:
                raise InputError(
                    f"The block table of {self.device_name} was measured with {key} {self.settings[key]}; "
                    f"asked for {asked}."
                )
        blocks = space.blocks(image_size, n_classes)
        missing = [block for block in blocks if block not in self.ms]
        if missing:
            raise InputError(
                f"The block table of {self.device_name} is of another space: it lacks {len(missing)} of "
                f"{len(blocks)} blocks, the first {missing[0]}."
            )

    def meter(self, timer: StopWatch | None = None) -> "TabledLatency":
        """Return the meter that predicts from this table, beside a stop-watch that is there."""
        return TabledLatency(self, timer)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as a JSON file, whole or not at all.

        Raises:
            InputError: It cannot be written, or has a number that is none.
        """
        content = {"format": _FORMAT, "version": _VERSION, "unit": "ms", **self._plain()}
        if self.left_out is not None:  # a rank correlation may be undefined
            content["left_out"] = {k: v if math.isfinite(v) else None for k, v in self.left_out.items()}
        try:
            text = json.dumps(content, indent=1, allow_nan=False)
        except ValueError as error:
            raise InputError(f"The block table of {self.device_name} cannot be saved: {error}.") from error
        return write_whole(path, text + "\n")

    def _plain(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "ms"}
        blocks = [{**asdict(block), "ms": ms} for block, ms in self.ms.items()]
        return {**plain, "blocks": blocks}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "BlockTable":
        """Return the table of a JSON file that :meth:`save` wrote.

        Raises:
            InputError: The file cannot be read, is none of ours, of a newer version, or damaged.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"The block table {path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"The block table {path} is no JSON: {error}.") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise InputError(f"{path} is no block table: its 'format' must be '{_FORMAT}'.")
        if content.get("version") != _VERSION:
            raise InputError(
                f"The block table {path} has version {content.get('version')}; this moo_nas knows {_VERSION}."
            )
        try:
            return cls._of(content)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"The block table {path} is damaged: {error}.") from error

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> "BlockTable":
        ms: dict[Block, float] = {}
        for row in content["blocks"]:
            value = row["ms"]
            block = _block({key: item for key, item in row.items() if key != "ms"})
            if block in ms:
                raise ValueError(f"{block} is there twice")
            ms[block] = _positive(value, f"ms of {block}")
        if content["unit"] != "ms":
            raise ValueError(f"its unit must be ms; got {content['unit']!r}")
        weights = content["weights"]
        if weights is not None:
            if len(weights) != 3 or not all(_is_number(w) and w >= 0 for w in weights) or not any(weights):
                raise ValueError(
                    f"weights must be three numbers, 0 or more and not all 0; got {reprlib.repr(weights)}"
                )
            weights = tuple(map(float, weights))
        for name, kind in (("device", dict), ("settings", dict), ("versions", dict), ("date", str)):
            if not isinstance(content[name], kind):
                raise ValueError(f"{name} must be of type {kind.__name__}; got {reprlib.repr(content[name])}")
            if not _is_shallow(content[name]):
                raise ValueError(f"{name} is nested more than {_DEEPEST} deep")
        for name in ("batch_size", "threads"):
            value = content["settings"].get(name, 1)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} of settings must be a positive integer; got {reprlib.repr(value)}")
        size, n_classes = content["image_size"], content["n_classes"]
        if not all(type(value) is int and value > 0 for value in (size, n_classes)):
            raise ValueError(
                "image_size and n_classes must be positive integers; got "
                f"{reprlib.repr(size)}, {reprlib.repr(n_classes)}"
            )
        return cls(
            ms,
            size,
            n_classes,
            content["device"],
            content["settings"],
            content["versions"],
            content["date"],
            str(content["source"]),
            weights,
            _card(content["left_out"]),
        )


class TabledLatency(BlockMeter):
    """Latency predicted from a block table that is there already: nothing is measured.

    Args:
        table: The table, of this device or another.
        timer: The stop-watch of the device in front of us, which says if the table is of here; by
            default torch on this CPU under the table's conditions.
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    reductions = ("sum",)

    def __init__(self, table: BlockTable, timer: StopWatch | None = None) -> None:
        super().__init__(table.image_size, table.n_classes)
        self.table = table
        self.timer = timer or CpuLatency(
            table.image_size,
            table.settings.get("batch_size", 1),
            table.settings.get("threads", 1),
            table.n_classes,
        )
        self.uses_gpu = self.timer.uses_gpu and table.is_of(self.timer)  # that the front is measured on

    @property
    def settings(self) -> dict[str, Any]:
        return {"device": dict(self.table.device), "table": stable_hash(self.table._plain())}

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        table = self.table
        table.check(space, self.image_size, self.n_classes)
        of_here = table.is_of(self.timer)
        if not of_here:
            warnings.warn(
                f"Latency is that of {table.device_name}, as its block table predicts it; what is measured "
                f"here is another thing ({_device_name(self.timer.device())}, batch {self.timer.batch_size}, "
                f"threads {self.timer.threads}).",
                stacklevel=2,
            )
        about = {
            "metric": self.metrics[0].name,
            "device": dict(table.device),
            "date": table.date,
            "source": table.source,
            "this_machine": of_here,
            **({} if table.left_out is None else {"left_out": dict(table.left_out)}),
        }
        memory.recall(f"saved block table/{self.key}", lambda: about)
        return self

    def block_cost(self, block: Block) -> FloatArray:
        return np.array([self.table.cost(block)])


def _device_name(device: Mapping[str, Any]) -> str:
    name = str(device.get("name") or device.get("gpu") or device.get("cpu") or "unknown")
    runtime = device.get("runtime") or (f"torch {device['torch']}" if "torch" in device else "")
    return f"{name}, {runtime}" if runtime else name


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _is_shallow(value: Any, deepest: int = _DEEPEST) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return deepest > 0 and all(_is_shallow(item, deepest - 1) for item in items)


def _positive(value: Any, what: str) -> float:
    if not _is_number(value) or value <= 0:
        raise ValueError(f"{what} must be a positive number; got {reprlib.repr(value)}")
    return float(value)


def _card(value: Any) -> dict[str, float] | None:
    """Return an error card of JSON: numbers by name, or nothing."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(item is None or _is_number(item) for item in value.values()):
        raise ValueError(
            f"left_out must be an error card, numbers by name, or null; got {reprlib.repr(value)}"
        )
    return {name: math.nan if item is None else item for name, item in value.items()}


def _block(row: Mapping[str, Any]) -> Block:
    """Return the block of a JSON object, every field of it checked."""
    if set(row) != {f.name for f in fields(Block)}:
        raise ValueError(f"a block has the keys {', '.join(f.name for f in fields(Block))}; got {list(row)}")
    if row["operator"] not in _OPERATORS or row["cell"] is not None or not isinstance(row["act"], bool):
        raise ValueError(f"no such block: {reprlib.repr(row)}")
    sizes = ("in_channels", "hidden", "out_channels", "in_size", "kernel", "stride")
    if not all(type(row[name]) is int and row[name] >= (name != "hidden") for name in sizes):
        raise ValueError(f"sizes of a block must be positive integers; got {reprlib.repr(row)}")
    if not _is_number(row["se"]) or not 0 <= row["se"] <= 1:
        raise ValueError(f"se of a block must lie in [0, 1]; got {reprlib.repr(row['se'])}")
    return Block(**{**row, "se": float(row["se"])})
