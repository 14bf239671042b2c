"""Building an architecture: its blocks in a row, initialised from a seed."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from moo_nas.arrays import stable_seed
from moo_nas.errors import unknown
from moo_nas.initialisation import INITS, Init
from moo_nas.networks.blocks import InvertedBottleneck, head, stem
from moo_nas.networks.cells import CellModule, ResidualBlock, norm_head
from moo_nas.spaces import Architecture, Block

_ALIGNED = 16  # float32 numbers to 64 bytes

MODULES: dict[str, Callable[[Block], nn.Module]] = {
    "conv": stem,
    "ibn": InvertedBottleneck,
    "fused": InvertedBottleneck,
    "cell": CellModule,
    "residual": ResidualBlock,
    "pool_conv": head,
    "conv_pool": head,
    "norm_pool": norm_head,
}


def build(
    architecture: Architecture,
    n_classes: int = 1000,
    seed: int = 0,
    init: Init = "kaiming",
    memory_format: torch.memory_format = torch.contiguous_format,
    image_size: int | None = None,
) -> nn.Sequential:
    """Return an architecture as a torch module, one child a block, on the CPU.

    Images of any size and batch go in, ``(n, 3, height, width)``; class scores ``(n, n_classes)``
    come out. Weights come from ``seed`` and the architecture alone, in whatever memory format:
    torch's global generator is neither read nor moved. For a wider or deeper network, build
    ``architecture.scaled(width=..., depth=...)``.

    Args:
        architecture: What is built.
        n_classes: How many classes it tells apart.
        seed: What draws the weights.
        init: How weights of convolutions and linear layers are drawn: ``kaiming`` normal with
            deviation sqrt(2 / fan_in), biases 0; ``xavier`` normal with sqrt(2 / (fan_in +
            fan_out)), biases 0; ``torch``, the default of its layers, uniform within
            1 / sqrt(fan_in), biases too. Batch normalisation starts with 1 and 0.
        memory_format: How weights lie in memory; ``torch.channels_last`` is the faster one to train.
        image_size: If the network will see images of this width alone, weights that would meet
            nothing but padding are left out: a kernel of 7 on a map of 2 pixels becomes one of 3, drawn
            at the scale of one of 7. Layers keep their ``kernel_size``; the weights are others than those
            of the whole network, and larger images are not refused but meet the smaller kernels.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> net = build(Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64"), 10)
        >>> net(torch.zeros(2, 3, 33, 33)).shape
        torch.Size([2, 10])

    References:
        K. He et al. Delving Deep into Rectifiers. ICCV 2015. X. Glorot, Y. Bengio. Understanding
        the Difficulty of Training Deep Feedforward Neural Networks. AISTATS 2010.
    """
    if init not in INITS:
        raise unknown("initialisation", init, INITS)
    blocks = architecture.blocks(image_size or 224, n_classes)
    modules = [MODULES[block.operator](block) for block in blocks]
    if image_size is not None:
        for module, block in zip(modules, blocks, strict=True):
            _leave_out(module, block.in_size)
    return _initialised(nn.Sequential(*modules), seed, str(architecture), init, memory_format)


def build_block(block: Block, seed: int = 0) -> nn.Sequential:
    """Return one block as a torch module, initialised as :func:`build` does."""
    return _initialised(nn.Sequential(MODULES[block.operator](block)), seed, repr(block))


def _leave_out(module: nn.Module, size: int) -> None:
    """Leave out what of a block's kernels would not meet a pixel of maps of at most this size.

    Most weights of a stage space lie in its last stages, where small images have shrunk to a pixel or two.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 2 * size - 1:
            layer.padding = (size - 1, size - 1)
            layer.weight = nn.Parameter(layer.weight.new_empty(*layer.weight.shape[:2], *[2 * size - 1] * 2))


def _initialised(
    network: nn.Sequential,
    seed: int,
    name: str,
    init: Init = "kaiming",
    memory_format: torch.memory_format = torch.contiguous_format,
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(stable_seed(seed, name))
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    sizes = [layer.weight.numel() for layer in layers]
    # In one piece, of NumPy's: it asks for huge pages, and small ones take long to touch first.
    starts = np.cumsum([0, *(-(-size // _ALIGNED) * _ALIGNED for size in sizes)])
    memory = torch.from_numpy(np.empty(starts[-1], dtype=np.float32))
    for layer, start, size in zip(layers, starts, sizes, strict=False):
        _draw(layer, init, generator, memory[start : start + size], memory_format)
    return network


def _draw(
    layer: nn.Conv2d | nn.Linear,
    init: Init,
    generator: torch.Generator,
    memory: torch.Tensor,
    memory_format: torch.memory_format,
) -> None:
    taps = math.prod(layer.kernel_size) if isinstance(layer, nn.Conv2d) else 1
    fan_in, fan_out = taps * layer.weight.shape[1], taps * layer.weight.shape[0]
    # Drawn in the order of channels_last, whatever the format, so that both give the same network.
    n_out, n_in, *kernel = layer.weight.shape
    weight = memory.view(n_out, *kernel, n_in)
    if init == "torch":
        bound = fan_in**-0.5
        weight.uniform_(-bound, bound, generator=generator)
    else:
        deviation = (2 / fan_in) ** 0.5 if init == "kaiming" else (2 / (fan_in + fan_out)) ** 0.5
        weight.normal_(0.0, deviation, generator=generator)
    if kernel:
        weight = weight.permute(0, 3, 1, 2)
        if memory_format == torch.contiguous_format:
            # With the strides of torch's own layers, of 1x1 kernels too: torch chooses by them what format a
            # convolution works in, and one that changes from layer to layer costs several times as long.
            weight = torch.empty(weight.shape).copy_(weight)
    layer.weight = nn.Parameter(weight)
    if layer.bias is not None:
        with torch.no_grad():
            if init == "torch":
                layer.bias.uniform_(-bound, bound, generator=generator)
            else:
                layer.bias.zero_()
