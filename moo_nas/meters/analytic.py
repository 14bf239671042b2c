"""Costs by formula: parameters, multiply-accumulates, FLOPs, peak activation memory."""

import functools

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.meters.base import BlockMeter, Metric
from moo_nas.spaces import Block, Layer
from moo_nas.spaces.tables import Reduction, reduce_costs

_BYTES = 4  # of a float32


class Analytic(BlockMeter):
    r"""Costs that follow from an architecture's layers alone.

    For a convolution of :math:`C_{in}` to :math:`C_{out}` channels, kernel :math:`K`, groups
    :math:`g`, input :math:`H \times W` and output :math:`H' \times W'`:

    ============================ ============================================================
    ``params``                   everything trained: weights, biases, batch norm's two per channel
    ``params_survey``            eq. 5: :math:`K^2 C_{in} C_{out} / g`, plus :math:`C_{out}` with a
                                 bias; eq. 6 (linear): :math:`IO + O`. No batch norm.
    ``macs``                     :math:`H' W' K^2 C_{in} C_{out} / g`; linear: :math:`IO`; pooling,
                                 batch norm and additions: none
    ``flops``                    2 macs
    ``flops_survey``             eq. 3: :math:`2 H W (K^2 C_{in} / g + 1) C_{out}`, with the size of
                                 the *input* as printed; eq. 4 (linear): :math:`2 (I - 1) O`
    ``peak_activation_bytes``    the most that is alive while one layer runs, of one image in
                                 float32: its input and output, a block's input that is added
                                 later, a cell's nodes that are needed later, and the tensor a
                                 squeeze-and-excite scales. Batch norm, ReLU and additions are
                                 taken to work in place.
    ============================ ============================================================

    Exact: integers below 2**53 in float64.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280")
        >>> int(Analytic(image_size=224, n_classes=1000).measure([a], [0])[0, 0])
        1327432

    References:
        The survey's eq. 3-6: Hardware-aware neural architecture search, section "Calculation of
        FLOPs and Model Size".
    """

    metrics = (
        Metric("params", "1", "min"),
        Metric("params_survey", "1", "min"),
        Metric("macs", "1", "min"),
        Metric("flops", "1", "min"),
        Metric("flops_survey", "1", "min"),
        Metric("peak_activation_bytes", "B", "min"),
    )
    reductions: tuple[Reduction, ...] = ("sum", "sum", "sum", "sum", "sum", "max")

    def __init__(self, image_size: int = 224, n_classes: int = 1000) -> None:
        super().__init__(image_size, n_classes)

    def block_cost(self, block: Block) -> FloatArray:
        return np.array(_block_cost(block))


@functools.lru_cache(maxsize=1 << 16)
def _block_cost(block: Block) -> tuple[float, ...]:
    costs = np.array([layer_cost(layer) for layer in block.layers()], dtype=np.float64)
    return tuple(reduce_costs(costs, Analytic.reductions).tolist())


def layer_cost(layer: Layer) -> tuple[int, ...]:
    """Return one layer's costs, in the order of ``Analytic.metrics``."""
    pixels_in, pixels_out = layer.in_size**2, layer.out_size**2
    alive = layer.in_channels * pixels_in + layer.out_channels * pixels_out + layer.held
    if layer.kind in ("pool", "avg_pool"):
        return 0, 0, 0, 0, 0, _BYTES * alive
    if layer.kind == "norm":
        return 2 * layer.out_channels, 0, 0, 0, 0, _BYTES * (layer.in_channels * pixels_in + layer.held)
    fan_in = layer.in_channels // layer.groups * layer.kernel**2
    weights = fan_in * layer.out_channels + layer.bias * layer.out_channels
    macs = fan_in * layer.out_channels * pixels_out
    if layer.kind == "linear":
        survey = 2 * (layer.in_channels - 1) * layer.out_channels
    else:
        survey = 2 * pixels_in * (fan_in + 1) * layer.out_channels
    params = weights + 2 * layer.norm * layer.out_channels
    return params, weights, macs, 2 * macs, survey, _BYTES * alive
