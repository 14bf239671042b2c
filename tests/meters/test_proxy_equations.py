"""Each proxy's equation against a computation of its own in float64: differences, Jacobians, loops."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.arrays import stable_seed
from moo_nas.errors import MeterError
from moo_nas.meters.proxies import PROXIES, score_network
from moo_nas.networks import build
from moo_nas.spaces import Architecture
from tests.strategies import architectures

MODES = ("train", "eval")
LABELS = torch.tensor([0, 2, 1, 2, 0])
IMAGES = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def network(act: type[nn.Module] = nn.ReLU, mode: str = "train") -> nn.Sequential:
    """Two blocks, the second with a bias, and a head; every parameter and statistic is its own."""
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), act()),
        nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.BatchNorm2d(5), act()),
        nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 6, 1), act(), nn.Flatten(), nn.Linear(6, 3, bias=False)
        ),
    ).double()
    rng = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=rng, dtype=torch.float64))
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.add_(1)
                module.running_var.square_().add_(0.5)
    return net.train(mode == "train")


def layers(net: nn.Module) -> list[nn.Module]:
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def score(name: str, net: nn.Module, mode: str = "train", **options: int) -> float:
    return score_network(net, IMAGES, LABELS, [name], mode, **options)[name]


def loss(net: nn.Module, images: torch.Tensor = IMAGES) -> float:
    """The mean cross entropy, written out."""
    with torch.no_grad():
        s = net(images).numpy()
    return float(np.mean(np.log(np.exp(s).sum(axis=1)) - s[np.arange(len(s)), LABELS.numpy()]))


@torch.no_grad()
def by_differences(net: nn.Module, value, step: float = 1e-5) -> list[np.ndarray]:
    """The gradient of value(net) by each layer's weight, one weight after the other."""
    found = []
    for layer in layers(net):
        flat, gradient = layer.weight.data.view(-1), []
        for position in range(len(flat)):
            was = float(flat[position])
            flat[position] = was + step
            above = value(net)
            flat[position] = was - step
            gradient.append((above - value(net)) / (2 * step))
            flat[position] = was
        found.append(np.array(gradient))
    return found


@pytest.mark.parametrize("mode", MODES)
def test_proxies_of_the_gradient_are_those_of_finite_differences(mode):
    net = network(mode=mode)
    gradients = by_differences(net, loss)
    weights = [layer.weight.detach().numpy().ravel() for layer in layers(net)]
    terms = [w * g for w, g in zip(weights, gradients, strict=True)]
    expected = {
        "grad_norm": sum(np.linalg.norm(g) for g in gradients),
        "grad_norm_global": np.linalg.norm(np.concatenate(gradients)),
        "snip": sum(np.abs(t).sum() for t in terms),
        "plain": sum(t.sum() for t in terms),
        "l2_norm": sum(math.sqrt((w**2).sum()) for w in weights),
    }
    assert score_network(net, IMAGES, LABELS, list(expected), mode) == pytest.approx(expected, rel=1e-6)


def test_plain_is_the_derivative_of_the_loss_by_a_common_factor():
    net = network(mode="eval")

    def scaled(factor):
        other = copy.deepcopy(net)
        for layer in layers(other):
            layer.weight.data.mul_(factor)
        return loss(other)

    assert score("plain", net, "eval") == pytest.approx(
        (scaled(1 + 1e-5) - scaled(1 - 1e-5)) / 2e-5, rel=1e-6
    )


