"""Networks and minibatches at the edge: a right number, or an error that says what is wrong."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from moo_nas.errors import InputError, MeterError
from moo_nas.meters.proxies import PROXIES, score_network
from moo_nas.networks import build
from moo_nas.spaces import Architecture, StageSpace

A = Architecture.parse("stem_k3_s2_c8 fused_d1_k3_s1_e2_c8 ibn_d1_k3_s2_e3_c12_se0.25 pool_conv_c16")
# Its head normalises ahead of the pooling: in A, what is pooled of one image normalised by itself is 0.
B = Architecture.parse("stem_k3_s2_c8 fused_d1_k3_s1_e2_c8 ibn_d1_k3_s2_e3_c12_se0.25 conv_pool_c16")
MODES = ("train", "eval")
OF_THE_LOSS = ("grad_norm", "grad_norm_global", "snip", "grasp", "fisher", "plain")
WITHOUT_IMAGES = ("synflow", "zen", "l2_norm")
K = 1e-5


def linear(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(n_in, n_out))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted({*PROXIES} - {"naswot"}))
def test_identical_images_are_as_many_times_one(name, mode, images, labels):
    net = build(B, 10).double()
    one = images[:1].double()
    value = score_network(net, one.repeat(4, 1, 1, 1), labels[:1].repeat(4), [name], mode)[name]
    if name == "jacob_cov":
        assert value == pytest.approx(-(math.log(4 + K) + 1 / (4 + K) + 3 * (math.log(K) + 1 / K)), rel=1e-6)
    elif name == "zen":
        assert math.isfinite(value)  # looks at noise, as much of it as there are images
    else:
        if name == "fisher":
            value *= 4**2  # of the mean loss an image has the n-th part, and it is squared
        assert value == pytest.approx(
            score_network(net, one, labels[:1], [name], mode)[name], rel=1e-6, abs=0
        )


@pytest.mark.parametrize("mode", MODES)
def test_identical_images_have_no_naswot(mode, images, labels):
    images[4] = images[2]
    with pytest.raises(MeterError, match="images 2 and 4 switch every ReLU alike"):
        score_network(build(A, 10), images, labels, ["naswot"], mode)


def test_more_images_than_independent_patterns_have_no_naswot():
    # One unit in two places: four patterns, of rank at most 3.
    patterns = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).reshape(4, 1, 1, 2)
    net = nn.Sequential(nn.ReLU(), linear(2, 2))
    with pytest.raises(MeterError, match="the patterns of 4 images have rank 3; take fewer images"):
        score_network(net, patterns, torch.tensor([0, 1, 0, 1]), ["naswot"])
    three = score_network(net, patterns[:3], torch.tensor([0, 1, 0]), ["naswot"])["naswot"]
    assert three == pytest.approx(math.log(4))  # det [[2, 1, 1], [1, 2, 0], [1, 0, 2]]


@pytest.mark.parametrize("mode", MODES)
def test_one_image_has_every_proxy_but_those_that_compare_images(mode, images, labels):
    net, comparing = build(A, 10).double(), ("jacob_cov", "naswot")
    values = score_network(net, images[:1].double(), labels[:1], {*PROXIES} - {*comparing}, mode)
    assert all(math.isfinite(value) for value in values.values())
    for name in comparing:
        with pytest.raises(MeterError, match=f"{name} compares images; it needs at least 2"):
            score_network(net, images[:1].double(), labels[:1], [name], mode)


def test_one_image_of_one_pixel_cannot_be_normalised_by_itself():
    net, one = build(A, 10), torch.ones(1, 3, 1, 1)
    with pytest.raises(MeterError, match="sees 1 numbers a channel, and needs 8"):
        score_network(net, one, torch.tensor([0]), ["snip"], "train")
    assert math.isfinite(score_network(net, one, torch.tensor([0]), ["snip"], "eval")["snip"])


@pytest.mark.parametrize("name", PROXIES)
def test_no_images_are_refused(name):
    with pytest.raises(MeterError, match=r"needs images \(n, channels, height, width\); got \(0, 3, 8, 8\)"):
        score_network(build(A, 10), torch.zeros(0, 3, 8, 8), torch.zeros(0).long(), [name])


def test_an_image_without_gradient_counts_as_nothing_and_has_no_jacob_cov():
    # The one unit is off for image 1, so neither loss nor scores answer to it.
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 1, bias=False), nn.ReLU(), nn.Linear(1, 2, bias=False)
    ).double()
    net[1].weight.data.fill_(1.0)
    net[3].weight.data.copy_(torch.tensor([[1.0], [-0.5]]))
    x = torch.tensor([[1.0, 2, 3, 4], [-1, -2, -3, -4]]).double().reshape(2, 1, 2, 2)
    labels = torch.tensor([1, 0])
    values = score_network(net, x, labels, [*OF_THE_LOSS, "naswot"])
    p = 1 / (1 + math.exp(-15))  # of the wrong class, for image 0; half of it counts, as one of two images
    first, second = p / 2 * 1.5 * np.array([1.0, 2, 3, 4]), p / 2 * 10 * np.array([1.0, -1.0])
    assert values["grad_norm"] == pytest.approx(np.linalg.norm(first) + np.linalg.norm(second), rel=1e-9)
    assert values["naswot"] == pytest.approx(0)  # the two disagree in the one unit: K is the unit matrix
    with pytest.raises(MeterError, match=r"image 0 is constant \(2 of 2 are\)"):
        score_network(net, x, labels, ["jacob_cov"])
    net[1].weight.data.copy_(torch.tensor([[1.0, 2, 3, 5]]))
    with pytest.raises(MeterError, match=r"that of image 1 is constant \(1 of 2 are\)"):
        score_network(net, x, labels, ["jacob_cov"])


@pytest.mark.parametrize("name", PROXIES)
def test_more_images_than_numbers_in_one(name):
    images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    net = build(Architecture.parse("stem_k3_s1_c16 fused_d1_k3_s1_e4_c16 pool_conv_c64"), 10)
    assert math.isfinite(score_network(net, images, torch.arange(40) % 10, [name])[name])


def test_a_network_without_relu_has_all_but_naswot(images, labels):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Sigmoid(), linear(256, 10))
    values = score_network(net, images, labels, {*PROXIES} - {"naswot"})
    assert all(math.isfinite(value) for value in values.values())
    with pytest.raises(MeterError, match="calls no ReLU module"):
        score_network(net, images, labels, ["naswot"])


def test_a_network_without_convolution_has_every_proxy(images, labels):
    net = nn.Sequential(linear(432, 20), nn.ReLU(), nn.Linear(20, 10))
    assert all(math.isfinite(v) for v in score_network(net, images, labels, PROXIES).values())


@pytest.mark.parametrize("name", sorted({*PROXIES} - {"jacob_cov", "naswot", "zen"}))
def test_a_network_without_weights_is_refused(name, images, labels):
    with pytest.raises(MeterError, match="no convolution or linear layer"):
        score_network(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.ReLU(), nn.Flatten()), images, labels, [name])


def test_frozen_weights_are_scored_like_all(images, labels):
    net = build(A, 10)
    expected = score_network(net, images, labels, PROXIES)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert score_network(net, images, labels, PROXIES) == expected
    assert not any(parameter.requires_grad for parameter in net.parameters())


class Constant(nn.Module):
    """Looks at its images, and answers the same whatever they and its weights are."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 10, 3), nn.ReLU()

    def forward(self, x):
        return torch.zeros_like(self.relu(self.conv(x)).mean(dim=(2, 3)))


