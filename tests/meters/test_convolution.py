import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.meters.proxies import small_maps
from moo_nas.meters.proxies.convolution import convolve, without_weights
from moo_nas.meters.proxies.small_maps import SMALL

FORMATS = (torch.contiguous_format, torch.channels_last)


def reference(layer: nn.Conv2d, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A convolution from its definition: a sum over taps, by elementary operations alone."""
    (top, left), (down, right) = layer.padding, layer.stride
    padded = nn.functional.pad(x, (left, left, top, top))
    rows = (padded.shape[2] - weight.shape[2]) // down + 1
    columns = (padded.shape[3] - weight.shape[3]) // right + 1
    per_group = weight.shape[0] // layer.groups
    total = torch.zeros(len(x), weight.shape[0], rows, columns, dtype=x.dtype)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            met = padded[
                :, :, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right
            ]
            groups = met.unflatten(1, (layer.groups, -1))
            taps = weight[:, :, i, j].unflatten(0, (layer.groups, per_group))
            total = total + torch.einsum("ngiyx,goi->ngoyx", groups, taps).flatten(1, 2)
    return total if layer.bias is None else total + layer.bias.view(1, -1, 1, 1)


@st.composite
def convolutions(draw):
    kernel, stride = draw(st.sampled_from((1, 3, 5, 7))), draw(st.sampled_from((1, 2)))
    channels, depthwise = draw(st.sampled_from((1, 2, 5))), draw(st.booleans())
    layer = nn.Conv2d(
        channels,
        channels if depthwise else draw(st.sampled_from((1, 3))),
        kernel,
        stride,
        kernel // 2,
        groups=channels if depthwise else 1,
        bias=draw(st.booleans()),
        dtype=torch.float64,
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    size = draw(st.sampled_from((1, 2, 3, 6, SMALL, SMALL + 1)))
    height, width = size, draw(st.sampled_from((size, 1, 4)))
    least = (kernel - min(height, width)) // 2 + 1  # below it the kernel is wider than the padded map
    layer.padding = (max(draw(st.sampled_from((0, kernel // 2, kernel + 1))), least),) * 2
    x = torch.randn((4, channels, height, width), generator=generator, dtype=torch.float64)
    x = x.contiguous(memory_format=draw(st.sampled_from(FORMATS)))
    x = x[draw(st.sampled_from((slice(0, 1), slice(3, 4), slice(1, None), slice(None, None, 2))))]
    return layer.to(memory_format=draw(st.sampled_from(FORMATS))), x.requires_grad_()


@pytest.fixture
def products_always(monkeypatch):
    """Small maps go the way of wide layers, whatever their channels."""
    monkeypatch.setattr(small_maps, "_CHANNELS", 1)


@given(convolutions())
@settings(max_examples=80, deadline=None)
def test_outputs_gradients_and_theirs_are_those_of_the_definition(case):
    check_definition(*case)


@given(convolutions())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_small_maps_of_wide_layers_are_those_of_the_definition(products_always, case):
    check_definition(*case)


@pytest.mark.parametrize(("size", "kernel"), [(2, 3), (3, 5), (6, 7), (SMALL, 5)])
def test_wide_layers_take_the_products_of_small_maps_and_torchs_otherwise(monkeypatch, size, kernel):
    taken = []
    products = small_maps.convolved
    monkeypatch.setattr(small_maps, "convolved", lambda *a: taken.append(a[0].shape) or products(*a))
    for pixels in (size, SMALL + 1):
        layer = nn.Conv2d(128, 130, kernel, padding=kernel // 2)
        x = torch.randn(2, 128, pixels, pixels)
        out = convolve(layer, x, layer.weight, layer.bias)
        assert torch.allclose(out, layer(x), atol=1e-4)
    assert taken == [(2, 128, size, size)]


@pytest.mark.parametrize("kernel", [5, (5, 1), 7])
def test_a_kernel_wider_than_the_padded_map_is_refused_as_by_torch(products_always, kernel):
    layer = nn.Conv2d(3, 3, kernel)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        convolve(layer, torch.randn(2, 3, 4, 4), layer.weight, None)


def check_definition(layer, x):
    found = []
    for function in (
        lambda: convolve(layer, x, layer.weight, layer.bias),
        lambda: reference(layer, x, layer.weight),
    ):
        out = function()
        first = torch.autograd.grad(out.pow(3).sum(), [x, layer.weight], create_graph=True)
        second = torch.autograd.grad(sum(g.pow(2).sum() for g in first), [x, layer.weight])
        found.append([out, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.detach().abs().max()))


@pytest.mark.parametrize("groups", [1, 6])
def test_without_weights_none_of_their_gradients_is_computed(groups):
    layer = nn.Conv2d(6, 6, 5, padding=2, groups=groups)
    x = torch.randn(2, 6, 3, 3, requires_grad=True)
    out = convolve(layer, x, layer.weight, layer.bias)
    with without_weights():
        by_x, by_weight = torch.autograd.grad(out.sum(), [x, layer.weight], allow_unused=True)
    assert by_weight is None
    assert torch.allclose(by_x, torch.autograd.grad(layer(x).sum(), [x])[0], atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, padding=1, dilation=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 8, 3, padding=1, groups=2),
        nn.Conv2d(4, 8, 3, padding=1, groups=4),
    ],
    ids=str,
)
def test_other_convolutions_are_what_torch_makes_of_them(layer):
    x = torch.randn(2, 4, 5, 5, requires_grad=True)
    ours, theirs = convolve(layer, x, layer.weight, layer.bias), layer(x)
    assert torch.allclose(ours, theirs, atol=1e-6)
    for a, b in zip(*(torch.autograd.grad(y.sum(), [x, layer.weight]) for y in (ours, theirs)), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
