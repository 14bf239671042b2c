"""Proxies against plain .backward() on copies, and numpy."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from moo_nas.arrays import stable_seed
from moo_nas.errors import InputError, MeterError
from moo_nas.meters import ZeroCost
from moo_nas.meters.proxies import PROXIES, score_network
from moo_nas.meters.proxies.inputs import load_batch
from moo_nas.networks import build
from moo_nas.spaces import Architecture

A = Architecture.parse("stem_k3_s2_c8 fused_d1_k3_s1_e2_c8 ibn_d1_k3_s2_e3_c12_se0.25 conv_pool_c16")
MODES = ("train", "eval")


def weights_of(network: nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def backward(network, images, labels, mode):
    """A copy of the network with the loss's gradients in .grad, and its images with theirs."""
    network = copy.deepcopy(network).train(mode == "train")
    nn.functional.cross_entropy(network(images), labels).backward()
    x = images.clone().requires_grad_(True)
    copy.deepcopy(network)(x).sum().backward()
    return (
        [w.detach().double() for w in weights_of(network)],
        [w.grad.double() for w in weights_of(network)],
        x.grad,
    )


@pytest.mark.parametrize("mode", MODES)
def test_first_order_proxies_are_those_of_a_plain_backward_pass(images, labels, mode):
    network = build(A, 10, seed=5)
    scores = score_network(network, images, labels, PROXIES, mode)
    weights, gradients, _ = backward(network, images, labels, mode)
    norms = [float(g.norm()) for g in gradients]
    assert scores["grad_norm"] == pytest.approx(sum(norms), rel=1e-5)
    assert scores["grad_norm_global"] == pytest.approx(np.linalg.norm(norms), rel=1e-5)
    snip = sum(float((w * g).abs().sum()) for w, g in zip(weights, gradients, strict=True))
    assert scores["snip"] == pytest.approx(snip, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_jacob_cov_is_numpys(images, labels, mode):
    network = build(A, 10, seed=5).double()
    score = score_network(network, images.double(), labels, ["jacob_cov"], mode)["jacob_cov"]
    network.train(mode == "train")
    x = images.double().requires_grad_(True)
    copy.deepcopy(network)(x).sum().backward()
    if mode == "train":
        # Batch norm ties the images together: their summed scores' gradient is what is correlated.
        assert x.grad.shape[0] == 6
    s = np.linalg.eigvalsh(np.corrcoef(x.grad.flatten(1).numpy()))
    assert score == pytest.approx(-np.sum(np.log(s + 1e-5) + 1 / (s + 1e-5)), rel=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_grasp_is_that_of_the_whole_hessian(mode):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)
    ).double()
    images, labels = torch.randn(5, 3, 4, 4).double(), torch.tensor([0, 1, 2, 1, 0])
    score = score_network(network, images, labels, ["grasp"], mode)["grasp"]
    network = copy.deepcopy(network).train(mode == "train")
    conv, linear = network[0], network[4]
    theta = torch.cat([conv.weight.detach().flatten(), linear.weight.detach().flatten()])

    def loss(flat):
        parts = {"0.weight": flat[:54].view_as(conv.weight), "4.weight": flat[54:].view_as(linear.weight)}
        buffers = {name: b.clone() for name, b in network.named_buffers()}
        scores = torch.func.functional_call(network, {**parts, **buffers}, (images,))
        return nn.functional.cross_entropy(scores, labels)

    hessian = torch.autograd.functional.hessian(loss, theta)
    gradient = torch.autograd.functional.jacobian(loss, theta)
    assert score == pytest.approx(-float((hessian @ gradient) @ theta), rel=1e-9)
    assert score != 0


@pytest.mark.parametrize("mode", MODES)
def test_one_pass_for_all_is_as_one_for_each(images, labels, mode):
    network = build(A, 10)
    together = score_network(network, images, labels, PROXIES, mode)
    for name in PROXIES:
        assert score_network(network, images, labels, [name], mode)[name] == together[name]


