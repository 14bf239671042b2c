"""The stop-watch: interleaved rounds over networks on this CPU."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.base import Memory, Meter, Metric
from moo_nas.meters.device.machine import machine
from moo_nas.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import nn

# Small, as it runs between any two timings, but with both kinds of block of a stage space.
_REFERENCE = Architecture.parse(
    "stem_k3_s2_c16 fused_d2_k3_s2_e3_c24 ibn_d2_k5_s2_e4_c40 fused_d2_k3_s2_e4_c80 ibn_d2_k5_s2_e4_c160 "
    "pool_conv_c640"
)
_REFERENCE_RUNS = 150  # that say how fast the reference is
_EVICTED = 64 << 20  # bytes: more than a core's share of the caches


class CpuLatency(Meter):
    r"""Latency of whole networks on this CPU in torch, over interleaved rounds.

    Networks are in evaluation mode, weights random, on random images. Other work slows a machine
    down by half from one second to the next, so a small reference network runs before and after
    each timing: with :math:`t` the time of a network, :math:`r` the mean of the reference's two
    times beside it and :math:`r_0` what the reference takes when undisturbed,

    .. math:: latency = r_0 \, \operatorname{median}_{rounds}(t / r),

    which is ``latency_ms``; ``spread_ms`` is half the distance between the quartiles. A prepared
    meter keeps :math:`r_0` in its memory, so measurements of one store compare, whatever the hour.

    Args:
        image_size: Width of the images in pixels.
        batch_size: How many images at a time.
        threads: How many threads torch runs on.
        n_classes: How many classes the networks tell apart.
        n_rounds: How many rounds.
        min_seconds: How long a network is repeated in a round.

    Example:
        >>> from moo_nas.spaces import Architecture, SearchSpace
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> meter = CpuLatency(image_size=32, n_rounds=3)
        >>> bool(meter.measure([a], [0])[0, 0] > 0)
        True

    References:
        L. Bulej et al. Duet Benchmarking: Improving Measurement Accuracy in the Cloud. ICPE 2020.
    """

    metrics = (Metric("latency_ms", "ms", "min"), Metric("spread_ms", "ms", "min"))
    exclusive = True
    largest_chunk = 40  # Networks in memory at a time; rounds interleave within them.

    def __init__(
        self,
        image_size: int = 96,
        batch_size: int = 1,
        threads: int = 1,
        n_classes: int = 10,
        n_rounds: int = 25,
        min_seconds: float = 0.002,
    ) -> None:
        if min(image_size, batch_size, threads, n_classes, n_rounds) < 1:
            raise InputError(
                "image_size, batch_size, threads, n_classes and n_rounds must be positive; got "
                f"{image_size}, {batch_size}, {threads}, {n_classes}, {n_rounds}."
            )
        self.image_size = image_size
        self.batch_size = batch_size
        self.threads = threads
        self.n_classes = n_classes
        self.n_rounds = n_rounds
        self.min_seconds = min_seconds
        self._reference_ms: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "n_classes": self.n_classes,
            "n_rounds": self.n_rounds,
            "min_seconds": self.min_seconds,
            "reference": str(_REFERENCE),
            "machine": machine(),
        }

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        meter = copy.copy(self)
        kept = memory.recall(f"reference latency/{self.key}", lambda: {"ms": self._time_reference()})
        meter._reference_ms = kept["ms"]
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        if self._reference_ms is None and len(architectures):
            timed = copy.copy(self)
            timed._reference_ms = self._time_reference()  # once for all chunks
            return timed.measure(architectures, seeds)
        rows = []
        for start in range(0, len(architectures), self.largest_chunk):
            chunk = slice(start, start + self.largest_chunk)
            rounds = self.rounds(architectures[chunk], seeds[chunk])
            low, median, high = np.quantile(rounds, (0.25, 0.5, 0.75), axis=0)
            rows.append(np.column_stack([median, (high - low) / 2]))
        return np.concatenate(rows) if rows else np.empty((0, 2))

    def rounds(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        """Return every round's latencies in ms, ``(n_rounds, n)``, all networks in memory at once."""
        from moo_nas.networks import build

        networks = [build(a, self.n_classes, seed) for a, seed in zip(architectures, seeds, strict=True)]
        return self.time(networks, [self.image_size] * len(networks))

    def time(self, modules: "Sequence[nn.Module]", sizes: Sequence[int]) -> FloatArray:
        """Return every round's latencies in ms, ``(n_rounds, n)``, of modules on images so wide."""
        calls = [self._inference(module, size) for module, size in zip(modules, sizes, strict=True)]
        with torch_threads(self.threads):
            ratios = time_rounds(calls, self._reference(), self.n_rounds, self.min_seconds)
        return ratios * (self._reference_ms or self._time_reference())

    def _inference(self, module: "nn.Module", size: int) -> Callable[[], object]:
        """Return a call that runs a module once on fixed random images, or feature maps."""
        import torch

        channels = next(m.in_channels for m in module.modules() if isinstance(m, torch.nn.Conv2d))
        shape = (self.batch_size, channels, size, size)
        images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        module.eval()

        def call() -> object:
            with torch.inference_mode():
                return module(images)

        return call

    def _reference(self) -> Callable[[], object]:
        from moo_nas.networks import build

        return self._inference(build(_REFERENCE, self.n_classes, 0), self.image_size)

    def _time_reference(self) -> float:
        """Return the lower quartile of the reference's times in ms: other work only ever adds to them."""
        call, other = self._reference(), np.zeros(_EVICTED, dtype=np.uint8)
        times = []
        with torch_threads(self.threads):
            for _ in range(_REFERENCE_RUNS):
                other += 1  # out of the caches, as it is between the networks that are timed
                times.append(1e3 * _seconds(call, 0))
        return float(np.quantile(times, 0.25))


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Run torch on ``n`` threads inside, and on as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_rounds(
    calls: Sequence[Callable[[], object]],
    reference: Callable[[], object],
    n_rounds: int,
    min_seconds: float,
) -> FloatArray:
    """Time every call once a round, in an order drawn anew each round, against a reference call.

    Interleaving spreads a slow minute of the machine over all calls instead of a few, and the
    drawn order keeps one call's caches from always favouring the same other. A call is repeated
    until ``min_seconds`` have passed, after one repetition that warms up and is not counted.

    Returns:
        Time a repetition over the mean of the reference's times just before and just after,
        ``(n_rounds, n_calls)``.
    """
    rng = np.random.default_rng(0)
    ratios = np.empty((n_rounds, len(calls)))
    for row in ratios:
        reference()
        before = _seconds(reference, 0)
        for position in rng.permutation(len(calls)):
            calls[position]()
            spent = _seconds(calls[position], min_seconds)
            after = _seconds(reference, 0)
            row[position] = 2 * spent / (before + after)
            before = after
    return ratios


def _seconds(call: Callable[[], object], min_seconds: float) -> float:
    """Return the seconds a repetition of a call, repeated for at least so long."""
    repeats, elapsed, start = 0, 0.0, time.perf_counter()
    while repeats == 0 or elapsed < min_seconds:
        call()
        repeats += 1
        elapsed = time.perf_counter() - start
    return elapsed / repeats