class Detached(Constant):
    """Its scores depend on its weights, but torch was told to forget how."""

    def forward(self, x):
        return self.relu(self.conv(x)).mean(dim=(2, 3)).detach()


@pytest.mark.parametrize("network", [Constant, Detached])
@pytest.mark.parametrize("name", OF_THE_LOSS)
def test_a_network_without_gradient_has_no_proxy_of_the_loss(network, name, images, labels):
    with pytest.raises(MeterError, match="The loss has no gradient"):
        score_network(network(), images, labels, [name])


def test_a_network_without_gradient_has_neither_jacob_cov_nor_synflow(images, labels):
    with pytest.raises(MeterError, match="image 0 is constant"):
        score_network(Constant(), images, labels, ["jacob_cov"])
    with pytest.raises(MeterError, match="synflow is the logarithm of 0"):
        score_network(Constant(), images, labels, ["synflow"])


@pytest.mark.parametrize("name", OF_THE_LOSS)
def test_a_dead_network_has_no_proxy_of_the_loss(name, images, labels):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), linear(400, 10))
    net[0].bias.data.fill_(-1e6)
    with pytest.raises(MeterError, match="The loss has no gradient"):
        score_network(net, images, labels, [name])


def test_weights_without_a_part_in_the_loss_count_as_nothing(images, labels):
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = linear(432, 10), nn.Conv2d(3, 3, 3)

        def forward(self, x):
            self.spare(x)  # called, and forgotten
            return self.used(x)

    net = Spare()
    proxies = (*OF_THE_LOSS, "synflow")
    assert score_network(net, images, labels, proxies) == score_network(net.used, images, labels, proxies)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", sorted({*PROXIES} - {"zen"}))
