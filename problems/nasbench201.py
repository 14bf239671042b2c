"""NAS-Bench-201: published accuracies, latencies and energies, and the networks themselves."""

import functools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.arrays import BoolArray, IntArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator, Runner, Source, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.initialisation import Init
from moo_nas.meters import SCORE, Analytic, LookUp, Metric, WorstCase, ZeroCost, ZMean
from moo_nas.problem import Failures
from moo_nas.spaces import CellSpace
from moo_nas.spaces.graph import NASBENCH201_OPERATORS
from moo_nas.spaces.isomorphism import without_dead_edges
from problems.data import benchmark_table, data_hash
from problems.known import KnownProblem

FILE = "nb201_accuracy_hw.csv.xz"
N_CLASSES = {"cifar10": 10, "cifar100": 100}
DEVICES = ("edgegpu", "raspi4", "eyeriss", "fpga")
NETWORKS = ("all", "distinct", "live")
_WITHOUT_ENERGY = ("raspi4",)


class NASBench201(KnownProblem):
    """Which cell of NAS-Bench-201 is accurate, and fast on a device that was measured?

    Metrics: ``val_error``, ``test_error`` (100 minus the accuracy after 200 epochs, mean of the
    seeds, in %), ``latency_ms`` and, but for the Raspberry Pi, ``energy_mj``, from the published
    table; ``params``, ``macs`` and the other costs by formula at 32 pixels; the zero-cost proxies
    of the networks themselves, and the ``score`` made of them. A search is meant to ask for
    ``val_error``; ``test_error`` is for judging what it found.

    Args:
        data_set: ``cifar10`` or ``cifar100``: what networks were trained on, and costed for.
        device: What latency and energy are of: ``edgegpu`` (Jetson TX2), ``raspi4``, ``eyeriss``
            (simulated), ``fpga`` (ZC706). Of several (a list, or a text with commas) each has metrics
            of its own: ``raspi4_latency_ms``, ``edgegpu_energy_mj``; and ``worst_latency`` is the worst of
            their latencies, each as a share of its target (:class:`~moo_nas.meters.WorstCase`).
        formulation: What is asked for; by default the Pareto front of val_error and the (first)
            device's latency.
        seed: The problem's seed: images, initial weights, reference sample.
        targets: Of several devices, the target of each one's latency in ms, in their order; by default
            the medians of the reference sample.
        networks: ``all``: the 15,625 genomes as the table has them, each with its own row, so that
            results compare with what is published; ``distinct``: one genome a network, with the
            row of the canonical one (see :class:`~moo_nas.spaces.CellSpace`); ``live``: as ``all``,
            but cells in which no path leads from the input to the output cannot be evaluated. These
            are as fast as they are useless, stretch the axis of every cost, and flatter whoever
            samples many of them.
        low_fidelity: Is ``val_error_12ep``, the error after 12 epochs, known before an evaluation? A
            feature for algorithms that learn.
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
            # Searched on validation, judged on test:
            judge = problem.under(Pareto("test_error", "energy_mj"))
            found, _ = judge.fg(judge.evaluations(run.table.genomes))
            regret = Regret(judge.exact_objectives(), log=[1]).curve(found, [100, 500])

    References:
        X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
        Search. ICLR 2020. C. Li et al. HW-NAS-Bench: Hardware-Aware Neural Architecture Search
        Benchmark. ICLR 2021.
    """

    name = "nasbench201"

    def __init__(
        self,
        data_set: Literal["cifar10", "cifar100"] = "cifar10",
        device: Literal["edgegpu", "raspi4", "eyeriss", "fpga"] | Sequence[str] = "edgegpu",
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        targets: Sequence[float] | None = None,
        networks: Literal["all", "distinct", "live"] = "all",
        low_fidelity: bool = False,
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
        devices = tuple(device.split(",") if isinstance(device, str) else device)
        check_choices("data_set", [data_set], tuple(N_CLASSES))
        check_choices("device", devices, DEVICES)
        check_choices("networks", [networks], NETWORKS)
        n_classes = N_CLASSES[data_set]
        space = CellSpace.nasbench201(merge=networks == "distinct")
        pool = live_genomes() if networks == "live" else None
        sources: list[Source] = [
            published(data_set, devices, networks == "live", low_fidelity),
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
            *_worst_cases(devices, targets),
        ]
        options = {
            "data_set": data_set,
            "device": ",".join(devices),
            "seed": seed,
            "networks": networks,
            "low_fidelity": low_fidelity,
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
            **({} if targets is None else {"targets": list(map(float, targets))}),
        }
        super().__init__(
            Evaluator(space, sources, seed, store, Runner(n_jobs), n_reference, pool),
            formulation or Pareto("val_error", _named(devices, devices[0], "latency_ms")),
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


def check_choices(option: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    """Refuse what is not known, and nothing at all."""
    for one in chosen or ("",):
        if one not in known:
            raise InputError(f"{option} must be one of {', '.join(known)}; got '{one}'.")


def published(
    data_set: str, devices: Sequence[str], live: bool = False, low_fidelity: bool = False
) -> LookUp:
    """Return the published metrics of the 15,625 networks, or of those with a live path.

    Raises:
        InputError: The table is not there, or a device is named twice.
    """
    if len(set(devices)) != len(devices):
        raise InputError(f"A device is named twice: {', '.join(devices)}.")
    errors = error_columns(data_set)
    if low_fidelity:
        errors["val_error_12ep"] = f"{data_set}_val_acc_12ep"
    costs = {}
    for device in devices:
        for metric, column in cost_columns(data_set, device).items():
            costs[_named(devices, device, metric)] = column
    what = f"{data_set}, {', '.join(devices)}{', live networks' if live else ''}"
    return look_up(errors, costs, what, live, ["val_error_12ep"] if low_fidelity else [])


def error_columns(data_set: str) -> dict[str, str]:
    """Return the columns of accuracies that errors are made of, by metric."""
    return {"val_error": f"{data_set}_val_acc", "test_error": f"{data_set}_test_acc"}


def cost_columns(data_set: str, device: str) -> dict[str, str]:
    """Return the columns of a device's costs, by metric: the Raspberry Pi has no energy."""
    costs = {"latency_ms": f"{data_set}__{device}_latency"}
    if device not in _WITHOUT_ENERGY:
        costs["energy_mj"] = f"{data_set}__{device}_energy"
    return costs


def look_up(
    errors: Mapping[str, str],
    costs: Mapping[str, str],
    what: str,
    live: bool = False,
    free: Sequence[str] = (),
) -> LookUp:
    """Return a meter of columns of the table.

    Args:
        errors: The column of an accuracy in % by the name of its error.
        costs: The column by the name of a cost, which ends in its unit.
        what: What they are of, as part of the meter's identity.
        live: Only the networks with a live path?
        free: Which of them are known before an evaluation.

    Raises:
        InputError: The table is not there.
    """
    table = benchmark_table(FILE, usecols=[*errors.values(), *costs.values()])
    frame = pd.DataFrame(
        {name: 100 - table[column].to_numpy() for name, column in errors.items()}
        | {name: table[column].to_numpy() for name, column in costs.items()},
        index=_texts(data_hash(FILE)),
    )
    genomes = _official()[0]
    if live:
        alive = is_live(genomes)
        frame, genomes = frame[alive], genomes[alive]
    units = {"ms": "ms", "mj": "mJ"}
    return LookUp(
        frame,
        [Metric(name, units.get(name.rpartition("_")[2], "%"), "min") for name in frame.columns],
        f"{FILE} ({data_hash(FILE)}), {what}",
        free,
        genomes,
        "no path leads from its cell's input to the output" if live else "",
    )


def is_live(genomes: IntArray) -> BoolArray:
    """Return in which cells ``(n, 6)`` a path leads from the input to the output, ``(n,)``."""
    live = without_dead_edges(genomes, 4, NASBENCH201_OPERATORS)
    alive: BoolArray = (live != NASBENCH201_OPERATORS.index("none")).any(axis=1)
    return alive


def live_genomes() -> IntArray:
    """Return the genomes ``(n, 6)`` of cells with a live path, in the official order."""
    genomes = _official()[0]
    return genomes[is_live(genomes)]


def _worst_cases(devices: Sequence[str], targets: Sequence[float] | None) -> list[WorstCase]:
    if len(devices) == 1 and targets is None:
        return []
    try:
        given = [None] * len(devices) if targets is None else [float(target) for target in targets]
    except ValueError as error:
        raise InputError(f"A target of targets must be a number of milliseconds: {error}.") from error
    if len(devices) == 1 or len(given) != len(devices):
        raise InputError(
            f"targets has a latency for each of several devices; got {len(given)} for {', '.join(devices)}."
        )
    latencies = [_named(devices, device, "latency_ms") for device in devices]
    return [WorstCase(dict(zip(latencies, given, strict=True)), "worst_latency")]


def _named(devices: Sequence[str], device: str, metric: str) -> str:
    return metric if len(devices) == 1 else f"{device}_{metric}"


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
