"""Building an architecture: its blocks in a row, initialised from a seed."""

from collections.abc import Callable

import torch
from torch import nn

from moo_nas.arrays import stable_seed
from moo_nas.networks.blocks import InvertedBottleneck, head, stem
from moo_nas.networks.cells import CellModule, ResidualBlock, norm_head
from moo_nas.spaces import Architecture, Block

_MODULES: dict[str, Callable[[Block], nn.Module]] = {
    "conv": stem,
    "ibn": InvertedBottleneck,
    "fused": InvertedBottleneck,
    "cell": CellModule,
    "residual": ResidualBlock,
    "pool_conv": head,
    "conv_pool": head,
    "norm_pool": norm_head,
}


def build(architecture: Architecture, n_classes: int = 1000, seed: int = 0) -> nn.Sequential:
    """Return an architecture as a torch module, one child a block, on the CPU.

    Images of any size and batch go in, ``(n, 3, height, width)``; class scores ``(n, n_classes)``
    come out. Convolutions and linear layers are initialised kaiming-normal (fan in, gain of ReLU),
    biases with 0, batch normalisation with 1 and 0, all from ``seed`` and the architecture alone:
    torch's global generator is neither read nor moved. For a wider or deeper network, build
    ``architecture.scaled(width=..., depth=...)``.

    Example:
        >>> import torch
        >>> from moo_nas.spaces import Architecture
        >>> net = build(Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64"), 10)
        >>> net(torch.zeros(2, 3, 33, 33)).shape
        torch.Size([2, 10])

    References:
        K. He et al. Delving Deep into Rectifiers. ICCV 2015.
    """
    # The block's input size has no part in its weights.
    blocks = architecture.blocks(image_size=224, n_classes=n_classes)
    return _initialised(
        lambda: nn.Sequential(*(_MODULES[b.operator](b) for b in blocks)), seed, str(architecture)
    )


def build_block(block: Block, seed: int = 0) -> nn.Sequential:
    """Return one block as a torch module, initialised as :func:`build` does."""
    return _initialised(lambda: nn.Sequential(_MODULES[block.operator](block)), seed, repr(block))


def _initialised(make: Callable[[], nn.Sequential], seed: int, name: str) -> nn.Sequential:
    # Made without memory first: torch's own initialisation would cost as much again, and would
    # move the global generator.
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(stable_seed(seed, name))
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network