def test_a_weight_that_is_not_finite_is_named(name, bad, images, labels):
    net = build(A, 10)
    net[1].body[0][0].weight.data[0, 0, 0, 0] = bad
    with pytest.raises(MeterError, match=r"'1\.body\.0\.0\.weight' of the network holds NaN or infinity"):
        score_network(net, images, labels, [name])


@pytest.mark.parametrize("name", sorted({*PROXIES} - {*WITHOUT_IMAGES}))
def test_a_pixel_that_is_not_finite_is_told(name, images, labels):
    images[2, 1, 3, 3] = math.nan
    with pytest.raises(MeterError, match="the images hold NaN or infinity"):
        score_network(build(A, 10), images, labels, [name])


@pytest.mark.parametrize("name", OF_THE_LOSS)
def test_a_network_of_one_class_has_no_proxy_of_the_loss(name, images):
    with pytest.raises(MeterError, match="tells one class apart"):
        score_network(build(A, 1), images, torch.zeros(6).long(), [name])


def test_a_network_of_one_class_has_the_others(images):
    values = score_network(build(A, 1), images, torch.zeros(6).long(), {*PROXIES} - {*OF_THE_LOSS})
    assert all(math.isfinite(value) for value in values.values())


def test_images_of_one_class_have_every_proxy(images):
    values = score_network(build(A, 10), images, torch.full((6,), 4), PROXIES)
    assert all(math.isfinite(value) for value in values.values())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3, 4, 10], "Labels must be 0 to 9, as the network has 10 class scores; got 0 to 10"),
        ([0, 1, 2, 3, 4, -1], "got -1 to 4"),
        ([0, 1, 2], "6 images need as many labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message, images):
    with pytest.raises(MeterError, match=message):
        score_network(build(A, 10), images, torch.tensor(labels), ["snip"])


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.float32])
def test_labels_that_are_no_int64_are_refused(kind, images, labels):
    with pytest.raises(MeterError, match="Labels must be int64"):
        score_network(build(A, 10), images, labels.to(kind), ("snip",))


def test_images_that_are_no_floating_point_numbers_are_refused(images, labels):
    with pytest.raises(MeterError, match="floating-point"):
        score_network(build(A, 10), (255 * images).byte(), labels, ("snip",))


def test_what_is_no_classifier_is_refused(images, labels):
    with pytest.raises(MeterError, match=r"must return class scores .* got \(6, 4, 10, 10\)"):
        score_network(nn.Conv2d(3, 4, 3), images, labels, ["snip"])


def test_an_unknown_proxy_is_named_with_the_closest(images, labels):
    with pytest.raises(InputError, match="did you mean 'naswot'"):
        score_network(build(A, 10), images, labels, ["nwot"])


@pytest.mark.parametrize(
    ("weight", "depth", "message"), [(10.0, 400, "overflow"), (0.01, 200, "below 1e-308")]
)
def test_a_flow_that_float64_cannot_hold_is_told(weight, depth, message):
    chain = nn.Sequential(*(nn.Conv2d(1, 1, 1, bias=False) for _ in range(depth)), nn.Flatten())
    for conv in chain[:-1]:
        nn.init.constant_(conv.weight, weight)
    with pytest.raises(MeterError, match=message):
        score_network(chain, torch.zeros(1, 1, 1, 2), torch.tensor([0]), ["synflow"])


def test_the_deepest_network_of_haenas_three_times_over_has_a_synflow():
    space = StageSpace.haenas()
    # The last choice of a gene is its largest; of operators, the first is IBN, of three convolutions.
    largest = space.decode(np.array([0 if "operator" in g.name else len(g.choices) - 1 for g in space.genes]))
    net = build(largest.scaled(depth=3.0), 10)
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) > 150
    value = score_network(net, torch.zeros(1, 3, 32, 32), torch.tensor([0]), ["synflow"])["synflow"]
    assert 100 < value < 700