@pytest.mark.parametrize("mode", MODES)
def test_grasp_is_that_of_differences_of_the_gradient(mode):
    net = network(nn.Tanh, mode)  # smooth, so that a difference of gradients is a product with the Hessian

    def gradient(at):
        other = copy.deepcopy(at)
        nn.functional.cross_entropy(other(IMAGES), LABELS).backward()
        return [layer.weight.grad for layer in layers(other)]

    direction, step = gradient(net), 1e-4

    def moved(by):
        other = copy.deepcopy(net)
        for layer, d in zip(layers(other), direction, strict=True):
            layer.weight.data.add_(d, alpha=by)
        return gradient(other)

    products = [(a - b) / (2 * step) for a, b in zip(moved(step), moved(-step), strict=True)]
    expected = -sum(float((p * x.weight.detach()).sum()) for p, x in zip(products, layers(net), strict=True))
    assert score("grasp", net, mode) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_jacob_cov_is_that_of_differences_by_each_pixel(mode):
    net = network(nn.Tanh, mode)
    images, rows, step = IMAGES.clone(), [], 1e-5

    def total():
        with torch.no_grad():
            return float(net(images).sum())

    for image in images:
        flat, row = image.view(-1), []
        for position in range(len(flat)):
            was = float(flat[position])
            flat[position] = was + step
            above = total()
            flat[position] = was - step
            row.append((above - total()) / (2 * step))
            flat[position] = was
        rows.append(row)
    s = np.linalg.eigvalsh(np.corrcoef(rows))
    assert s[0] > 1e-3, "or the differences would not be exact enough"
    assert score("jacob_cov", net, mode) == pytest.approx(
        -np.sum(np.log(s + 1e-5) + 1 / (s + 1e-5)), rel=1e-6
    )


@pytest.mark.parametrize("mode", MODES)
def test_synflow_is_that_of_differences_without_batch_norm(mode):
    net = network(mode=mode)
    positive = copy.deepcopy(net)
    for block in positive[:2]:
        block[1] = nn.Identity()
    for parameter in positive.parameters():
        parameter.data.abs_()
    ones = torch.ones(1, 3, 6, 6, dtype=torch.float64)
    gradients = by_differences(positive, lambda n: float(n(ones).sum()), step=1e-3)
    expected = sum(
        np.abs(g * layer.weight.detach().numpy().ravel()).sum()
        for g, layer in zip(gradients, layers(positive), strict=True)
    )
    assert score("synflow", net, mode) == pytest.approx(math.log(expected), rel=1e-6)


