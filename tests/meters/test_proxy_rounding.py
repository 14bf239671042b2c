"""What would be rounding and no score is refused."""

import math

import pytest
import torch
from torch import nn

from moo_nas.errors import MeterError
from moo_nas.meters.proxies import PROXIES, score_network
from moo_nas.networks import build
from moo_nas.spaces import Architecture

A = Architecture.parse("stem_k3_s2_c8 fused_d1_k3_s1_e2_c8 ibn_d1_k3_s2_e3_c12_se0.25 conv_pool_c16")
WITHOUT_IMAGES = ("synflow", "zen", "l2_norm")


@pytest.mark.parametrize("name", sorted({*PROXIES} - {*WITHOUT_IMAGES}))
def test_what_minibatch_normalisation_leaves_nothing_of_is_refused_and_not_scored_by_rounding(name):
    net, labels = build(A, 10), torch.arange(8)
    images = torch.randn(8, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    assert math.isfinite(score_network(net, images, labels, [name], "train")[name])
    with pytest.raises(MeterError, match="The 8 images are identical, of one pixel"):
        score_network(net, images[:1].repeat(8, 1, 1, 1), labels, [name], "train")
    with pytest.raises(MeterError, match="sees 7 numbers a channel, and needs 8"):
        score_network(net, images[:7], labels[:7], [name], "train")
    assert math.isfinite(score_network(net, images[:7], labels[:7], [name], "eval")[name])


def test_an_input_gradient_that_is_constant_but_for_rounding_has_no_jacob_cov():
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    conv = nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular")
    net = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for kind in (torch.float32, torch.float64):
        with pytest.raises(MeterError, match="that of image 0 is constant"):
            score_network(net.to(kind), images.to(kind), torch.arange(8), ["jacob_cov"])