def test_zen_needs_a_feature_map(images, labels):
    message = "the feature map ahead of the head"
    for net in (Constant(), nn.Sequential(linear(432, 10)), nn.Sequential()):
        with pytest.raises(MeterError, match=message):
            score_network(net, images, labels, ["zen"])


def test_a_feature_map_that_does_not_answer_has_no_zen(images, labels):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Threshold(1e9, 0.0), linear(400, 10))
    with pytest.raises(MeterError, match="zen is the logarithm of 0"):
        score_network(net, images, labels, ["zen"])


def test_shared_weights_count_once(images, labels):
    net = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1), linear(432, 10)
    )
    net[2].weight = net[0].weight
    values = score_network(net, images, labels, PROXIES)
    norms = sum(float(layer.weight.detach().norm()) for layer in (net[0], net[3][1]))
    assert values["l2_norm"] == pytest.approx(norms, rel=1e-6)


def test_a_weight_that_is_computed_is_refused(images, labels):
    net = linear(432, 10)
    torch.nn.utils.parametrizations.weight_norm(net[1])
    with pytest.raises(MeterError, match="layer '1' is computed from other parameters"):
        score_network(net, images, labels, ["snip"])


class Breaks(nn.Module):
    """Fails in the middle of a forward pass."""

    def forward(self, x):
        raise RuntimeError("broken")


def everything(net):
    """All that a proxy could leave changed: tensors, flags, modes, hooks, attributes."""
    return [
        [(n, t.clone(), t.requires_grad, t.grad) for n, t in net.state_dict(keep_vars=True).items()],
        [
            (
                n,
                m.training,
                *(len(v) for k, v in sorted(vars(m).items()) if k.endswith("hooks")),
                sorted(vars(m)),
            )
            for n, m in net.named_modules()
        ],
        torch.get_rng_state().tolist(),
    ]


def assert_same(one, other):
    assert one[1:] == other[1:]
    for (name, a, *a_flags), (_, b, *b_flags) in zip(one[0], other[0], strict=True):
        assert torch.equal(a, b), name
        assert all(x is y for x, y in zip(a_flags, b_flags, strict=True)), name


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("breaks", [False, True])
def test_a_proxy_leaves_the_network_as_it_was_even_when_it_fails(name, breaks, images, labels):
    net = build(A, 10)
    net.insert(2, nn.Dropout(0.5))
    net[0].eval()
    net[1].requires_grad_(False)
    if breaks:
        net.insert(2, Breaks())
    before = everything(net)
    if breaks and name != "l2_norm":
        with pytest.raises(MeterError, match="broken"):
            score_network(net, images, labels, [name])
    else:
        score_network(net, images, labels, [name])
    assert_same(everything(net), before)


@pytest.mark.parametrize("name", PROXIES)
def test_dropout_and_the_global_generator_have_no_part_in_a_score(name, images, labels):
    plain = build(A, 10)
    dropping = nn.Sequential(plain[0], nn.Dropout(0.5), *plain[1:]).train()
    expected = score_network(plain, images, labels, [name])
    for seed in (1, 2):
        torch.manual_seed(seed)
        assert score_network(dropping, images, labels, [name]) == expected


@pytest.mark.parametrize("name", ["snip", "grad_norm"])
def test_a_convolution_of_the_users_own_is_used_and_kept(name, images, labels):
    net = build(A, 10)
    expected = score_network(net, images, labels, [name])[name]
    layer = net[1].body[0][0]
    own = layer._conv_forward

    def doubled(x, weight, bias):
        return 2 * own(x, weight, bias) + 1  # a constant that normalisation by the minibatch takes away

    layer.__dict__["_conv_forward"] = doubled
    assert score_network(net.eval(), images, labels, [name], "eval")[name] != expected
    assert layer.__dict__["_conv_forward"] is doubled


def test_noise_that_a_network_draws_is_the_same_whatever_the_global_generator(images, labels):
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    net = nn.Sequential(Noisy(), linear(432, 10))
    found = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.add(score_network(net, images, labels, ["snip"])["snip"])
    assert len(found) == 1
