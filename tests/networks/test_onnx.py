"""Networks as ONNX files: what a runtime of another make puts out is what torch does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.errors import MeterError
from moo_nas.networks import build
from moo_nas.networks.onnx import OPSET, to_onnx
from moo_nas.spaces import StageSpace
from tests.strategies import architectures, cell_architectures

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(data: bytes, images: torch.Tensor) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})[0]


def lived(network: nn.Module) -> nn.Module:
    """Give batch normalisations statistics that are not 0 and 1, as training does."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network


def agree(network: nn.Module, size: int, batch: int = 2) -> None:
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
    lived(network).eval()
    with torch.inference_mode():
        expected = network(images).numpy()
    found = run(to_onnx(network, images.shape), images)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("space", [StageSpace.haenas(), StageSpace.mnasnet()], ids=["haenas", "mnasnet"])
def test_a_network_of_a_large_space_is_computed_as_in_torch(space):
    agree(build(space.decode(space.sample(1, seed=3)[0]), 10), size=32)


@given(architectures() | cell_architectures(), st.integers(1, 17))
@settings(max_examples=40)
def test_any_network_is_computed_as_in_torch(architecture, size):
    agree(build(architecture, 5), size)


def test_the_file_says_its_opset_and_the_shapes_and_is_valid():
    architecture = StageSpace.haenas().decode(StageSpace.haenas().sample(1, seed=0)[0])
    model = onnx.load_from_string(to_onnx(build(architecture, 7), (4, 3, 33, 33)))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == OPSET
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"images": [4, 3, 33, 33], "scores": [4, 7]}


def test_equal_networks_give_equal_bytes_and_the_module_stays_as_it_was():
    architecture = StageSpace.haenas().decode(StageSpace.haenas().sample(1, seed=0)[0])
    network = build(architecture, 7)
    assert network.training
    first = to_onnx(network, (1, 3, 32, 32))
    assert network.training
    assert all(int(m.num_batches_tracked) == 0 for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert first == to_onnx(build(architecture, 7), (1, 3, 32, 32))
    assert first != to_onnx(build(architecture, 7, seed=1), (1, 3, 32, 32))


def test_each_part_of_a_module_stays_in_the_mode_it_was_in():
    network = build(StageSpace.haenas().decode(StageSpace.haenas().sample(1, seed=0)[0]), 7)
    for part in list(network.modules())[::3]:
        part.training = False
    before = [part.training for part in network.modules()]
    assert len(set(before)) == 2
    to_onnx(network, (1, 3, 32, 32))
    assert [part.training for part in network.modules()] == before
    with pytest.raises(RuntimeError):
        to_onnx(network, (1, 5, 32, 32))  # of another number of channels
    assert [part.training for part in network.modules()] == before


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()), "gelu"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(2)), "Pooling to 2"),
    ],
)
def test_what_cannot_be_written_is_named(module, named):
    with pytest.raises(MeterError, match=named):
        to_onnx(module, (1, 3, 8, 8))
