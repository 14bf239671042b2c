"""The stop-watch: interleaved rounds over networks on this CPU."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.base import Meter, Metric
from moo_nas.meters.device.machine import machine
from moo_nas.spaces import Architecture

if TYPE_CHECKING:
    from torch import nn


class CpuLatency(Meter):
    """Latency of whole networks on this CPU in torch: median and spread over interleaved rounds.

    Networks are in evaluation mode, weights random, on random images. ``latency_ms`` is the
    median over rounds, ``spread_ms`` half the distance between their quartiles.

    Args:
        image_size: Width of the images in pixels.
        batch_size: How many images at a time.
        threads: How many threads torch runs on.
        n_classes: How many classes the networks tell apart.
        n_rounds: How many rounds.
        min_seconds: How long a network is repeated in a round.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> meter = CpuLatency(image_size=32, n_rounds=3)
        >>> bool(meter.measure([a], [0])[0, 0] > 0)
        True
    """

    metrics = (Metric("latency_ms", "ms", "min"), Metric("spread_ms", "ms", "min"))
    exclusive = True
    largest_chunk = 25  # Networks in memory at a time; rounds interleave within them.

    def __init__(
        self,
        image_size: int = 96,
        batch_size: int = 1,
        threads: int = 1,
        n_classes: int = 10,
        n_rounds: int = 15,
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

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "n_classes": self.n_classes,
            "n_rounds": self.n_rounds,
            "min_seconds": self.min_seconds,
            "machine": machine(),
        }

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = []
        for start in range(0, len(architectures), self.largest_chunk):
            chunk = slice(start, start + self.largest_chunk)
            rounds = self.rounds(architectures[chunk], seeds[chunk])
            low, median, high = np.quantile(rounds, (0.25, 0.5, 0.75), axis=0)
            rows.append(np.column_stack([median, (high - low) / 2]))
        return np.concatenate(rows) if rows else np.empty((0, 2))

    def rounds(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        """Return every round's latencies in ms, ``(n_rounds, n)``."""
        from moo_nas.networks import build

        shape = (self.batch_size, 3, self.image_size, self.image_size)
        calls = [
            inference(build(a, self.n_classes, seed), shape)
            for a, seed in zip(architectures, seeds, strict=True)
        ]
        with torch_threads(self.threads):
            return time_rounds(calls, self.n_rounds, self.min_seconds)


def inference(network: "nn.Module", shape: tuple[int, ...]) -> Callable[[], object]:
    """Return a call that runs a network once on fixed random images of a shape."""
    import torch

    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network.eval()

    def call() -> object:
        with torch.inference_mode():
            return network(images)

    return call


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


def time_rounds(calls: Sequence[Callable[[], object]], n_rounds: int, min_seconds: float) -> FloatArray:
    """Time every call once a round, in an order drawn anew each round.

    Interleaving spreads a slow minute of the machine over all calls instead of a few, and the
    drawn order keeps one call's caches from always favouring the same other. A call is repeated
    until ``min_seconds`` have passed, after one repetition that warms up and is not counted.

    Returns:
        Milliseconds a repetition, ``(n_rounds, n_calls)``.
    """
    rng = np.random.default_rng(0)
    rounds = np.empty((n_rounds, len(calls)))
    for row in rounds:
        for position in rng.permutation(len(calls)):
            call = calls[position]
            call()
            repeats, elapsed, start = 0, 0.0, time.perf_counter()
            while repeats == 0 or elapsed < min_seconds:
                call()
                repeats += 1
                elapsed = time.perf_counter() - start
            row[position] = 1e3 * elapsed / repeats
    return rounds