def test_every_layer_without_bias_carries_the_whole_flow():
    # So each layer's sum is R itself (the conservation law of the paper).
    chain = nn.Sequential(*(nn.Conv2d(1, 1, 1, bias=False) for _ in range(200)), nn.Flatten()).double()
    for layer in layers(chain):
        layer.weight.data.fill_(-10.0)
    value = score_network(chain, torch.zeros(2, 1, 1, 2).double(), torch.tensor([0, 1]), ["synflow"])[
        "synflow"
    ]
    assert value == pytest.approx(math.log(200 * 2) + 200 * math.log(10), rel=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("act", [nn.ReLU, lambda: nn.ReLU(inplace=True), nn.LeakyReLU])
def test_naswot_counts_the_units_that_agree(act, mode):
    net = network(act, mode)
    x, codes = IMAGES, []
    with torch.no_grad():
        for block in copy.deepcopy(net):
            for module in block:
                if isinstance(module, nn.ReLU | nn.LeakyReLU):
                    codes.append((x > 0).flatten(1).numpy())
                x = module(x)
    code = np.concatenate(codes, axis=1)
    kernel = np.zeros((5, 5))
    for i, j in itertools.product(range(5), repeat=2):
        kernel[i, j] = sum(int(a == b) for a, b in zip(code[i], code[j], strict=True))
    sign, expected = np.linalg.slogdet(kernel)
    assert sign == 1
    assert score("naswot", net, mode) == pytest.approx(expected, rel=1e-9)


def test_naswot_is_exact_where_there_are_many_units():
    # Beyond the columns of one product, and past what 8-bit or 16-bit sums could hold.
    net = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    images = torch.randn(2, 3, 700, 700, generator=torch.Generator().manual_seed(0))
    agreeing = int(((images[0] > 0) == (images[1] > 0)).sum())
    units = 3 * 700 * 700
    value = score_network(net, images, torch.tensor([0, 1]), ["naswot"])["naswot"]
    assert value == pytest.approx(math.log((units - agreeing) * (units + agreeing)), rel=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("act", [nn.ReLU, lambda: nn.ReLU(inplace=True)])
def test_fisher_is_that_of_each_layers_rest_of_the_network(act, mode):
    net = network(act, mode)
    modules = [module for block in copy.deepcopy(net) for module in block]

    def run(x, some):
        for module in copy.deepcopy(some):
            x = module(x)
        return x

    expected = 0.0
    for position, module in enumerate(modules):
        if isinstance(module, nn.Conv2d | nn.Linear):
            out = run(IMAGES, modules[: position + 1]).detach()
            rest = modules[position + 1 :]
            gradient = torch.autograd.functional.jacobian(
                lambda a, rest=rest: nn.functional.cross_entropy(run(a * 1, rest), LABELS), out
            )
            for channel in range(out.shape[1]):
                per_image = [float((out[i, channel] * gradient[i, channel]).sum()) for i in range(5)]
                expected += module.weight.shape[1:].numel() * np.mean(np.square(per_image)) / 2
    assert score("fisher", net, mode) == pytest.approx(expected, rel=1e-9)


def test_fisher_of_tokens_has_the_channel_last():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.embed(x).square().mean(dim=1))

    torch.manual_seed(0)
    net = Tokens().double()
    x, y = torch.randn(3, 7, 4).double(), torch.tensor([0, 1, 1])
    a = net.embed(x).detach().requires_grad_(True)
    b = net.head(a.square().mean(dim=1))
    ga, gb = torch.autograd.grad(nn.functional.cross_entropy(b, y), [a, b])
    a, b = a.detach(), b.detach()
    # Of four and of three weights a channel.
    expected = (4 * (a * ga).sum(1).square().mean(0).sum() + 3 * (b * gb).square().mean(0).sum()) / 2
    assert score_network(net, x, y, ["fisher"])["fisher"] == pytest.approx(float(expected), rel=1e-9)


def test_zen_is_that_of_its_steps():
    net = network()
    rng = torch.Generator().manual_seed(stable_seed("zen", 4))

    def normal(*shape):
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    noise, change = normal(5, 3, 6, 6), normal(5, 3, 6, 6)
    w1, w2 = normal(4, 3, 3, 3), normal(5, 4, 3, 3)

    def features(x):
        factors = []
        for weight, stride, padding in ((w1, 1, 1), (w2, 2, 0)):
            x = nn.functional.conv2d(x, weight, stride=stride, padding=padding).numpy()
            mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
            factors.append(math.sqrt(variance.mean()))
            x = torch.tensor(np.maximum((x - mean) / np.sqrt(variance + 1e-5), 0))
        return x.numpy(), factors

    first, factors = features(noise)
    second, _ = features(noise + 0.01 * change)
    distance = np.mean([np.linalg.norm(a - b) for a, b in zip(first, second, strict=True)])
    expected = math.log(distance) + sum(map(math.log, factors))
    assert score("zen", net, seed=4) == pytest.approx(expected, rel=1e-9)


def test_zen_looks_at_all_that_comes_before_the_pooling():
    text = "stem_k3_s2_c8 ibn_d1_k3_s2_e3_c12 conv_pool_c16"
    net = build(Architecture.parse(text), 10)
    pooled, flat = net[-1][1:], nn.Flatten()
    assert isinstance(pooled[0], nn.AdaptiveAvgPool2d)
    same = nn.Sequential(net[0], net[1], net[2][0], flat)  # the head's convolution as a block of its own
    images = IMAGES.float()
    assert score_network(net, images, LABELS, ["zen"]) == score_network(same, images, LABELS, ["zen"])


def test_zen_is_the_seeds_and_not_the_weights_or_the_images():
    assert score("zen", network(), seed=1) == score("zen", network(nn.ReLU).eval(), "eval", seed=1)
    other = network()
    for parameter in other.parameters():
        parameter.data.mul_(3)
    assert score("zen", other, seed=1) == score("zen", network(), seed=1)
    assert score_network(other, IMAGES * 2, LABELS, ["zen"], seed=1)["zen"] == score("zen", other, seed=1)
    assert score("zen", other, seed=2) != score("zen", other, seed=1)


@given(order=st.permutations(range(5)), mode=st.sampled_from(MODES))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_images_does_not_matter(order, mode):
    net = network(mode=mode)
    expected = score_network(net, IMAGES, LABELS, PROXIES, mode)
    assert score_network(net, IMAGES[order], LABELS[order], PROXIES, mode) == pytest.approx(
        expected, rel=1e-7
    )


@given(some=st.lists(st.sampled_from(sorted(PROXIES)), min_size=1, unique=True), mode=st.sampled_from(MODES))
@settings(max_examples=30, deadline=None)
def test_a_value_is_the_same_whichever_others_share_the_pass(some, mode):
    net = network(mode=mode)
    together = score_network(net, IMAGES, LABELS, some, mode)
    assert list(together) == some
    for name in some:
        assert score_network(net, IMAGES, LABELS, [name], mode)[name] == together[name]


@given(factor=st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_what_a_common_factor_of_the_weights_does(factor):
    net = network()
    other = copy.deepcopy(net)
    for layer in layers(other):
        layer.weight.data.mul_(factor)
    assert score("l2_norm", other) == pytest.approx(factor * score("l2_norm", net), rel=1e-9)
    # Of a chain with one bias, in the second of its four layers; there are none after it.
    for chain in (net, other):
        for module in (chain[1][0], chain[2][1]):
            module.bias.data.zero_()
    assert score("synflow", other) == pytest.approx(score("synflow", net) + 4 * math.log(factor), rel=1e-9)


@given(architecture=architectures(), seed=st.integers(0, 99), mode=st.sampled_from(MODES))
@settings(max_examples=10, deadline=None)
def test_a_value_is_in_the_range_that_is_declared_or_an_error_says_why_not(architecture, seed, mode):
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    net = build(architecture, 10, seed)
    told = ""
    for name, proxy in PROXIES.items():
        try:
            value = score_network(net, images, torch.tensor([1, 2, 3]), [name], mode, seed)[name]
        except MeterError as error:
            # Narrow networks may tell no images apart, or be dead; nothing else can happen here.
            told += f"{name}: {error}"
        else:
            assert isinstance(value, float)
            assert proxy.low <= value <= proxy.high, name
    assert "not finite" not in told
    assert "l2_norm" not in told
    assert "synflow" not in told


class Twice(nn.Module):
    """One kernel of 5 on maps of two sizes."""

    def __init__(self, sizes: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 5, padding=2)
        self.head = nn.Linear(3, 4)
        self.sizes = sizes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for size in self.sizes:
            x = torch.relu(self.conv(nn.functional.interpolate(x, size=(size, size))))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (6, 2), (1, 6), (2, 1)])
