"""The stop-watch: interleaved rounds over networks on the device in front of us."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from moo_nas.arrays import FloatArray, stable_hash
from moo_nas.errors import InputError
from moo_nas.meters.base import Memory, Meter, Metric
from moo_nas.meters.device.lock import measuring
from moo_nas.meters.device.machine import machine
from moo_nas.meters.device.rounds import DRIFT, Call, CoreShare, Rounds, seconds, time_rounds
from moo_nas.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import nn

# What raw rounds are kept under in a memory.
ROUNDS = "timed rounds/"

# Small, as it runs between any two timings, but with both kinds of block of a stage space.
REFERENCE = Architecture.parse(
    "stem_k3_s2_c16 fused_d2_k3_s2_e3_c24 ibn_d2_k5_s2_e4_c40 fused_d2_k3_s2_e4_c80 ibn_d2_k5_s2_e4_c160 "
    "pool_conv_c640"
)
_REFERENCE_RUNS = 150  # that say how fast the reference is
_EVICTED = 64 << 20  # bytes: more than a core's share of the caches


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference network takes when nothing else runs.

    Attributes:
        ms: The lower quartile of its times in milliseconds.
        faults: Why it is not to be trusted; every timing against it shares them.
    """

    ms: float
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, times: Sequence[float], faults: Sequence[str] = ()) -> "Reference":
        """Return it from times in ms; a quarter of them 15 % above another is one more fault."""
        low, high = np.quantile(times, (0.25, 0.75))
        faults = list(faults)
        if high > (1 + DRIFT) * low:
            faults.append(
                f"the machine was busy at the start: the reference took {low:.3g} to {high:.3g} ms, so all "
                "latencies may be off by one factor"
            )
        return cls(float(low), tuple(faults))


@dataclass(frozen=True, slots=True)
class Timing:
    """The timings of one batch of networks, all in memory at once.

    Attributes:
        latencies: Every round's latencies in ms, ``(n_rounds, n)``.
        faults: Why they are not to be trusted; nothing if they are.
    """

    latencies: FloatArray
    faults: tuple[str, ...]


