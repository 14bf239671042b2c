"""NAS-Bench-201: published accuracies, latencies and energies, and the networks themselves."""

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.arrays import IntArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator, Runner, Source, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.initialisation import Init
from moo_nas.meters import SCORE, Analytic, LookUp, Metric, ZeroCost, ZMean
from moo_nas.problem import Failures, NASProblem
from moo_nas.spaces import CellSpace
from problems.data import benchmark_table, data_hash

FILE = "nb201_accuracy_hw.csv.xz"
N_CLASSES = {"cifar10": 10, "cifar100": 100}
DEVICES = ("edgegpu", "raspi4", "eyeriss", "fpga")
_WITHOUT_ENERGY = ("raspi4",)


class NASBench201(NASProblem):
    """Which cell of NAS-Bench-201 is accurate, and fast on a device that was measured?

    Metrics: ``val_error``, ``test_error`` (100 minus the accuracy after 200 epochs, mean of the
    seeds, in %), ``latency_ms`` and, but for the Raspberry Pi, ``energy_mj``, from the published
    table; ``params``, ``macs`` and the other costs by formula at 32 pixels; the zero-cost proxies
    of the networks themselves, and the ``score`` made of them. A search is meant to ask for
    ``val_error``; ``test_error`` is for judging what it found.

    Args:
        data_set: ``cifar10`` or ``cifar100``: what networks were trained on, and costed for.
        device: What latency and energy are of: ``edgegpu`` (Jetson TX2), ``raspi4``, ``eyeriss``
            (simulated), ``fpga`` (ZC706).
        formulation: What is asked for; by default the Pareto front of val_error and latency_ms.
        seed: The problem's seed: images, initial weights, reference sample.
        networks: ``all``: the 15,625 genomes as the table has them, each with its own row, so that
            results compare with what is published; ``distinct``: one genome a network, with the
            row of the canonical one (see :class:`~moo_nas.spaces.CellSpace`).
        score: Terms of the score, the mean of their robust z-scores.
        data: Where the proxies' images come from: ``digits``, ``noise``, or the path of a folder or
            .zip of class folders or of CIFAR-10's binary files; see
            :func:`~moo_nas.meters.proxies.inputs.load_batch`.
        image_size: Pixels of the images that proxies look at.
        batch_size: How many images.
        batch_norm: ``train`` or ``eval``.
        n_batches: How many minibatches of so many images a score is the mean over.
        n_seeds: How many draws of a network's weights it is the mean over.
        init: How weights are drawn: ``kaiming``, ``xavier`` or ``torch``.
        proxy_device: Where proxies are computed: ``cpu`` or ``cuda``.
        n_reference: Size of the reference sample.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Raises:
        InputError: An unknown data set, device or option; the table is not there.

    Example:
        .. code-block:: python

            problem = NASBench201("cifar100", "fpga", Pareto("val_error", "energy_mj"))
            run = moo_nas.search(problem, budget=500)

    References:
        X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
        Search. ICLR 2020. C. Li et al. HW-NAS-Bench: Hardware-Aware Neural Architecture Search
        Benchmark. ICLR 2021.
    """

    name = "nasbench201"

    def __init__(
        self,
        data_set: Literal["cifar10", "cifar100"] = "cifar10",
        device: Literal["edgegpu", "raspi4", "eyeriss", "fpga"] = "edgegpu",
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        networks: Literal["all", "distinct"] = "all",
        score: Sequence[str] = SCORE,
        data: str = "digits",
        image_size: int = 32,
        batch_size: int = 32,
        batch_norm: Literal["train", "eval"] = "train",
        n_batches: int = 1,
        n_seeds: int = 1,
        init: Init = "kaiming",
        proxy_device: Literal["cpu", "cuda"] = "cpu",
        n_reference: int = 200,
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        for what, asked, known in (
            ("data_set", data_set, tuple(N_CLASSES)),
            ("device", device, DEVICES),
            ("networks", networks, ("all", "distinct")),
        ):
            if asked not in known:
                raise InputError(f"{what} must be one of {', '.join(known)}; got '{asked}'.")
        n_classes = N_CLASSES[data_set]
        space = CellSpace.nasbench201(merge=networks == "distinct")
        sources: list[Source] = [
            published(data_set, device),
            Analytic(32, n_classes),
            ZeroCost(
                image_size=image_size,
                batch_size=batch_size,
                data=data,
                n_classes=n_classes,
                batch_norm=batch_norm,
                seed=seed,
                n_batches=n_batches,
                n_seeds=n_seeds,
                init=init,
                device=proxy_device,
            ),
            ZMean(tuple(score)),
        ]
        options = {
            "data_set": data_set,
            "device": device,
            "seed": seed,
            "networks": networks,
            "score": list(score),
            "data": data,
            "image_size": image_size,
            "batch_size": batch_size,
            "batch_norm": batch_norm,
            "n_batches": n_batches,
            "n_seeds": n_seeds,
            "init": init,
            "proxy_device": proxy_device,
            "n_reference": n_reference,
            "failures": failures,
        }
        super().__init__(
            Evaluator(space, sources, seed, store, Runner(n_jobs), n_reference),
            formulation or Pareto("val_error", "latency_ms"),
            failures,
            options,
        )

    def official_genomes(self) -> IntArray:
        """Return the genomes ``(15625, 6)`` in the benchmark's official order of architectures."""
        return _official()[0].copy()

    def official_index(self, genomes: npt.ArrayLike) -> IntArray:
        """Return the official index ``(n,)`` of genomes ``(n, n_var)``."""
        numbers: IntArray = _official()[1][_numbers(self.space.check(genomes))]
        return numbers


def published(data_set: str, device: str) -> LookUp:
    """Return the published metrics of every one of the 15,625 networks.

    Raises:
        InputError: The table is not there.
    """
    energy = device not in _WITHOUT_ENERGY
    columns = [f"{data_set}_val_acc", f"{data_set}_test_acc", f"{data_set}__{device}_latency"]
    columns += [f"{data_set}__{device}_energy"] if energy else []
    table = benchmark_table(FILE, usecols=columns)
    metrics = [
        Metric("val_error", "%", "min"),
        Metric("test_error", "%", "min"),
        Metric("latency_ms", "ms", "min"),
        *([Metric("energy_mj", "mJ", "min")] if energy else []),
    ]
    values = table[columns].to_numpy(dtype=np.float64)
    values[:, :2] = 100 - values[:, :2]
    frame = pd.DataFrame(values, columns=[metric.name for metric in metrics], index=_texts(data_hash(FILE)))
    return LookUp(frame, metrics, f"{FILE} ({data_hash(FILE)}), {data_set}, {device}")


def _official() -> tuple[IntArray, IntArray]:
    """Return the genomes in official order, and the official index by genome number."""
    return _order(data_hash(FILE))


@functools.lru_cache(maxsize=2)
def _order(table: str) -> tuple[IntArray, IntArray]:
    codes = benchmark_table(FILE, usecols=["naslib_code"], dtype=str)["naslib_code"]
    # A digit an edge: an index into the operators in the space's own order.
    genomes = np.array([[int(digit) for digit in code] for code in codes], dtype=np.int64)
    index = np.empty(len(genomes), dtype=np.int64)
    index[_numbers(genomes)] = np.arange(len(genomes))
    return genomes, index


@functools.lru_cache(maxsize=2)
def _texts(table: str) -> list[str]:
    space = CellSpace.nasbench201(merge=False)
    return [str(space.decode(genome)) for genome in _order(table)[0]]


def _numbers(genomes: IntArray) -> IntArray:
    numbers: IntArray = genomes @ 5 ** np.arange(5, -1, -1)
    return numbers
