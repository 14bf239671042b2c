"""The minibatch that proxies are tested on."""

import pytest
import torch


@pytest.fixture
def images():
    return torch.randn(6, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels():
    return torch.tensor([0, 3, 1, 9, 3, 2])
