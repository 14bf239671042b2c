"""Costs by formula: parameters, operations, and the memory that is held and moved."""

import functools
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.base import BlockMeter, Metric
from moo_nas.spaces import Block, Layer
from moo_nas.spaces.tables import Reduction, reduce_costs

_BYTES = 4  # of a bias, and of each of batch norm's two numbers per channel, at any bit width

# What is summed or maximised over layers: the first of the metrics, in their order.
COSTS: dict[str, Reduction] = {
    "params": "sum",
    "params_survey": "sum",
    "macs": "sum",
    "flops": "sum",
    "flops_survey": "sum",
    "peak_activation_bytes": "max",
    "weight_bytes": "sum",
    "activation_bytes": "sum",
}
_FLOPS, _MACS = (list(COSTS).index(name) for name in ("flops", "macs"))
_MOVED = [list(COSTS).index(name) for name in ("weight_bytes", "activation_bytes")]


class Analytic(BlockMeter):
    r"""Costs that follow from an architecture's layers alone.

    For a convolution of :math:`C_{in}` to :math:`C_{out}` channels, kernel :math:`K`, groups
    :math:`g`, input :math:`H \times W` and output :math:`H' \times W'`, weights of :math:`b_w` and
    activations of :math:`b_a` bits:

    ============================ ============================================================
    ``params``                   everything trained: weights, biases, batch norm's two per channel
    ``params_survey``            eq. 5: :math:`K^2 C_{in} C_{out} / g`, plus :math:`C_{out}` with a
                                 bias; eq. 6 (linear): :math:`IO + O`. No batch norm.
    ``macs``                     :math:`H' W' K^2 C_{in} C_{out} / g`; linear: :math:`IO`; pooling,
                                 batch norm and additions: none
    ``flops``                    2 macs
    ``flops_survey``             eq. 3: :math:`2 H W (K^2 C_{in} / g + 1) C_{out}`, with the size of
                                 the *input* as printed; eq. 4 (linear): :math:`2 (I - 1) O`
    ``peak_activation_bytes``    the most that is alive while one layer runs, of one image: its
                                 input and output, a block's input that is added
                                 later, a cell's nodes that are needed later, and the tensor a
                                 squeeze-and-excite scales. Batch norm, ReLU and additions are
                                 taken to work in place.
    ``weight_bytes``             the model's size: weights of :math:`b_w` bits, biases and batch
                                 norm's two per channel in 32 bits; of 32-bit weights 4 params
    ``activation_bytes``         the activations that are moved, of one image: the inputs and outputs
                                 of all layers (convolutions, linear layers, poolings, batch norms
                                 that follow no convolution). Other batch norms, ReLU, additions
                                 and squeeze-and-excite's scaling are taken to be fused with them.
    ``arithmetic_intensity``     flops for each byte moved, if every weight is read once for
                                 an image: flops / (weight_bytes + activation_bytes). The roofline
                                 model's operational intensity without a cache between layers.
    ``bit_operations``           :math:`macs \cdot b_w \cdot b_a`: what a multiplication of numbers
                                 of so many bits takes in operations on single bits
    ============================ ============================================================

    A layer's bytes are rounded up to whole ones. Exact: integers below 2**53 in float64.

    Args:
        image_size: Width of the (square) images in pixels.
        n_classes: How many classes the head tells apart.
        weight_bits: Bits of a weight, 1 to 32.
        activation_bits: Bits of an activation, 1 to 32.

    Raises:
        InputError: A size or number of classes that is not positive, bits out of range.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280")
        >>> int(Analytic(image_size=224, n_classes=1000).measure([a], [0])[0, 0])
        1327432
        >>> names = [metric.name for metric in Analytic.metrics]
        >>> eight_bits = Analytic(224, 1000, weight_bits=8, activation_bits=8).measure([a], [0])[0]
        >>> int(eight_bits[names.index("weight_bytes")])
        1337536

    References:
        The survey's eq. 3-6: Hardware-aware neural architecture search, section "Calculation of
        FLOPs and Model Size". S. Williams, A. Waterman, D. Patterson. Roofline: An Insightful Visual
        Performance Model for Multicore Architectures. Communications of the ACM 52(4), 2009.
        Bit-operations: M. van Baalen et al. Bayesian Bits: Unifying Quantization and Pruning.
        NeurIPS 2020.
    """

    metrics = (
        Metric("params", "1", "min"),
        Metric("params_survey", "1", "min"),
        Metric("macs", "1", "min"),
        Metric("flops", "1", "min"),
        Metric("flops_survey", "1", "min"),
        Metric("peak_activation_bytes", "B", "min"),
        Metric("weight_bytes", "B", "min"),
        Metric("activation_bytes", "B", "min"),
        Metric("arithmetic_intensity", "FLOP/B", "max"),
        Metric("bit_operations", "1", "min"),
    )
    of_layers = True
    reductions: tuple[Reduction, ...] = tuple(COSTS.values())

    def __init__(
        self,
        image_size: int = 224,
        n_classes: int = 1000,
        weight_bits: int = 32,
        activation_bits: int = 32,
    ) -> None:
        super().__init__(image_size, n_classes)
        for name, bits in (("weight_bits", weight_bits), ("activation_bits", activation_bits)):
            if not 1 <= bits <= 32:
                raise InputError(f"{name} must be 1 to 32; got {bits}.")
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits

    @property
    def settings(self) -> dict[str, Any]:
        # The common case stays unsaid, so that runs made before there was another go on.
        if self.weight_bits == self.activation_bits == 32:
            return super().settings
        bits = {"weight_bits": self.weight_bits, "activation_bits": self.activation_bits}
        return {**super().settings, **bits}

    def block_cost(self, block: Block) -> FloatArray:
        """Return one block's ``COSTS``, ``(n_costs,)``."""
        return np.array(_block_cost(block, self.weight_bits, self.activation_bits))

    def derive(self, costs: FloatArray) -> FloatArray:
        metrics = np.empty((len(costs), len(self.metrics)))
        metrics[:, : len(COSTS)] = costs
        moved = costs[:, _MOVED[0]] + costs[:, _MOVED[1]]
        np.divide(costs[:, _FLOPS], moved, out=metrics[:, len(COSTS)])
        np.multiply(costs[:, _MACS], self.weight_bits * self.activation_bits, out=metrics[:, len(COSTS) + 1])
        return metrics