def test_kernels_wider_than_their_maps_are_scored_as_a_whole(sizes):
    torch.manual_seed(0)
    network = Twice(sizes).double()
    images, labels = torch.randn(5, 3, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    found = score_network(network, images, labels, ("grad_norm", "snip", "grasp", "l2_norm"))
    weights = [network.conv.weight, network.head.weight]
    loss = nn.functional.cross_entropy(network(images), labels)
    graph = torch.autograd.grad(loss, weights, create_graph=True)
    hessian = torch.autograd.grad(sum((g * g.detach()).sum() for g in graph), weights)
    gradients, weights = [g.detach() for g in graph], [w.detach() for w in weights]
    assert found["grad_norm"] == pytest.approx(float(sum(g.norm() for g in gradients)), rel=1e-9)
    assert found["snip"] == pytest.approx(
        float(sum((g * w).abs().sum() for g, w in zip(gradients, weights, strict=True))), rel=1e-9
    )
    assert found["grasp"] == pytest.approx(
        -float(sum((h * w).sum() for h, w in zip(hessian, weights, strict=True))), rel=1e-9
    )
    assert found["l2_norm"] == pytest.approx(float(sum(w.norm() for w in weights)), rel=1e-9)
    assert network.conv.weight.grad is None
    assert "_conv_forward" not in vars(network.conv)
