"""Several zero-cost proxies of one architecture from one pass."""

import copy
import math
from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError, unknown
from moo_nas.meters.base import Meter, Metric
from moo_nas.meters.proxies.inputs import load_batch
from moo_nas.meters.proxies.proxy import HAENAS, PROXIES
from moo_nas.spaces import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn


class ZeroCost(Meter):
    """Zero-cost proxies of untrained networks on one minibatch; those asked for share one pass.

    Every architecture sees the same images; its weights come from its own seed, and so does what a
    proxy draws beside them.

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

    Raises:
        InputError: An unknown proxy or source, a batch that the source cannot fill, or fewer classes
            than the source has.

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
    ) -> None:
        for name in proxies:
            if name not in PROXIES:
                raise unknown("proxy", name, PROXIES)
        if batch_norm not in ("train", "eval"):
            raise InputError(f"batch_norm must be 'train' or 'eval'; got '{batch_norm}'.")
        self.metrics = tuple(Metric(name, "1", PROXIES[name].goal) for name in proxies)
        self.image_size = image_size
        self.batch_size = batch_size
        self.data = data
        self.n_classes = n_classes
        self.batch_norm = batch_norm
        self.seed = seed
        batch = load_batch(data, batch_size, image_size, seed)  # says now what is wrong with the data
        if n_classes < batch.n_classes:
            raise InputError(
                f"The labels of '{data}' need networks of at least {batch.n_classes} classes; "
                f"got n_classes={n_classes}."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Without the names of the proxies: each value is the same whichever others share its pass."""
        return {
            "image_size": self.image_size,
            "batch_size": self.batch_size,
            "data": self.data,
            "data_hash": load_batch(self.data, self.batch_size, self.image_size, self.seed).hash,
            "n_classes": self.n_classes,
            "batch_norm": self.batch_norm,
            "seed": self.seed,
            "torch": version("torch"),
        }

    def only(self, names: Collection[str]) -> "ZeroCost":
        meter = copy.copy(self)
        meter.metrics = tuple(metric for metric in self.metrics if metric.name in names)
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        import torch

        from moo_nas.meters.device.timer import torch_threads
        from moo_nas.networks import build

        batch = load_batch(self.data, self.batch_size, self.image_size, self.seed)
        images = torch.tensor(batch.images, dtype=torch.float32)
        labels = torch.tensor(batch.labels)
        names = [metric.name for metric in self.metrics]
        rows = np.empty((len(architectures), len(names)))
        # One thread, so that a score is the same however many processes work beside this one.
        with torch_threads(1):
            for row, architecture, seed in zip(rows, architectures, seeds, strict=True):
                network = build(architecture, self.n_classes, seed)
                scores = score_network(network, images, labels, names, self.batch_norm, seed)
                row[:] = [scores[name] for name in names]
        return rows


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
    evaluation mode, so that no dropout makes a score random.

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
    with torch.enable_grad():  # even where the caller has switched gradients off
        passes = Passes(network, images, labels, batch_norm, needs, seed)
        values = {}
        for name in proxies:
            values[name] = PROXIES[name].load()(passes)
            if not math.isfinite(values[name]):
                raise MeterError(f"{name} of this network is {values[name]}: {passes.why_not_finite()}")
        return values