class StopWatch(Meter):
    r"""Latency of whole networks on a device in front of us, over interleaved rounds.

    Networks are in evaluation mode, weights random, on random images. Other work slows a machine
    down by half from one second to the next, so a small reference network runs before and after
    each timing: with :math:`t` the time of a network, :math:`r` the mean of the reference's two
    times beside it and :math:`r_0` what the reference takes when undisturbed,

    .. math:: latency = r_0 \, \operatorname{median}_{rounds}(t / r),

    which is ``latency_ms``; ``spread_ms`` is half the distance between the quartiles. A prepared
    meter keeps :math:`r_0` in its memory, so measurements of one store compare, whatever the hour;
    and the raw rounds of each batch of networks as it is done, so that a measurement that is
    interrupted keeps all but the last batch. What makes timings doubtful is told with them
    (:meth:`~moo_nas.meters.device.rounds.Rounds.faults`,
    :class:`~moo_nas.meters.device.rounds.CoreShare`), not averaged away.

    Subclasses say how a network is run there.

    Args:
        image_size: Width of the images in pixels.
        batch_size: How many images at a time.
        threads: How many threads of the CPU the runtime works on.
        n_classes: How many classes the networks tell apart.
        n_rounds: How many rounds.
        min_seconds: How long a network is repeated in a round.

    Raises:
        BusyError: Another measurement runs on this machine.

    References:
        L. Bulej et al. Duet Benchmarking: Improving Measurement Accuracy in the Cloud. ICPE 2020.
    """

    metrics = (Metric("latency_ms", "ms", "min"), Metric("spread_ms", "ms", "min"))
    exclusive = True
    largest_chunk = 40  # Networks in memory at a time; rounds interleave within them.
    keeps_core = True  # Does the calling thread compute, so that it waits for a core alone?

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
        self._reference: Reference | None = None
        self._memory: Memory | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A memory may be an open file; another process has its own.
        return {**self.__dict__, "_memory": None}

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "n_classes": self.n_classes,
            "n_rounds": self.n_rounds,
            "min_seconds": self.min_seconds,
            "memory_format": "contiguous",
            "reference": str(REFERENCE),
            "machine": self.device(),
        }

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """The shape of what whole networks take, ``(batch, channels, height, width)``."""
        return (self.batch_size, 3, self.image_size, self.image_size)

    def device(self) -> dict[str, Any]:
        """Return what is measured on, as JSON."""
        return dict(machine())

    @abstractmethod
    def inference(self, module: "nn.Module", shape: Sequence[int]) -> Call:
        """Return a call that runs a module once on fixed random input of a shape."""

    def clock(self, call: Call, min_seconds: float) -> float:
        """Return the seconds a repetition of a call, repeated for at least so long."""
        return seconds(call, min_seconds)

    def settle(self, reference: Call) -> tuple[str, ...]:
        """Bring the device to a steady speed; return why it is not, if it cannot."""
        return ()

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        meter = copy.copy(self)
        kept = memory.recall(f"reference latency/{self.key}", lambda: asdict(self._time_reference()))
        meter._reference = Reference(kept["ms"], tuple(kept.get("faults", ())))
        meter._memory = memory
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = []
        for timing in self.timings(architectures, seeds):
            low, median, high = np.quantile(timing.latencies, (0.25, 0.5, 0.75), axis=0)
            rows.append(np.column_stack([median, (high - low) / 2]))
        return np.concatenate(rows) if rows else np.empty((0, 2))

    def timings(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> list[Timing]:
        """Return the timings of networks, batch by batch, in order; kept ones from memory."""
        if not len(architectures):
            return []
        with measuring(f"{len(architectures)} networks"):
            if self._reference is None:
                timed = copy.copy(self)
                timed._reference = self._time_reference()  # once for all chunks
                return timed.timings(architectures, seeds)
            chunks = (
                slice(i, i + self.largest_chunk) for i in range(0, len(architectures), self.largest_chunk)
            )
            return [self._chunk(architectures[chunk], seeds[chunk]) for chunk in chunks]

    def _chunk(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> Timing:
        from moo_nas.networks import build

        return self.time(
            [str(a) for a in architectures],
            lambda: [build(a, self.n_classes, seed) for a, seed in zip(architectures, seeds, strict=True)],
            [self.image_shape] * len(architectures),
            seeds,
        )

    def time(
        self,
        names: Sequence[str],
        make: "Callable[[], Sequence[nn.Module]]",
        shapes: Sequence[Sequence[int]],
        seeds: Sequence[int] = (),
    ) -> Timing:
        """Return the timings of modules on random input; of a prepared meter, kept ones from memory.

        Args:
            names: What the modules are, one each: with ``seeds``, what their timings are kept under.
            make: Returns the modules; called if they are not kept.
            shapes: The shape of each one's input, ``(batch, channels, height, width)``.
            seeds: What their weights are drawn from.
        """

        def timed() -> dict[str, Any]:
            return self._timed(make(), shapes)

        if self._memory is None:
            return _timing(timed())
        name = stable_hash(list(names), [int(seed) for seed in seeds])
        return _timing(self._memory.recall(f"{ROUNDS}{self.key}/{name}", timed))

    def _timed(self, modules: "Sequence[nn.Module]", shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return raw rounds, what the reference takes undisturbed, and faults, as JSON."""
        with measuring(f"{len(modules)} networks or blocks"), torch_threads(self.threads):
            quiet = self._reference or self._time_reference()
            calls = [self.inference(module, shape) for module, shape in zip(modules, shapes, strict=True)]
            reference = self._reference_call()
            unsettled = self.settle(reference)
            core = CoreShare()
            rounds = time_rounds(calls, reference, self.n_rounds, self.min_seconds, self.clock)
            shared = core.faults("the timings") if self.keeps_core else []
        faults = [*quiet.faults, *unsettled, *shared, *rounds.faults(quiet.ms)]
        return {**rounds.plain(), "quiet_ms": quiet.ms, "faults": faults}

    def _reference_call(self) -> Call:
        from moo_nas.networks import build

        return self.inference(build(REFERENCE, self.n_classes, 0), self.image_shape)

    def _time_reference(self) -> Reference:
        """Return what the reference takes: other work only ever adds, so a lower quartile of its times."""
        with measuring("the reference network"), torch_threads(self.threads):
            call, other = self._reference_call(), np.zeros(_EVICTED, dtype=np.uint8)
            unsettled = self.settle(call)
            times = []
            core = CoreShare()
            for _ in range(_REFERENCE_RUNS):
                other += 1  # out of the caches, as it is between the networks that are timed
                times.append(1e3 * self.clock(call, 0))
            shared = core.faults("the reference, when all was calibrated,") if self.keeps_core else []
        return Reference.of(times, [*unsettled, *shared])


class CpuLatency(StopWatch):
    """Latency of whole networks on this CPU in torch: a :class:`StopWatch`.

    Example:
        >>> from moo_nas.spaces import Architecture, SearchSpace
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> meter = CpuLatency(image_size=32, n_rounds=3)
        >>> bool(meter.measure([a], [0])[0, 0] > 0)
        True
    """

    def inference(self, module: "nn.Module", shape: Sequence[int]) -> Call:
        import torch

        images = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
        module.eval()

        def call() -> object:
            with torch.inference_mode():
                return module(images)

        return call


def _timing(kept: dict[str, Any]) -> Timing:
    return Timing(Rounds.of(kept).ratios * kept["quiet_ms"], tuple(kept["faults"]))


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
