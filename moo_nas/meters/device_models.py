"""Devices as a few published numbers: what a network would take there at the least, without the device."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, unknown
from moo_nas.meters.analytic import COSTS, layer_cost
from moo_nas.meters.base import BlockMeter, Metric
from moo_nas.spaces import Block, Layer
from moo_nas.spaces.tables import Reduction, reduce_costs

_INDEX = {name: position for position, name in enumerate(COSTS)}


@dataclass(frozen=True)
class DeviceModel:
    """What is published of a device: its peaks, its energies, its memories.

    Args:
        name: What it is asked for by.
        operations_per_s: Peak rate in operations a second, a multiply-accumulate being two.
        bytes_per_s: Peak bandwidth of the memory that weights are in.
        mac_pj: Energy of a multiply-accumulate in pJ.
        memory_pj_per_byte: Energy of a byte moved from or to that memory in pJ.
        on_chip_pj_per_byte: Energy of a byte moved from or to the memory on the chip in pJ.
        on_chip_bytes: Size of the memory on the chip: activations that fit in stay there.
        weight_bits: Bits of a weight as it is computed with there.
        activation_bits: Bits of an activation.
        sram_limit_bytes: Where there is nothing but memory on the chip: the most that may be alive.
        flash_limit_bytes: There too: the most that the model may take.

    Raises:
        InputError: A number that is not positive, bits out of range, one limit without the other, or
            a memory on the chip that costs more energy than the one outside.

    Example:
        >>> DEVICE_MODELS["stm32f746"].limits
        {'sram_bytes': 327680.0, 'flash_bytes': 1048576.0}
    """

    name: str
    operations_per_s: float
    bytes_per_s: float
    mac_pj: float
    memory_pj_per_byte: float
    on_chip_pj_per_byte: float
    on_chip_bytes: int
    weight_bits: int = 32
    activation_bits: int = 32
    sram_limit_bytes: int | None = None
    flash_limit_bytes: int | None = None

    def __post_init__(self) -> None:
        for what, value in asdict(self).items():
            if what != "name" and value is not None and not 0 < value < np.inf:
                raise InputError(f"{what} of device '{self.name}' must be positive and finite; got {value}.")
        for what in ("weight_bits", "activation_bits"):
            if getattr(self, what) > 32:
                raise InputError(
                    f"{what} of device '{self.name}' must be 1 to 32; got {getattr(self, what)}."
                )
        if (self.sram_limit_bytes is None) != (self.flash_limit_bytes is None):
            raise InputError(f"Device '{self.name}' needs both limits, of SRAM and of flash, or none.")
        if self.on_chip_pj_per_byte > self.memory_pj_per_byte:
            raise InputError(
                f"Device '{self.name}': a byte on the chip cannot cost more ({self.on_chip_pj_per_byte} pJ) "
                f"than one outside ({self.memory_pj_per_byte} pJ)."
            )

    @property
    def limits(self) -> dict[str, float]:
        """The most that fits, by metric, as formulations take limits; empty where there is no such limit."""
        if self.sram_limit_bytes is None or self.flash_limit_bytes is None:
            return {}
        return {"sram_bytes": float(self.sram_limit_bytes), "flash_bytes": float(self.flash_limit_bytes)}


# Energies of 7 nm, from Jouppi et al., table 2 (an update of Horowitz's for 45 nm): a float32 multiplication
# 1.31 pJ, an addition 0.38; 64 bits from a 1 MB SRAM 14 pJ, from DDR3 or DDR4 1300, from HBM2 250 to 450.
_MAC_7NM = 1.31 + 0.38
_SRAM_7NM = 14 / 8
_DDR4 = 1300 / 8
_HBM2 = (250 + 450) / 2 / 8

# Energy of a clock cycle of a Cortex-M7 in an STM32F7: 5 CoreMark/MHz (ST AN4749) at 7 CoreMark/mW (ST's
# overview of the STM32F7 series, run mode at 1.8 V). It is the whole chip's: fetching, decoding, memories and
# leakage too.
_CYCLE_STM32F7 = 5 / 7 * 1000

# The names of DEVICE_MODELS.
DeviceModelName = Literal["xeon-platinum-8380", "a100-sxm4-40gb", "snapdragon-855", "stm32f746"]

DEVICE_MODELS: dict[str, DeviceModel] = {
    model.name: model
    for model in (
        # A server CPU. Intel ARK, Xeon Platinum 8380: 40 cores, base clock 2.3 GHz, 2 AVX-512 FMA units,
        # 60 MB cache, 8 channels of DDR4-3200. Its 10 nm process is taken for 7 nm.
        DeviceModel(
            "xeon-platinum-8380",
            operations_per_s=40 * 2.3e9 * 2 * (512 / 32) * 2,  # cores, clock, units, lanes, 2 of an FMA
            bytes_per_s=8 * 3.2e9 * 8,  # channels, transfers a second, bytes of a transfer
            mac_pj=_MAC_7NM,
            memory_pj_per_byte=_DDR4,
            on_chip_pj_per_byte=_SRAM_7NM,
            on_chip_bytes=60 * 2**20,
        ),
        # A server GPU. NVIDIA A100 Tensor Core GPU Architecture (white paper, 2020), A100-SXM4-40GB: float32
        # without tensor cores 19.5 TFLOP/s, HBM2 1555 GB/s, L2 cache 40 MB, TSMC 7 nm.
        DeviceModel(
            "a100-sxm4-40gb",
            operations_per_s=19.5e12,
            bytes_per_s=1555e9,
            mac_pj=_MAC_7NM,
            memory_pj_per_byte=_HBM2,
            on_chip_pj_per_byte=_SRAM_7NM,
            on_chip_bytes=40 * 2**20,
        ),
        # A phone's CPU. WikiChip, Qualcomm Snapdragon 855: TSMC 7 nm, Cortex-A76 cores, one of 2.84 GHz and
        # three of 2.42 GHz (the four small cores are left out), L3 cache 2 MiB, 4 channels of 16 bits
        # LPDDR4X-4266. Arm Cortex-A76 Software Optimization Guide, "ASIMD floating-point instructions": two
        # FMLA of 128 bits a cycle. The table of energies has no LPDDR4X: DDR4's is taken, which is more.
        DeviceModel(
            "snapdragon-855",
            operations_per_s=(2.84e9 + 3 * 2.42e9) * 2 * (128 / 32) * 2,  # clocks, units, lanes, 2 of an FMA
            bytes_per_s=4 * 4.266e9 * 2,  # channels, transfers a second, bytes of a transfer
            mac_pj=_MAC_7NM,
            memory_pj_per_byte=_DDR4,
            on_chip_pj_per_byte=_SRAM_7NM,
            on_chip_bytes=2 * 2**20,
        ),
        # A microcontroller, with integers of 8 bits. ST DS10916, STM32F746: Cortex-M7 of 216 MHz, 320 KB of
        # SRAM, 1 MB of flash; the limits are those of Lin et al. A SMLAD makes 2 multiply-accumulates a cycle
        # (Lai et al.). ST RM0385, section 3.3: flash gives a line of 256 bits in 8 cycles at 216 MHz (7 wait
        # states). The core itself moves the bytes, and its cycles are the energy: 4 bytes in each, of a load
        # as of a flash line.
        DeviceModel(
            "stm32f746",
            operations_per_s=216e6 * 2 * 2,  # clock, multiply-accumulates of a SMLAD, 2 of each
            bytes_per_s=216e6 / 8 * (256 / 8),
            mac_pj=_CYCLE_STM32F7 / 2,
            memory_pj_per_byte=_CYCLE_STM32F7 / 4,
            on_chip_pj_per_byte=_CYCLE_STM32F7 / 4,
            on_chip_bytes=320 * 2**10,
            weight_bits=8,
            activation_bits=8,
            sram_limit_bytes=320 * 2**10,
            flash_limit_bytes=2**20,
        ),
    )
}


class Roofline(BlockMeter):
    r"""Estimated latency and energy of one image on a device that is not there.

    Of a layer with :math:`m` multiply-accumulates, :math:`w` bytes of weights, :math:`a` bytes of
    inputs and outputs, of which the memory outside the chip sees :math:`\hat a`: none if all that
    is alive while the layer runs fits on the chip, else all,

    .. math::
        latency &= \sum_{layers} \max\left(\frac{2m}{\text{operations a second}},
                                           \frac{w + \hat a}{\text{bytes a second}}\right) \\
        energy &= \sum_{layers} m\,e_{mac} + (w + \hat a)\,e_{memory} + (a - \hat a)\,e_{on\ chip}

    This is an estimate for planning, no prediction: speeds are the vendors' sustained peaks, every byte
    is moved once, weights come from memory for each image, nothing waits for anything else, and of a
    core's energy only the microcontroller's numbers have more than arithmetic. Devices are mostly
    slower; where weights stay in a cache, or a clock is turned up, they can be faster. It ranks
    networks and tells what binds them. Its metrics are therefore called ``estimated_latency_ms`` and
    ``estimated_energy_mj``, never ``latency_ms``.

    Of a device with limits there are two more: ``sram_bytes``, the most activations that are alive at
    a time, and ``flash_bytes``, the model's size (without the program); see
    :attr:`DeviceModel.limits`.

    Args:
        device: One of ``DEVICE_MODELS`` by name, or a model of your own.
        image_size: Width of the (square) images in pixels.
        n_classes: How many classes the head tells apart.

    Raises:
        InputError: There is no such device; the message names the closest.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> meter = Roofline("stm32f746", image_size=96, n_classes=10)
        >>> values = meter.measure([a], [0])[0]
        >>> [f"{m.name} {value:.1f}" for m, value in zip(meter.metrics, values, strict=True)][:3]
        ['estimated_latency_ms 25.7', 'estimated_energy_mj 4.1', 'sram_bytes 276480.0']

    References:
        S. Williams, A. Waterman, D. Patterson. Roofline: An Insightful Visual Performance Model for
        Multicore Architectures. Communications of the ACM 52(4), 2009. M. Horowitz. Computing's Energy
        Problem (and What We Can Do About It). ISSCC 2014. N. Jouppi et al. Ten Lessons From Three
        Generations Shaped Google's TPUv4i. ISCA 2021. J. Lin et al. MCUNet: Tiny Deep Learning on IoT
        Devices. NeurIPS 2020. L. Lai, N. Suda, V. Chandra. CMSIS-NN: Efficient Neural Network Kernels
        for Arm Cortex-M CPUs. arXiv 1801.06601, 2018.
    """

    def __init__(self, device: str | DeviceModel, image_size: int = 224, n_classes: int = 1000) -> None:
        super().__init__(image_size, n_classes)
        if isinstance(device, str):
            if device not in DEVICE_MODELS:
                raise unknown("device model", device, DEVICE_MODELS)
            device = DEVICE_MODELS[device]
        self.device = device
        metrics = [Metric("estimated_latency_ms", "ms", "min"), Metric("estimated_energy_mj", "mJ", "min")]
        reductions: list[Reduction] = ["sum", "sum"]
        if device.limits:
            metrics += [Metric("sram_bytes", "B", "min"), Metric("flash_bytes", "B", "min")]
            reductions += ["max", "sum"]
        self.metrics = tuple(metrics)
        self.reductions = tuple(reductions)

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "device": asdict(self.device)}

    def block_cost(self, block: Block) -> FloatArray:
        costs = np.array([self.layer_cost(layer) for layer in block.layers()], dtype=np.float64)
        return reduce_costs(costs, self.reductions)

    def layer_cost(self, layer: Layer) -> tuple[float, ...]:
        """Return one layer's metrics, ``(n_metrics,)``."""
        device = self.device
        costs = layer_cost(layer, device.weight_bits, device.activation_bits)
        macs, weights, activations, alive = (
            costs[_INDEX[name]]
            for name in ("macs", "weight_bytes", "activation_bytes", "peak_activation_bytes")
        )
        on_chip = activations if alive <= device.on_chip_bytes else 0
        moved = weights + activations - on_chip
        seconds = max(2 * macs / device.operations_per_s, moved / device.bytes_per_s)
        picojoules = (
            macs * device.mac_pj + moved * device.memory_pj_per_byte + on_chip * device.on_chip_pj_per_byte
        )
        estimates = (1e3 * seconds, 1e-9 * picojoules)
        return (*estimates, alive, weights) if device.limits else estimates
