"""Convolution of small maps, several times faster to differentiate than by torch's own kernels."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from moo_nas.meters.proxies import small_maps
from moo_nas.meters.proxies.small_maps import SMALL

_without_weights = contextvars.ContextVar("without_weights", default=False)


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """Compute no gradients by weights: torch does not tell a function of our own that none are asked for."""
    token = _without_weights.set(True)
    try:
        yield
    finally:
        _without_weights.reset(token)


def convolve(layer: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return what a convolution layer with these parameters puts out, ``(n, channels, height, width)``.

    The same numbers as the layer's own but for rounding, and differentiable as often as wanted.
    """
    if x.device.type != "cpu" or x.dim() != 4 or not _is_plain(layer):
        torchs: Tensor = nn.Conv2d._conv_forward(layer, x, weight, bias)
        return torchs
    stride, groups = layer.stride, layer.groups
    if weight.shape[-2:] == (1, 1) and layer.padding == (0, 0):
        # torch 2.13's own weight gradient of a strided 1x1 convolution writes beyond its memory.
        x, stride = x[:, :, :: stride[0], :: stride[1]], (1, 1)
        if groups == 1 and max(x.shape[-2:]) <= SMALL:
            by_pixel: Tensor = nn.functional.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias)
            return by_pixel.permute(0, 3, 1, 2)
    out = _apply(_Convolution, x, weight, stride, layer.padding, groups)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def _is_plain(layer: nn.Conv2d) -> bool:
    return layer.dilation == (1, 1) and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    return cast(Tensor, function.apply(*arguments))  # type: ignore[no-untyped-call]  # torch's types lack it


class _Convolution(torch.autograd.Function):
    """y = x * w, bilinear: its gradients and theirs are these three functions of one another."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, *how: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = how
        stride, padding, groups = how
        if small_maps.is_faster(x, weight.shape, stride, padding, groups):
            return small_maps.convolved(x, weight, padding)
        x, weight = _in_one_format(x, weight)
        return nn.functional.conv2d(x, weight, None, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, *_ = ctx.needs_input_grad
        by_weight = by_weight and not _without_weights.get()
        faster = small_maps.by_weight(x, weight.shape, ctx.how[2])
        if by_x and by_weight and faster is None and not torch.is_grad_enabled():
            # Both at once, as nothing is differentiated any further.
            return *_backward(gradient, x, weight, ctx.how, (True, True, False))[:2], None, None, None
        return (
            _apply(_ByInput, gradient, weight, x.shape, *ctx.how) if by_x else None,
            _apply(_ByWeight, x, gradient, weight.shape, *ctx.how) if by_weight else None,
            None,
            None,
            None,
        )


class _ByInput(torch.autograd.Function):
    """The gradient by x, bilinear in the gradient by y and in w."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, shape: torch.Size, *how: Any) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        ctx.how = how
        stride, padding, groups = how
        x = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last)
        if small_maps.is_faster(x, weight.shape, stride, padding, groups):
            return small_maps.convolved_back(gradient, weight, padding)
        return _backward(gradient, x, weight, how, (True, False, False))[0]

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> tuple[Any, ...]:
        gradient, weight = ctx.saved_tensors
        by_gradient, by_weight, *_ = ctx.needs_input_grad
        return (
            _apply(_Convolution, x, weight, *ctx.how) if by_gradient else None,
            _apply(_ByWeight, x, gradient, weight.shape, *ctx.how) if by_weight else None,
            None,
            None,
            None,
            None,
        )


class _ByWeight(torch.autograd.Function):
    """The gradient by w, bilinear in x and in the gradient by y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: Tensor, shape: torch.Size, *how: Any) -> Tensor:
        ctx.save_for_backward(x, gradient)
        ctx.how = how
        stride, padding, groups = how
        faster = small_maps.by_weight(x, shape, groups)
        if faster is not None:
            return faster(x, gradient, shape, stride, padding)
        weight = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        return _backward(gradient, x, weight, how, (False, True, False))[1]

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Any, ...]:
        x, gradient = ctx.saved_tensors
        by_x, by_gradient, *_ = ctx.needs_input_grad
        return (
            _apply(_ByInput, gradient, weight, x.shape, *ctx.how) if by_x else None,
            _apply(_Convolution, x, weight, *ctx.how) if by_gradient else None,
            None,
            None,
            None,
            None,
        )


def _in_one_format(*tensors: Tensor) -> Iterator[Tensor]:
    """Return them in one memory format: torch 2.13 can crash where theirs differ."""
    return (tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors)


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, how: tuple[Any, ...], wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return torch's own gradients; what is not wanted may hold anything but for its shape."""
    stride, padding, groups = how
    gradient, x, weight = _in_one_format(gradient, x, weight)
    found = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), groups, wanted
    )
    return cast(tuple[Tensor, Tensor, Tensor], found)