@functools.lru_cache(maxsize=1 << 16)
def _block_cost(block: Block, weight_bits: int, activation_bits: int) -> tuple[float, ...]:
    layers = [layer_cost(layer, weight_bits, activation_bits) for layer in block.layers()]
    return tuple(reduce_costs(np.array(layers, dtype=np.float64), Analytic.reductions).tolist())


def layer_cost(layer: Layer, weight_bits: int = 32, activation_bits: int = 32) -> tuple[int, ...]:
    """Return one layer's costs, in the order of ``COSTS``."""
    inputs = layer.in_channels * layer.in_size**2
    outputs = layer.out_channels * layer.out_size**2
    # A batch norm that stands alone works in place.
    alive = inputs + layer.held + (0 if layer.kind == "norm" else outputs)
    peak = _n_bytes(alive, activation_bits)
    moved = _n_bytes(inputs, activation_bits) + _n_bytes(outputs, activation_bits)
    normed = 2 * layer.out_channels if layer.norm or layer.kind == "norm" else 0
    if layer.kind in ("pool", "avg_pool", "norm"):
        return normed, 0, 0, 0, 0, peak, _BYTES * normed, moved
    fan_in = layer.in_channels // layer.groups * layer.kernel**2
    kernels, biases = fan_in * layer.out_channels, layer.bias * layer.out_channels
    macs = kernels * layer.out_size**2
    if layer.kind == "linear":
        survey = 2 * (layer.in_channels - 1) * layer.out_channels
    else:
        survey = 2 * layer.in_size**2 * (fan_in + 1) * layer.out_channels
    stored = _n_bytes(kernels, weight_bits) + _BYTES * (biases + normed)
    return kernels + biases + normed, kernels + biases, macs, 2 * macs, survey, peak, stored, moved


def _n_bytes(n: int, bits: int) -> int:
    """Return how many whole bytes so many numbers take."""
    return -(-n * bits // 8)
