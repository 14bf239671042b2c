"""The torch modules that blocks are built of."""

import torch
from torch import Tensor, nn

from moo_nas.networks.layers import Conv2d, Linear
from moo_nas.spaces import Block


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch normalisation and, if asked for, ReLU."""

    def __init__(
        self, inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        conv = Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outside)
        super().__init__(conv, norm, *([nn.ReLU(inplace=True)] if act else []))


class SqueezeExcite(nn.Module):
    """Channel attention: x * sigmoid(W2 relu(W1 mean(x))).

    References:
        J. Hu, L. Shen, G. Sun. Squeeze-and-Excitation Networks. CVPR 2018.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU(inplace=True)  # a module, so that naswot sees its units
        self.excite = Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.excite(self.act(self.squeeze(self.pool(x))))
        return x * torch.sigmoid(scale)


class InvertedBottleneck(nn.Module):
    """IBN or Fused-IBN: expand, convolve, (squeeze and excite,) project, add the input if shapes allow.

    An IBN expands by a 1x1 convolution (none at expansion 1) and convolves depthwise; a Fused-IBN
    does both in one full convolution.

    References:
        M. Sandler et al. MobileNetV2. CVPR 2018. Y. Xiong et al. MobileDets. CVPR 2021.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        inside, hidden = block.in_channels, block.hidden
        parts: list[nn.Module] = []
        if block.operator == "fused":
            parts.append(ConvNormAct(inside, hidden, block.kernel, block.stride))
        else:
            if hidden != inside:
                parts.append(ConvNormAct(inside, hidden))
            parts.append(ConvNormAct(hidden, hidden, block.kernel, block.stride, groups=hidden))
        if block.squeezed:
            parts.append(SqueezeExcite(hidden, block.squeezed))
        parts.append(ConvNormAct(hidden, block.out_channels, act=False))
        self.body = nn.Sequential(*parts)
        self.residual = block.has_residual

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return x + out if self.residual else out


def stem(block: Block) -> nn.Module:
    """Return the first convolution."""
    return ConvNormAct(block.in_channels, block.out_channels, block.kernel, block.stride, act=block.act)


def head(block: Block) -> nn.Module:
    """Return the classifier in the order that the block says."""
    if block.operator == "pool_conv":
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            Conv2d(block.in_channels, block.hidden, 1),
            nn.ReLU(inplace=True),
            Conv2d(block.hidden, block.out_channels, 1),
            nn.Flatten(),
        )
    return nn.Sequential(
        ConvNormAct(block.in_channels, block.hidden),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        Linear(block.hidden, block.out_channels),
    )
