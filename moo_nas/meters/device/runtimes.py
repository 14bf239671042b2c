"""The stop-watch on other runtimes: onnxruntime on the CPU, torch on a CUDA GPU; and all targets by name."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, unknown
from moo_nas.meters.device.machine import machine
from moo_nas.meters.device.rounds import Call
from moo_nas.meters.device.timer import CpuLatency, StopWatch

if TYPE_CHECKING:
    from torch import nn

_STEADY = 0.02  # relative, over three windows in a row
_WINDOW = 20  # runs
_SETTLING = 60  # windows at most


class OnnxRuntimeLatency(StopWatch):
    """Latency of whole networks in onnxruntime on this CPU: a :class:`StopWatch`.

    Networks are exported as :func:`moo_nas.networks.onnx.to_onnx` does, and optimised as onnxruntime
    does by default.
    """

    def device(self) -> dict[str, Any]:
        return {**machine(), "runtime": f"onnxruntime {_onnxruntime()}"}

    def inference(self, module: "nn.Module", shape: Sequence[int]) -> Call:
        import onnxruntime

        from moo_nas.networks.onnx import INPUT, to_onnx

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            to_onnx(module.eval(), shape), options, providers=["CPUExecutionProvider"]
        )
        images = {INPUT: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}
        return lambda: session.run(None, images)


class CudaLatency(StopWatch):
    """Latency of whole networks on a CUDA GPU in torch: a :class:`StopWatch`.

    Time is the GPU's own, between two events in its stream. Before a batch of networks the reference
    runs until the clocks have settled: until the medians of three windows are within 2 %.
    """

    uses_gpu = True
    keeps_core = False  # it waits for the GPU

    def device(self) -> dict[str, Any]:
        import torch

        if not torch.cuda.is_available():
            raise InputError(
                "The target 'cuda' needs a CUDA GPU and a torch that is built for it; none here."
            )
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        return {
            **machine(),
            "gpu": properties.name,
            "gpu_memory_gb": round(properties.total_memory / 1e9, 1),
            "cuda": str(torch.version.cuda),
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }

    def inference(self, module: "nn.Module", shape: Sequence[int]) -> Call:
        import torch

        images = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).cuda()
        module = module.eval().cuda()

        def call() -> object:
            with torch.inference_mode():
                return module(images)

        return call

    def clock(self, call: Call, min_seconds: float) -> float:
        import torch

        return event_seconds(call, min_seconds, torch.cuda.Event)

    def settle(self, reference: Call) -> tuple[str, ...]:
        medians: list[float] = []
        for _ in range(_SETTLING):
            medians.append(float(np.median([self.clock(reference, 0) for _ in range(_WINDOW)])))
            if is_steady(np.array(medians[-3:])):
                return ()
        return (
            f"the clocks did not settle: the reference took {min(medians[-3:]) * 1e3:.3g} to "
            f"{max(medians[-3:]) * 1e3:.3g} ms after {_SETTLING * _WINDOW} runs",
        )


def is_steady(medians: FloatArray) -> bool:
    """Are three medians, one after the other, within 2 %?"""
    return len(medians) == 3 and float(medians.max()) <= (1 + _STEADY) * float(medians.min())


def event_seconds(call: Call, min_seconds: float, event: Any) -> float:
    """Return the seconds a repetition of a call takes a GPU, repeated for at least so long.

    Repetitions are queued in one go between two events, so that the host's time is hidden where it
    can be; how many are needed is found by doubling.

    Args:
        call: Queues work.
        min_seconds: How long it is repeated.
        event: Makes events, as ``torch.cuda.Event`` does: ``record``, ``synchronize`` and
            ``elapsed_time`` in ms.
    """
    repeats = 1
    while True:
        start, end = event(enable_timing=True), event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        elapsed = float(start.elapsed_time(end)) / 1e3
        if elapsed >= min_seconds:
            return elapsed / repeats
        needed = math.ceil(1.1 * repeats * min_seconds / elapsed) if elapsed else 0
        repeats = max(2 * repeats, min(needed, 100 * repeats))


def _onnxruntime() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError as error:
        raise InputError("The target 'onnxruntime' needs that package: pip install onnxruntime.") from error


TARGETS: Mapping[str, type[StopWatch]] = {
    "cpu": CpuLatency,
    "cuda": CudaLatency,
    "onnxruntime": OnnxRuntimeLatency,
}


def stop_watch(target: str, **settings: Any) -> StopWatch:
    """Return the stop-watch of a target.

    Args:
        target: ``cpu`` (torch), ``onnxruntime`` (on the CPU) or ``cuda`` (torch).
        settings: As of :class:`StopWatch`.

    Raises:
        InputError: An unknown target, or one that is not to be had here.

    Example:
        >>> stop_watch("cpu", image_size=96).settings["image_size"]
        96
    """
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    watch = TARGETS[target](**settings)
    watch.device()  # says so at once where it is not to be had
    return watch
