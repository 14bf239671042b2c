"""A published table of block latencies: MobileNetV3 blocks on a Zynq UltraScale+ Ultra96."""

import os
import re
from collections.abc import Sequence

import pandas as pd

from moo_nas.errors import InputError
from moo_nas.meters.predictors.saved_table import BlockTable
from moo_nas.spaces import Block

_COLUMNS = ("block", "in_ch", "in_hw", "out_ch", "kernel", "expand", "stride", "use_se", "avg_ms")
_SQUEEZED = 0.25  # of the expanded width, in MobileNetV3

# The stages of Once-for-all's MobileNetV3 at width 1.2: channels, stride, squeeze-and-excite.
_STAGES = ((32, 2, False), (48, 2, True), (96, 2, False), (136, 1, True), (192, 2, True))
_DEPTH = 4
_STEM = Block("conv", 3, 0, 24, 224, 3, 2)
_FIRST = Block("ibn", 24, 24, 24, 112, 3, 1)
_LAST = Block("conv", 192, 0, 1152, 7)
_HEAD = Block("pool_conv", 1152, 1536, 1000, 7)


def ultra96_table(path: str | os.PathLike[str]) -> BlockTable:
    """Return the block table of ``ofa_mbv3_ultra96_block_lut.csv``.

    Int8 on the board's DPU, batch 1; a row's ``avg_ms``, the mean where a block was measured twice.
    The head's two layers are measured one by one, and summed here.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read, or is not that table.

    References:
        P. Khadka. Latency dataset for Once-For-All network. github.com/Pilot-Khadka.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"The table {path} cannot be read: {error}.") from error
    missing = [name for name in _COLUMNS if name not in rows]
    if missing:
        raise InputError(f"The table {path} has no column '{missing[0]}'; it needs {', '.join(_COLUMNS)}.")
    # A name tells everything of a block, activation too; the same name is the same block.
    means = rows.groupby("block", sort=False).agg(
        {**dict.fromkeys(_COLUMNS[1:-1], "first"), "avg_ms": "mean"}
    )
    ms: dict[Block, float] = {}
    layers: dict[str, float] = {}
    for name, row in zip(map(str, means.index), means.to_dict("records"), strict=True):
        if not row["avg_ms"] > 0:
            raise InputError(f"The table {path} has a latency of {row['avg_ms']} ms for {name}.")
        if not name.startswith("ResidualBlock"):
            layers[re.sub(r"_act.*", "", name)] = float(row["avg_ms"])
            continue
        channels = int(row["in_ch"])
        block = Block(
            "ibn",
            channels,
            channels * int(row["expand"]),
            int(row["out_ch"]),
            int(row["in_hw"]),
            int(row["kernel"]),
            int(row["stride"]),
            _SQUEEZED if str(row["use_se"]) == "True" else 0.0,
        )
        if block in ms:
            raise InputError(f"The table {path} has two latencies of {block}, under other activations.")
        ms[block] = float(row["avg_ms"])
    try:
        ms[_STEM] = layers["Conv_in-3x224x224_out-24_k-3"]
        ms[_LAST] = layers["Conv_in-192x7x7_out-1152_k-1"]
        ms[_HEAD] = layers["Conv_in-1152x1x1_out-1536_k-1"] + layers["Linear_in-1536_out-1000"]
    except KeyError as error:
        raise InputError(f"The table {path} has no row {error}.") from error
    return BlockTable(
        ms,
        image_size=224,
        n_classes=1000,
        device={"name": "Ultra96 (Zynq UltraScale+ MPSoC), int8 on the DPU"},
        settings={"batch_size": 1},
        source="github.com/Pilot-Khadka/Latency-dataset-for-Once-For-All-network",
    )


def once_for_all_blocks(
    kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int]
) -> tuple[Block, ...]:
    """Return the blocks of a sub-network of Once-for-all's MobileNetV3 (width 1.2, 224 pixels).

    Args:
        kernels: Of each of the 20 blocks, 3, 5 or 7; those beyond a stage's depth are not read.
        expansions: Of each of the 20 blocks, 3, 4 or 6.
        depths: Of each of the five stages, 2, 3 or 4.

    Raises:
        InputError: Another number of them, or another choice.

    Example:
        >>> len(once_for_all_blocks([3] * 20, [3] * 20, [2] * 5))
        14

    References:
        H. Cai et al. Once-for-All: Train One Network and Specialize It for Efficient Deployment.
        ICLR 2020.
    """
    for name, values, n, choices in (
        ("kernels", kernels, 20, (3, 5, 7)),
        ("expansions", expansions, 20, (3, 4, 6)),
        ("depths", depths, 5, (2, 3, 4)),
    ):
        if len(values) != n or not set(values) <= set(choices):
            raise InputError(f"A network has {n} {name} among {choices}; got {list(values)}.")
    blocks = [_STEM, _FIRST]
    for number, ((channels, stride, squeezed), depth) in enumerate(zip(_STAGES, depths, strict=True)):
        for position in range(depth):
            place = _DEPTH * number + position
            before, size = blocks[-1].out_channels, blocks[-1].out_size
            blocks.append(
                Block(
                    "ibn",
                    before,
                    before * int(expansions[place]),
                    channels,
                    size,
                    int(kernels[place]),
                    stride if position == 0 else 1,
                    _SQUEEZED if squeezed else 0.0,
                )
            )
    return (*blocks, _LAST, _HEAD)
