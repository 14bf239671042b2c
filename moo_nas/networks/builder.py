"""Building an architecture: its blocks in a row, initialised from a seed."""

from collections.abc import Callable

import torch
from torch import nn

from moo_nas.arrays import stable_seed
from moo_nas.errors import unknown
from moo_nas.initialisation import INITS, Init
from moo_nas.networks.blocks import InvertedBottleneck, head, stem
from moo_nas.networks.cells import CellModule, ResidualBlock, norm_head
from moo_nas.spaces import Architecture, Block

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
    # The block's input size has no part in its weights.
    blocks = architecture.blocks(image_size=224, n_classes=n_classes)
    return _initialised(
        lambda: nn.Sequential(*(MODULES[b.operator](b) for b in blocks)),
        seed,
        str(architecture),
        init,
        memory_format,
    )


def build_block(block: Block, seed: int = 0) -> nn.Sequential:
    """Return one block as a torch module, initialised as :func:`build` does."""
    return _initialised(lambda: nn.Sequential(MODULES[block.operator](block)), seed, repr(block))


def _initialised(
    make: Callable[[], nn.Sequential],
    seed: int,
    name: str,
    init: Init = "kaiming",
    memory_format: torch.memory_format = torch.contiguous_format,
) -> nn.Sequential:
    # Made without memory first: torch's own initialisation would cost as much again, and would
    # move the global generator.
    with torch.device("meta"):
        network = make()
        network.to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's types lack it
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(stable_seed(seed, name))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                _draw(module, init, generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
    return network


def _draw(layer: nn.Conv2d | nn.Linear, init: Init, generator: torch.Generator) -> None:
    weight, bias = layer.weight, layer.bias
    fan_in = weight[0].numel()
    fan_out = weight.shape[0] * weight[0, 0].numel()
    # Drawn in the order of channels_last, whatever the format, so that both give the same network;
    # and in one piece, as torch draws into memory with gaps ten times slower.
    ordered = weight.permute(0, 2, 3, 1) if weight.dim() == 4 else weight
    target = ordered if ordered.is_contiguous() else torch.empty(ordered.shape)
    if init == "torch":
        bound = fan_in**-0.5
        target.uniform_(-bound, bound, generator=generator)
    else:
        deviation = (2 / fan_in) ** 0.5 if init == "kaiming" else (2 / (fan_in + fan_out)) ** 0.5
        target.normal_(0.0, deviation, generator=generator)
    if target is not ordered:
        ordered.copy_(target)
    if bias is not None:
        if init == "torch":
            bias.uniform_(-bound, bound, generator=generator)
        else:
            bias.zero_()
