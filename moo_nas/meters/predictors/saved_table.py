"""A table of block latencies as data: saved, shipped, loaded, and predicted from without measuring."""

import json
import math
import os
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
from moo_nas.meters.device.machine import machine
from moo_nas.spaces import Block, SearchSpace, StageSpace

_FORMAT = "moo_nas block table"
_VERSION = 1
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
        return str(self.device.get("name") or self.device.get("gpu") or self.device.get("cpu") or "unknown")

    @property
    def is_of_here(self) -> bool:
        """Was it measured on a machine like this one, by the same torch?"""
        return all(self.device.get(key) == value for key, value in machine().items())

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

    def check(self, space: SearchSpace, image_size: int, n_classes: int) -> None:
        """Refuse a space, a size or a number of classes that the table is not for.

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
        blocks = space.blocks(image_size, n_classes)
        missing = [block for block in blocks if block not in self.ms]
        if missing:
            raise InputError(
                f"The block table of {self.device_name} is of another space: it lacks {len(missing)} of "
                f"{len(blocks)} blocks, the first {missing[0]}."
            )

    def meter(self) -> "TabledLatency":
        """Return the meter that predicts from this table."""
        return TabledLatency(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as a JSON file, whole or not at all.

        Raises:
            InputError: It cannot be written.
        """
        content = {"format": _FORMAT, "version": _VERSION, "unit": "ms", **self._plain()}
        return write_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")

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
        except ValueError as error:
            raise InputError(f"The block table {path} is no JSON: {error}.") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise InputError(f"{path} is no block table: its 'format' must be '{_FORMAT}'.")
        if content.get("version") != _VERSION:
            raise InputError(
                f"The block table {path} has version {content.get('version')}; this moo_nas knows {_VERSION}."
            )
        try:
            return cls._of(content)
        except (KeyError, TypeError, ValueError) as error:
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
            if len(weights) != 3 or not all(_is_number(w) and w >= 0 for w in weights):
                raise ValueError(f"weights must be three numbers, 0 or more; got {weights}")
            weights = tuple(map(float, weights))
        for name, kind in (("device", dict), ("settings", dict), ("versions", dict), ("date", str)):
            if not isinstance(content[name], kind):
                raise ValueError(f"{name} must be of type {kind.__name__}; got {content[name]!r}")
        size, n_classes = content["image_size"], content["n_classes"]
        if not all(isinstance(value, int) and value > 0 for value in (size, n_classes)):
            raise ValueError(f"image_size and n_classes must be positive integers; got {size}, {n_classes}")
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
            content["left_out"],
        )


class TabledLatency(BlockMeter):
    """Latency predicted from a block table that is there already: nothing is measured.

    Args:
        table: The table, of this device or another.
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    reductions = ("sum",)

    def __init__(self, table: BlockTable) -> None:
        super().__init__(table.image_size, table.n_classes)
        self.table = table

    @property
    def settings(self) -> dict[str, Any]:
        return {"device": dict(self.table.device), "table": stable_hash(self.table._plain())}

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        table = self.table
        table.check(space, self.image_size, self.n_classes)
        if not table.is_of_here:
            warnings.warn(
                f"Latency is that of {table.device_name}, as its block table predicts it; this machine is "
                f"another ({machine()['cpu']}, torch {machine()['torch']}).",
                stacklevel=2,
            )
        about = {
            "device": dict(table.device),
            "date": table.date,
            "source": table.source,
            "this_machine": table.is_of_here,
            **({} if table.left_out is None else {"left_out": dict(table.left_out)}),
        }
        memory.recall(f"saved block table/{self.key}", lambda: about)
        return self

    def block_cost(self, block: Block) -> FloatArray:
        return np.array([self.table.cost(block)])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any, what: str) -> float:
    if not _is_number(value) or value <= 0:
        raise ValueError(f"{what} must be a positive number; got {value!r}")
    return float(value)


def _block(row: Mapping[str, Any]) -> Block:
    """Return the block of a JSON object, every field of it checked."""
    if set(row) != {f.name for f in fields(Block)}:
        raise ValueError(f"a block has the keys {', '.join(f.name for f in fields(Block))}; got {list(row)}")
    if row["operator"] not in _OPERATORS or row["cell"] is not None or not isinstance(row["act"], bool):
        raise ValueError(f"no such block: {row}")
    sizes = ("in_channels", "hidden", "out_channels", "in_size", "kernel", "stride")
    if not all(isinstance(row[name], int) and row[name] >= (name != "hidden") for name in sizes):
        raise ValueError(f"sizes of a block must be positive integers; got {row}")
    if not _is_number(row["se"]) or not 0 <= row["se"] <= 1:
        raise ValueError(f"se of a block must lie in [0, 1]; got {row['se']!r}")
    return Block(**{**row, "se": float(row["se"])})
