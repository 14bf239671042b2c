"""Several zero-cost proxies of one architecture from one pass."""

import copy
import math
from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from moo_nas.arrays import FloatArray, stable_seed
from moo_nas.errors import InputError, MeterError, SourceError, unknown
from moo_nas.initialisation import INITS, Init
from moo_nas.meters.base import Meter, Metric
from moo_nas.meters.proxies.inputs import Batch, load_batch
from moo_nas.meters.proxies.proxy import HAENAS, PROXIES
from moo_nas.spaces import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn


# Of what draws weights and computes scores: raised where the same settings give other numbers.
_REVISION = 2


class ZeroCost(Meter):
    """Zero-cost proxies of untrained networks on minibatches; those asked for share their passes.

    Every architecture sees the same images; its weights come from its own seed, and so does what a
    proxy draws beside them. Networks are built for images of their size: what no pixel meets is left
    out (but for ``l2_norm``), which changes which weights are drawn and not how. A value is the mean
    over ``n_batches`` minibatches, each under ``n_seeds`` draws of the weights.

    Args:
        proxies: Which of ``PROXIES`` to measure.
        image_size: Width of the images in pixels.
        batch_size: How many images.
        data: Where they come from: ``digits``, ``noise`` or a path; see
            :func:`~moo_nas.meters.proxies.inputs.load_batch`.
        n_classes: How many classes the networks tell apart.
        batch_norm: ``train`` normalises by the minibatch, ``eval`` by the running statistics of a
            new network, which leave everything as it is.
        seed: What draws the images.
        n_batches: How many minibatches, of ``batch_size`` images each.
        n_seeds: How many draws of a network's weights.
        init: How they are drawn; see :func:`moo_nas.networks.build`.
        device: Where networks run: ``cpu`` or ``cuda``. The two agree but for rounding. Worker
            processes share a GPU, so that several networks are under way at a time.

    Raises:
        InputError: An unknown proxy, source or device, a batch that the source cannot fill, or fewer
            classes than the source has.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> meter = ZeroCost(("snip", "jacob_cov"), batch_size=8)
        >>> meter.measure([a], [0]).shape
        (1, 2)

    References:
        HaeNAS, eq. 3-6; M. Abdelfattah et al. Zero-Cost Proxies for Lightweight NAS. ICLR 2021.
    """

    def __init__(
        self,
        proxies: Collection[str] = tuple(PROXIES),
        image_size: int = 32,
        batch_size: int = 32,
        data: str = "digits",
        n_classes: int = 10,
        batch_norm: Literal["train", "eval"] = "train",
        seed: int = 0,
        n_batches: int = 1,
        n_seeds: int = 1,
        init: Init = "kaiming",
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        for name in proxies:
            if name not in PROXIES:
                raise unknown("proxy", name, PROXIES)
        if batch_norm not in ("train", "eval"):
            raise InputError(f"batch_norm must be 'train' or 'eval'; got '{batch_norm}'.")
        if min(n_batches, n_seeds) < 1:
            raise InputError(f"n_batches and n_seeds must be positive; got {n_batches} and {n_seeds}.")
        if init not in INITS:
            raise unknown("initialisation", init, INITS)
        self.processor = _processor(device)
        self.metrics = tuple(Metric(name, "1", PROXIES[name].goal) for name in proxies)
        self.image_size = image_size
        self.batch_size = batch_size
        self.data = data
        self.n_classes = n_classes
        self.batch_norm = batch_norm
        self.seed = seed
        self.n_batches = n_batches
        self.n_seeds = n_seeds
        self.init = init
        self.device = device
        self.uses_gpu = device == "cuda"
        batches = self._batches()  # says now what is wrong with the data
        self.data_hash = [batch.hash for batch in batches]
        if n_classes < batches[0].n_classes:
            raise InputError(
                f"The labels of '{data}' need networks of at least {batches[0].n_classes} classes; "
                f"got n_classes={n_classes}."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Without the names of the proxies: others that share a pass change nothing but rounding."""
        return {
            "image_size": self.image_size,
            "batch_size": self.batch_size,
            "data": self.data,
            "data_hash": self.data_hash,
            "n_classes": self.n_classes,
            "batch_norm": self.batch_norm,
            "seed": self.seed,
            "n_batches": self.n_batches,
            "n_seeds": self.n_seeds,
            "revision": _REVISION,
            "init": self.init,
            "processor": self.processor,
            "torch": version("torch"),
        }

    def only(self, names: Collection[str]) -> "ZeroCost":
        meter = copy.copy(self)
        meter.metrics = tuple(metric for metric in self.metrics if metric.name in names)
        return meter

    def load(self) -> None:
        import torch  # noqa: F401  # takes seconds

        from moo_nas.meters.proxies import passes  # noqa: F401
        from moo_nas.networks import build  # noqa: F401

        self._unchanged_batches()

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        import torch

        from moo_nas.meters.device.timer import torch_threads
        from moo_nas.networks import build

        # The memory format that convolutions are fastest in.
        memory_format = torch.channels_last
        batches = [
            (
                torch.tensor(batch.images, dtype=torch.float32, device=self.device).contiguous(
                    memory_format=memory_format
                ),
                torch.tensor(batch.labels, device=self.device),
            )
            for batch in self._unchanged_batches()
        ]
        rows = np.zeros((len(architectures), len(self.metrics)))
        # One thread, so that a score is the same however many processes work beside this one.
        with torch_threads(1):
            for row, a, first in zip(rows, architectures, seeds, strict=True):
                for seed in [first, *(stable_seed(int(first), k) for k in range(1, self.n_seeds))]:
                    for chosen, image_size in self._networks():
                        network = build(a, self.n_classes, seed, self.init, memory_format, image_size)
                        network.to(self.device)
                        names = [self.metrics[i].name for i in chosen]
                        for images, labels in batches:
                            row[chosen] += self._scores(network, images, labels, names, seed)
        return rows / (self.n_seeds * self.n_batches)

    def _networks(self) -> list[tuple[list[int], int | None]]:
        """Return which metrics look at networks without what no pixel meets, and which at whole ones."""
        whole = [PROXIES[metric.name].whole for metric in self.metrics]
        sizes = {False: self.image_size, True: None}
        return [([i for i, w in enumerate(whole) if w == kind], sizes[kind]) for kind in sorted({*whole})]

    def _scores(
        self, network: "nn.Module", images: "Tensor", labels: "Tensor", names: list[str], seed: int
    ) -> list[float]:
        """Return the proxies; NaN for one that is not defined where others are."""
        try:
            scores = score_network(network, images, labels, names, self.batch_norm, seed)
        except MeterError:
            if len(self.metrics) == 1:
                raise
            if len(names) == 1:
                return [math.nan]
            return [self._scores(network, images, labels, [name], seed)[0] for name in names]
        return [scores[name] for name in names]

    def _batches(self) -> list[Batch]:
        seeds = [self.seed, *(stable_seed(self.seed, k) for k in range(1, self.n_batches))]
        return [load_batch(self.data, self.batch_size, self.image_size, seed) for seed in seeds]

    def _unchanged_batches(self) -> list[Batch]:
        """Return the minibatches; a worker reads them itself, and a folder may have changed meanwhile."""
        try:
            batches = self._batches()
        except InputError as error:
            raise SourceError(str(error)) from error
        if [batch.hash for batch in batches] != self.data_hash:
            raise SourceError(
                f"The images of '{self.data}' are not those that this run began with; put them back, or "
                "start a new run."
            )
        return batches


def _processor(device: str) -> str:
    """Return what does the sums, as part of a score's identity: its rounding."""
    if device == "cpu":
        return "cpu"
    if device != "cuda":
        raise unknown("device", device, ("cpu", "cuda"))
    import torch

    if not torch.cuda.is_available():
        raise InputError("device is 'cuda', and torch finds no CUDA GPU on this machine; use 'cpu'.")
    return torch.cuda.get_device_name()


def score_network(
    network: "nn.Module",
    images: "Tensor",
    labels: "Tensor",
    proxies: Collection[str] = HAENAS,
    batch_norm: Literal["train", "eval"] = "train",
    seed: int = 0,
) -> dict[str, float]:
    """Return proxies of any torch network, from one forward pass and the gradients they share.

    The network is left exactly as it was: parameters, their ``.grad`` and ``requires_grad`` (frozen
    weights are scored like all), buffers, modes and hooks. Everything but batch normalisation is in
    evaluation mode, so that no dropout makes a score random. Weights are those of ``Conv2d`` and
    ``Linear`` layers; others run, and are not scored.

    Args:
        network: Class scores ``(n, n_classes)`` for images.
        images: ``(n, channels, height, width)``.
        labels: ``(n,)`` classes.
        proxies: Which of ``PROXIES``; those of HaeNAS by default.
        batch_norm: ``train`` normalises by the minibatch, ``eval`` by the running statistics.
        seed: What draws the noise and the weights that ``zen`` looks at.

    Raises:
        InputError: An unknown proxy.
        MeterError: A proxy is not defined for this network and minibatch.
    """
    import torch

    from moo_nas.meters.proxies.passes import Passes

    for name in proxies:
        if name not in PROXIES:
            raise unknown("proxy", name, PROXIES)
    needs = {need for name in proxies for need in PROXIES[name].needs}
    # TF32, cuDNN's default, would round to three digits.
    exact = torch.backends.cudnn.flags(torch.backends.cudnn.enabled, deterministic=True, allow_tf32=False)
    with exact, torch.enable_grad():  # even where the caller has switched gradients off
        passes = Passes(network, images, labels, batch_norm, needs, seed)
        values = {}
        for name in proxies:
            values[name] = PROXIES[name].load()(passes)
            if not math.isfinite(values[name]):
                raise MeterError(f"{name} of this network is {values[name]}: {passes.why_not_finite()}")
        return values
