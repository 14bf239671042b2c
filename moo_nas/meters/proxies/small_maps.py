"""Full and depthwise convolutions of maps of a few pixels, faster than by torch's own kernels.

Where a kernel is about as wide as its map, most of its taps meet padding. torch's kernels (oneDNN) multiply
by it all the same; these do matrix products over pixels alone.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

# Widest map in pixels. On a CPU (oneDNN, one thread) weight gradients of wider maps were no faster this way;
# up to it a matrix product beats a 1x1 convolution by up to 3 times, and weight gradients of kernels that
# meet more padding than pixels are 2 to 10 times faster.
SMALL = 7
# Fewest channels on either side for which the products of :func:`convolved` were faster: 1.1 to 2.5 times.
_CHANNELS = 128


def is_faster(
    x: Tensor, shape: torch.Size, stride: tuple[int, int], padding: tuple[int, int], groups: int
) -> bool:
    """Return whether :func:`convolved` and :func:`convolved_back` beat torch's own for weights of a shape.

    Kernels wider than the padded map are torch's own to refuse.
    """
    width, kernel = max(x.shape[-2:]), min(shape[-2:])
    meets_padding = width <= SMALL and (kernel > 3 or kernel > width)
    fits = all(n + 2 * p >= k for n, p, k in zip(x.shape[-2:], padding, shape[-2:], strict=True))
    return meets_padding and fits and groups == 1 and stride == (1, 1) and min(shape[:2]) >= _CHANNELS


def convolved(x: Tensor, weight: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return the convolution of small maps by full kernels, of stride 1."""
    rows = x.permute(2, 0, 3, 1).contiguous()
    taps = weight.permute(2, 3, 1, 0)  # a view of channels_last weights that products can take
    return _by_rows(rows, taps, padding).permute(1, 3, 0, 2).contiguous(memory_format=torch.channels_last)


def convolved_back(gradient: Tensor, weight: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return the gradient by the maps: a convolution of the turned gradient, whose answer is turned back."""
    height, width = weight.shape[2:]
    rows = gradient.permute(2, 0, 3, 1).flip((0, 2)).contiguous()
    taps = weight.permute(2, 3, 0, 1).contiguous()
    turned = _by_rows(rows, taps, (height - 1 - padding[0], width - 1 - padding[1]))
    return turned.flip((0, 2)).permute(1, 3, 0, 2).contiguous(memory_format=torch.channels_last)


def _by_rows(x: Tensor, taps: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return the convolution of ``x (height, n, width, c_in)`` by ``taps (height, width, c_in, c_out)``.

    A product for each row of the kernel and column of the output. In this order of axes what a kernel's row
    meets lies in one piece, and so do the images' rows: neither is copied.
    """
    height, n, width, n_in = x.shape
    kernel_height, kernel_width, _, n_out = taps.shape
    out_height = height + 2 * padding[0] - kernel_height + 1
    out_width = width + 2 * padding[1] - kernel_width + 1
    out = x.new_zeros(out_height, n, out_width, n_out)
    pixels, answers = x.view(-1), out.view(-1)
    for i in range(kernel_height):
        from_row, to_row = _meeting(i, 1, padding[0], height, out_height)
        rows = (to_row.stop - to_row.start) * n
        for column in range(out_width):
            first, last = max(padding[1] - column, 0), min(width + padding[1] - column, kernel_width)
            if not rows or last <= first:
                continue
            start = x.storage_offset() + (from_row.start * n * width + column + first - padding[1]) * n_in
            met = pixels.as_strided((rows, (last - first) * n_in), (width * n_in, 1), start)
            start = (to_row.start * n * out_width + column) * n_out
            answer = answers.as_strided((rows, n_out), (out_width * n_out, 1), start)
            answer.addmm_(met, taps[i, first:last].flatten(0, 1))
    return out


def by_weight(x: Tensor, shape: torch.Size, groups: int) -> Callable[..., Tensor] | None:
    """Return what computes the gradient by weights of a shape faster than torch's own, if anything does."""
    if max(x.shape[-2:]) > SMALL:
        return None
    if groups == 1:
        return _full
    # torch's own is slow for depthwise kernels that are wider than the map, and for no others.
    wider = any(kernel > pixels for kernel, pixels in zip(shape[-2:], x.shape[-2:], strict=True))
    return _depthwise if wider and groups == shape[0] == x.shape[1] else None


def _full(
    x: Tensor, gradient: Tensor, shape: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return the gradient by a full kernel: a matrix product for each of its taps, over pixels alone."""
    n_out, n_in, height, width = shape
    # Memory in the order of channels_last, so that a product is written where it belongs.
    out = x.new_empty(n_out, height, width, n_in)
    pixels, answers = x.permute(2, 3, 0, 1), gradient.permute(2, 3, 0, 1)
    for j in range(width):
        from_column, to_column = _meeting(j, stride[1], padding[1], x.shape[3], gradient.shape[3])
        # Rows come first, so that these copies do for all of a column's taps.
        columns, answer_columns = pixels[:, from_column].contiguous(), answers[:, to_column].contiguous()
        for i in range(height):
            from_row, to_row = _meeting(i, stride[0], padding[0], x.shape[2], gradient.shape[2])
            met = columns[from_row].reshape(-1, n_in)
            if len(met):
                answer = answer_columns[to_row].reshape(-1, n_out)
                torch.mm(answer.T, met, out=out[:, i, j])
            else:
                out[:, i, j] = 0
    return out.permute(0, 3, 1, 2)


def _meeting(tap: int, stride: int, padding: int, n_in: int, n_out: int) -> tuple[slice, slice]:
    """Return which pixels of an axis a tap of the kernel meets, and for which outputs."""
    first = max(0, -((tap - padding) // stride))
    last = min(n_out - 1, (n_in - 1 + padding - tap) // stride)
    start = first * stride + tap - padding
    n = max(last - first + 1, 0)
    return slice(start, start + n * stride, stride), slice(first, first + n)


def _depthwise(
    x: Tensor, gradient: Tensor, shape: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return the gradient by depthwise kernels: all pairs of pixel and output, summed by their tap."""
    channels, n = shape[0], len(x)
    pixels = x.permute(1, 0, 2, 3).reshape(channels, n, -1)
    answers = gradient.permute(1, 2, 3, 0).reshape(channels, -1, n)
    taps = _taps(tuple(x.shape[2:]), tuple(shape[2:]), stride, padding).to(x.dtype)
    return ((answers @ pixels).flatten(1) @ taps).view(shape)


@functools.lru_cache(maxsize=64)
def _taps(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return 1 where an output and a pixel are joined by a tap, ``(outputs * pixels, taps)``."""
    n_pixels = size[0] * size[1]
    each = torch.eye(n_pixels).view(n_pixels, 1, *size)
    joined = nn.functional.unfold(each, kernel, padding=padding, stride=stride)
    return joined.permute(2, 0, 1).reshape(-1, kernel[0] * kernel[1])