def test_scores_are_taken_even_where_gradients_are_switched_off(images, labels):
    network = build(A, 10)
    expected = score_network(network, images, labels)
    with torch.no_grad():
        assert score_network(network, images, labels) == expected


def test_uncorrelated_images_give_the_largest_jacob_cov():
    from moo_nas.meters.proxies.jacob_cov import correlation_score

    orthogonal = torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, -1], [1, 1, -1, -1]])
    best = correlation_score(orthogonal)
    assert best == pytest.approx(-3 * (np.log(1 + 1e-5) + 1 / (1 + 1e-5)))
    rng = torch.Generator().manual_seed(0)
    assert all(correlation_score(torch.randn(3, 4, generator=rng)) < best for _ in range(20))


def test_more_images_than_pixels_give_a_finite_jacob_cov():
    images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    network = build(Architecture.parse("stem_k3_s1_c8 fused_d1_k3_s1_e2_c8 pool_conv_c16"), 10)
    score = score_network(network, images, torch.arange(40) % 10, ["jacob_cov"])["jacob_cov"]
    assert np.isfinite(score)
    assert score < -1e5  # at least 28 of the 40 eigenvalues are 0


def test_a_network_that_does_not_look_at_its_images_has_no_jacob_cov(images, labels):
    network = build(A, 10)
    torch.nn.init.zeros_(network[-1][-1].weight)
    with pytest.raises(MeterError, match=r"image 0 is constant \(6 of 6 are\)"):
        score_network(network, images, labels, ["jacob_cov"])


def test_the_seed_draws_the_weights_and_the_meters_the_images():
    meter = ZeroCost(("snip",), image_size=8, batch_size=8)
    one, other = meter.measure([A, A], [1, 2])[:, 0]
    assert one != other
    assert ZeroCost(("snip",), image_size=8, batch_size=8, seed=1).measure([A], [1])[0, 0] != one


