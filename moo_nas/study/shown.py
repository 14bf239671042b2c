"""One architecture of a run, looked up: its genes, what it was measured at, its layers and their costs."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from moo_nas.analysis.drawing import draw_architecture
from moo_nas.errors import InputError, SpaceError
from moo_nas.evaluation.bench import genome_text
from moo_nas.files import write_whole
from moo_nas.meters import Metric
from moo_nas.meters.analytic import COSTS, layer_cost
from moo_nas.spaces import Architecture, Layer
from moo_nas.spaces.architecture import Head, Stem
from moo_nas.spaces.described import parse
from moo_nas.study.run import Run

_TOLD = ("params", "macs", "activation_bytes")


@dataclass(frozen=True)
class Shown:
    """What a run knows of one architecture.

    Attributes:
        architecture: The architecture.
        genes: What is chosen, by gene.
        evaluation: Its number in the run; None if the run did not evaluate it.
        metrics: What was measured, NaN where that failed; empty if it was not evaluated.
        reason: Why it failed, if it did.
        feasible: Is it within the limits?
        on_front: Is it of the run's front?
        image_size: The pixels that ``layers`` are costed at.
        layers: One row a layer: ``block``, ``layer``, ``shape``, ``params``, ``macs``,
            ``activation_bytes``; None of an architecture that is known by its choices alone.
    """

    architecture: Architecture
    genes: dict[str, object]
    evaluation: int | None
    metrics: dict[Metric, float]
    reason: str | None
    feasible: bool
    on_front: bool
    image_size: int
    layers: pd.DataFrame | None


def look_up(run: Run, asked: str) -> Shown:
    """Return what a run knows of an architecture.

    Args:
        run: The run.
        asked: The number of an evaluation, from 0, as tables of the run have it; or an architecture's
            text.

    Raises:
        InputError: There is no such evaluation, or the text is of no architecture of the run's space.
    """
    texts = [genome_text(genome) for genome in run.table.genomes]
    if asked.strip().isdecimal():
        row = int(asked)
        if row >= len(texts):
            last = f"0 to {len(texts) - 1}" if texts else "none"
            raise InputError(f"There is no evaluation {row}; the run has {last}.")
        genome = run.table.genomes[row]
    else:
        try:
            genome = run.space.encode(parse(run.space, asked.strip()))
        except SpaceError as error:
            raise InputError(
                "Expected the number of an evaluation or the text of an architecture, as front.csv has them. "
                f"{error}"
            ) from error
        row = texts.index(genome_text(genome)) if genome_text(genome) in texts else -1
    architecture = run.space.decode(genome)
    known = row >= 0
    image_size, n_classes = _input(run)
    return Shown(
        architecture,
        {str(k): v for k, v in run.space.choices(genome[None]).iloc[0].items()},
        row if known else None,
        dict(zip(run.table.metrics, run.table.values[row].tolist(), strict=True)) if known else {},
        run.table.reasons[row] if known else None,
        known and bool(run.feasible[row]),
        known and row in run.front_rows,
        image_size,
        layer_table(architecture, image_size, n_classes),
    )


def layer_table(architecture: Architecture, image_size: int, n_classes: int) -> pd.DataFrame | None:
    """Return an architecture's layers with what each costs; None where it has none to cost.

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d1_k3_s2_e6_c24 pool_conv_c1280")
        >>> layer_table(a, 32, 10)[["block", "layer"]].iloc[0].tolist()
        ['stem', 'conv 3x3 /2']
    """
    try:
        blocks = architecture.blocks(image_size, n_classes)
    except SpaceError:
        return None
    columns = [list(COSTS).index(name) for name in _TOLD]
    rows = []
    for block, name in zip(blocks, _names(architecture), strict=True):
        for layer in block.layers():
            costs = np.array(layer_cost(layer))[columns].tolist()
            shape = f"{layer.in_channels}x{layer.in_size}² → {layer.out_channels}x{layer.out_size}²"
            rows.append((name, _words(layer), shape, *costs))
    return pd.DataFrame(rows, columns=["block", "layer", "shape", *_TOLD])


def write_drawing(shown: Shown, out: str | os.PathLike[str]) -> Path:
    """Write an architecture's drawing as SVG or PNG, by the ending of the file's name.

    Raises:
        InputError: Another ending, an architecture that cannot be drawn, or a file that cannot be written.
    """
    path = Path(out)
    if path.suffix.lower() not in (".svg", ".png"):
        raise InputError(f"A drawing is an .svg or a .png file; got '{path}'.")
    if not drawable(shown.architecture):
        raise InputError(f"'{shown.architecture}' is known by its choices alone: there is nothing to draw.")
    svg = draw_architecture(shown.architecture)
    if path.suffix.lower() == ".svg":
        return write_whole(path, svg)
    # Here, so that only those who draw wait for matplotlib.
    from moo_nas.analysis.svg_png import svg_png

    return write_whole(path, svg_png(svg))


def drawable(architecture: Architecture) -> bool:
    """Has an architecture stem, stages and head to draw?"""
    return isinstance(architecture.stem, Stem) and isinstance(architecture.head, Head)


def _names(architecture: Architecture) -> list[str]:
    """Return what each block is called: stem, stage and place in it, head."""
    stages = [
        f"stage{number}" + (f".{place}" if stage.depth > 1 else "")
        for number, stage in enumerate(architecture.stages, start=1)
        for place in range(1, stage.depth + 1)
    ]
    return ["stem", *stages, "head"]


def _words(layer: Layer) -> str:
    size = f" {layer.kernel}x{layer.kernel}" if layer.kind in ("conv", "avg_pool") else ""
    kind = {"pool": "global pool", "avg_pool": "pool"}.get(layer.kind, layer.kind)
    depthwise = "depthwise " if layer.groups == layer.in_channels > 1 else ""
    return f"{depthwise}{kind}{size}" + (f" /{layer.stride}" if layer.stride > 1 else "")


def _input(run: Run) -> tuple[int, int]:
    """Return pixels and classes that the run's formulas are of; else those that its space is written for."""
    for meter in (run.record.get("measurement") or {}).get("meters", []):
        if meter.get("meter") == "Analytic":
            return int(meter["image_size"]), int(meter["n_classes"])
    return int(getattr(run.space, "image_size", 32)), 10
