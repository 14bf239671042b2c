"""Networks as ONNX files, for the devices and runtimes that torch does not reach.

torch's own exporter needs further packages and changes from release to release; a network here is made
of a dozen kinds of layers, so its graph is written down directly. Opset and file format are old
enough for runtimes since 2022.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from moo_nas.errors import InputError, MeterError

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8
INPUT, OUTPUT = "images", "scores"

_LEAVES = (
    nn.Conv2d,
    nn.Linear,
    nn.BatchNorm2d,
    nn.ReLU,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Identity,
)
# Called by name, by what Python or torch calls them.
_FUNCTIONS = {"add": "Add", "mul": "Mul", "sigmoid": "Sigmoid"}


def to_onnx(module: nn.Module, shape: Sequence[int]) -> bytes:
    """Return a module in evaluation mode as the bytes of an ONNX file.

    The input is called ``images``, float32 of a fixed shape ``(batch, channels, height, width)``;
    the output ``scores``. The module is left as it was.

    Args:
        module: Made of convolutions, linear layers, batch normalisations, ReLU, poolings,
            flattening, sums, products and sigmoids: all that :func:`moo_nas.networks.build` makes.
        shape: Of the input.

    Raises:
        InputError: The package ``onnx`` is not installed.
        MeterError: The module has a layer that is not written here.

    Example:
        >>> data = to_onnx(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (1, 3, 16, 16))
        >>> from onnx import load_from_string
        >>> [node.op_type for node in load_from_string(data).graph.node]
        ['Identity', 'Conv', 'Relu', 'Identity']

    References:
        Open Neural Network Exchange, operators of opset 17: https://onnx.ai/onnx/operators.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise InputError(f"ONNX files need the package onnx ({error}): pip install onnx.") from error
    graph = _Tracer().trace(module)
    modules = dict(module.named_modules())
    writer = _Writer()
    for node in graph.nodes:
        writer.write(node, modules)
    modes = {part: part.training for part in module.modules()}
    try:
        with torch.inference_mode():
            out_shape = module.eval()(torch.zeros(tuple(shape))).shape
    finally:
        for part, training in modes.items():
            part.training = training
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, list(out_shape))],
            writer.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="moo_nas",
    )
    data: bytes = model.SerializeToString()
    return data


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES)


class _Writer:
    """Collects ONNX nodes and weights while a traced graph is walked."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def write(self, node: fx.Node, modules: Mapping[str, nn.Module]) -> None:
        if node.op == "placeholder":
            self._add("Identity", [INPUT], node.name)
        elif node.op == "output":
            self._add("Identity", [self._operand(node.args[0], node.name)], OUTPUT)
        elif node.op == "call_module":
            layer = modules[str(node.target)]
            write = next((f for kind, f in _LAYERS.items() if isinstance(layer, kind)), None)
            if write is None:
                raise MeterError(f"A layer {type(layer).__name__} cannot be written to ONNX yet.")
            operator, weights, attributes = write(layer)
            inputs = [self._operand(node.args[0], node.name)]
            for name, tensor in weights.items():
                inputs.append(self._weight(f"{node.name}.{name}", tensor.detach().cpu().numpy()))
            self._add(operator, inputs, node.name, **attributes)
        else:
            name = getattr(node.target, "__name__", str(node.target))
            if node.op != "call_function" or name not in _FUNCTIONS or node.kwargs:
                raise MeterError(f"A call of {name} cannot be written to ONNX yet.")
            inputs = [self._operand(a, f"{node.name}.{i}") for i, a in enumerate(node.args)]
            self._add(_FUNCTIONS[name], inputs, node.name)

    def _operand(self, argument: Any, name: str) -> str:
        """Return the name of a node's result, or of a number kept as a weight."""
        if isinstance(argument, fx.Node):
            return argument.name
        return self._weight(f"{name}.constant", np.array(argument, dtype=np.float32))

    def _weight(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))


_Layer = tuple[str, dict[str, Tensor], dict[str, Any]]


def _weights(layer: nn.Conv2d | nn.Linear) -> dict[str, Tensor]:
    return {"weight": layer.weight, **({} if layer.bias is None else {"bias": layer.bias})}


def _conv(layer: nn.Conv2d) -> _Layer:
    assert not isinstance(layer.padding, str)
    attributes = {
        "kernel_shape": list(layer.weight.shape[2:]),
        "strides": list(layer.stride),
        "pads": [*layer.padding, *layer.padding],
        "dilations": list(layer.dilation),
        "group": layer.groups,
    }
    return "Conv", _weights(layer), attributes


def _norm(layer: nn.BatchNorm2d) -> _Layer:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    weights = {
        "weight": layer.weight,
        "bias": layer.bias,
        "mean": layer.running_mean,
        "var": layer.running_var,
    }
    return "BatchNormalization", weights, {"epsilon": layer.eps}


def _pair(value: int | tuple[int, int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _avg_pool(layer: nn.AvgPool2d) -> _Layer:
    attributes = {
        "kernel_shape": _pair(layer.kernel_size),
        "strides": _pair(layer.stride),
        "pads": 2 * _pair(layer.padding),
        "ceil_mode": int(layer.ceil_mode),
        # What lies outside the image counts for nothing, unless padding says it does.
        "count_include_pad": int(layer.count_include_pad and _pair(layer.padding) != [0, 0]),
    }
    return "AveragePool", {}, attributes


def _global_pool(layer: nn.AdaptiveAvgPool2d) -> _Layer:
    if layer.output_size not in (1, (1, 1)):
        raise MeterError(f"Pooling to {layer.output_size} pixels cannot be written to ONNX yet, only to 1.")
    return "GlobalAveragePool", {}, {}


_LAYERS: dict[type[nn.Module], Callable[[Any], _Layer]] = {
    nn.Conv2d: _conv,
    nn.Linear: lambda layer: ("Gemm", _weights(layer), {"transB": 1}),
    nn.BatchNorm2d: _norm,
    nn.ReLU: lambda layer: ("Relu", {}, {}),
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool2d: _global_pool,
    nn.Flatten: lambda layer: ("Flatten", {}, {"axis": layer.start_dim}),
    nn.Identity: lambda layer: ("Identity", {}, {}),
}