def test_measuring_is_scoring_the_built_network_on_the_batch():
    batch = load_batch("digits", 5, 11, 7)
    images, labels = torch.tensor(batch.images, dtype=torch.float32), torch.tensor(batch.labels)
    expected = score_network(build(A, 12, seed=3, image_size=11), images, labels, PROXIES, "eval", 3)
    # What no pixel meets has a norm all the same.
    expected |= score_network(build(A, 12, seed=3), images, labels, ["l2_norm"])
    meter = ZeroCost(image_size=11, batch_size=5, n_classes=12, batch_norm="eval", seed=7)
    # But for rounding: the meter lays weights out in another order in memory.
    assert meter.measure([A], [3])[0] == pytest.approx([expected[name] for name in PROXIES], rel=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"proxies": ("snap",)}, "did you mean 'snip'"),
        ({"data": "digit"}, "did you mean 'digits'"),
        ({"batch_norm": "off"}, "'train' or 'eval'; got 'off'"),
        ({"batch_size": 1}, "at least 2 images"),
        ({"batch_size": 1798}, "has 1797 images; a batch of 1798"),
        ({"n_classes": 9}, "at least 10 classes"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(wrong, message):
    with pytest.raises(InputError, match=message):
        ZeroCost(**wrong)


@pytest.mark.parametrize("source", ["digits", "noise"])
@pytest.mark.parametrize("size", [1, 8, 13, 32])
def test_a_batch_has_its_size_and_is_the_same_for_the_same_seed(source, size):
    batch = load_batch(source, 9, size, 0)
    assert batch.images.shape == (9, 3, size, size)
    assert np.isfinite(batch.images).all()
    assert ((batch.labels >= 0) & (batch.labels < 10)).all()
    load_batch.cache_clear()
    assert load_batch(source, 9, size, 0).hash == batch.hash
    assert load_batch(source, 9, size, 1).hash != batch.hash


def test_digits_are_standardised_and_drawn_without_replacement():
    batch = load_batch("digits", 1797, 8, 0)
    assert batch.images.mean() == pytest.approx(0, abs=1e-9)
    assert batch.images.std() == pytest.approx(1)
    assert np.bincount(batch.labels).min() > 170


def test_a_value_is_the_mean_over_minibatches_and_draws_of_the_weights():
    common = {"proxies": ("snip", "jacob_cov"), "image_size": 9, "batch_size": 8}
    whole = ZeroCost(**common, n_batches=2, n_seeds=2, seed=5).measure([A], [3])[0]
    seeds, batches = (3, stable_seed(3, 1)), (5, stable_seed(5, 1))
    parts = [ZeroCost(**common, seed=b).measure([A], [s])[0] for s in seeds for b in batches]
    assert whole == pytest.approx(np.mean(parts, axis=0))


def test_more_draws_of_the_weights_repeat_better():
    values = [
        [ZeroCost(("snip",), 9, 4, n_seeds=n).measure([A], [s])[0, 0] for s in range(0, 800, 100)]
        for n in (1, 16)
    ]
    assert np.std(values[1]) < np.std(values[0])


@pytest.mark.parametrize(
    "options", [{"n_batches": 2}, {"n_seeds": 2}, {"init": "torch"}, {"init": "xavier"}, {"seed": 1}]
)
def test_what_changes_a_score_changes_the_meters_identity(options):
    assert ZeroCost(**options).key != ZeroCost().key
    assert ZeroCost(("snip",), **options).measure([A], [0]) != ZeroCost(("snip",)).measure([A], [0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_batches": 0}, "must be positive; got 0 and 1"),
        ({"n_seeds": 0}, "must be positive; got 1 and 0"),
        ({"init": "zeros"}, "Unknown initialisation 'zeros'"),
        ({"device": "gpu"}, "Unknown device 'gpu'"),
    ],
)
def test_options_that_are_impossible_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ZeroCost(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_cuda_where_there_is_none_is_said():
    with pytest.raises(InputError, match="finds no CUDA GPU on this machine"):
        ZeroCost(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_gives_the_same_scores_but_for_rounding():
    names = ("grad_norm", "snip", "synflow", "l2_norm")
    there = ZeroCost(names, device="cuda").measure([A], [0])
    assert there == pytest.approx(ZeroCost(names).measure([A], [0]), rel=1e-3)


def test_a_proxy_that_is_not_defined_leaves_the_others(monkeypatch):
    def undefined(passes):
        raise MeterError("two images have one code")

    monkeypatch.setattr("moo_nas.meters.proxies.naswot.naswot", undefined)
    found = ZeroCost(("snip", "naswot", "jacob_cov"), 9, 8).measure([A], [0])[0]
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[0] == ZeroCost(("snip",), 9, 8).measure([A], [0])[0, 0]
    with pytest.raises(MeterError, match="one code"):
        ZeroCost(("naswot",), 9, 8).measure([A], [0])


def test_scores_are_those_of_their_revision():
    # Where these change, _REVISION must, so that a store never mixes old scores with new ones.
    text = "stem_k3_s2_c8 fused_d2_k3_s1_e2_c8 ibn_d2_k5_s2_e3_c12_se0.25 pool_conv_c16"
    expected = {
        "grad_norm": 10.748706,
        "grad_norm_global": 5.041574,
        "snip": 27.478299,
        "grasp": -32.126488,
        "jacob_cov": -8.095133,
        "synflow": 25.978729,
        "naswot": 73.439827,
        "zen": 13.336141,
        "fisher": 4.229742,
        "l2_norm": 96.62693,
        "plain": 0.0882961,
    }
    assert set(expected) == set(PROXIES)
    meter = ZeroCost(tuple(expected), batch_size=8)
    found = meter.measure([Architecture.parse(text)], [0])[0]
    assert found == pytest.approx(list(expected.values()), rel=1e-3)
    assert meter.settings["revision"] == 2
