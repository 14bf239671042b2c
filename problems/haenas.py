"""HaeNAS's space, scored by zero-cost proxies and costed on this CPU."""

import os
from collections.abc import Callable, Sequence
from typing import Literal

from moo_nas.errors import InputError, unknown
from moo_nas.evaluation import Evaluator, Runner, Source, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.initialisation import Init
from moo_nas.meters import (
    SCORE,
    Analytic,
    BlockTable,
    BlockTableLatency,
    DeviceEnergy,
    DeviceTable,
    Meter,
    MlpLatency,
    PredictedCost,
    Roofline,
    ZeroCost,
    ZMean,
    pruned,
)
from moo_nas.meters.device import StopWatch, stop_watch
from moo_nas.meters.device_models import DeviceModelName
from moo_nas.problem import Failures, NASProblem
from moo_nas.spaces import StageSpace


class HaeNAS(NASProblem):
    """Which HaeNAS network is best for the machine in front of us?

    Metrics: ``score`` (and the proxies it is made of), ``latency_ms``, and the costs by formula of
    :class:`~moo_nas.meters.Analytic` at the latency's image size; with ``estimates`` also what a device
    that is not here would take, ``estimated_latency_ms`` and ``estimated_energy_mj``, and of a
    microcontroller ``sram_bytes`` and ``flash_bytes``, which its memories limit. With ``energy`` also
    ``energy_mj``, ``average_power_w`` and ``peak_power_w`` of ``device``.

    Args:
        image_size: Pixels of the images that proxies look at.
        device: What latency is of: ``cpu`` (this one, in torch), ``onnxruntime`` (this CPU) or ``cuda``.
        formulation: What is asked for; by default the Pareto front of score and latency.
        seed: The problem's seed: images, initial weights, reference sample.
        score: Terms of the score, the mean of their robust z-scores.
        data: Where the proxies' images come from: ``digits``, ``noise``, or the path of a folder or
            .zip of class folders or of CIFAR-10's binary files; see
            :func:`~moo_nas.meters.proxies.inputs.load_batch`.
        batch_size: How many images.
        batch_norm: ``train`` or ``eval``.
        n_batches: How many minibatches of so many images a score is the mean over.
        n_seeds: How many draws of a network's weights it is the mean over.
        init: How weights are drawn: ``kaiming``, ``xavier`` or ``torch``.
        proxy_device: Where proxies are computed: ``cpu`` or ``cuda``.
        n_reference: Size of the reference sample.
        latency: ``table`` (blocks measured here, corrected on whole networks), ``mlp`` (the paper's
            perceptron on whole networks), ``measured`` (each network on the stop-watch), the path of
            a ``.json`` file (a block table saved before, maybe on another device:
            :meth:`~moo_nas.meters.BlockTable.save`) or of a ``.csv`` file (networks measured on
            another device: :class:`~moo_nas.meters.DeviceTable`; a predictor is fitted to them,
            :class:`~moo_nas.meters.PredictedCost`, and to their ``energy_mj`` and ``peak_power_w``
            where the file has these). Of another device, no energy is measured here; beside a
            ``.csv`` file, no threads, rounds or networks are asked for.
        latency_size: Pixels of the images that latency is of; with a file, of its images.
        latency_batch: How many images at a time; of a file likewise.
        latency_threads: How many threads; of a ``.json`` file likewise.
        latency_rounds: Over how many rounds of timings; fewer are quicker, and less exact.
        energy: ``measured`` (each network by the counter of ``device``: NVML's of a CUDA GPU, else RAPL;
            :class:`~moo_nas.meters.DeviceEnergy`), of the images and threads that latency is of; None
            for no energy.
        n_networks: Whole networks measured for a predictor: by default 20 for ``table``, 1,000 for
            ``mlp``.
        n_classes: How many classes the networks tell apart: no fewer than ``data`` has.
        prune: The path of a saved block table, of the device searched for (or several paths, of several
            devices): options of stages that are never worth it there are pruned from the space
            beforehand; see :func:`~moo_nas.meters.pruned`. None for the whole space.
        prune_slower: Prune also what takes over so many times a stage's median ms per multiply-accumulate.
        estimates: A device of :data:`~moo_nas.meters.DEVICE_MODELS`, such as ``a100-sxm4-40gb`` or
            ``stm32f746``, whose latency and energy are estimated from published figures; None for none.
        meters: Your own, beside these: what they measure can be an objective or a limit as well.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Example:
        >>> problem = HaeNAS(formulation=Pareto("params", "macs"))
        >>> problem.evaluate(problem.space.sample(2, seed=0), return_values_of=["F"]).shape
        (2, 2)

    Raises:
        InputError: An option is not possible; no energy meter on this machine where energy is asked for.

    References:
        Y. Ren, C. Chen, Z. Qi. HaeNAS: Hardware-Aware Efficient Neural Architecture Search via
        Zero-Cost Proxy.
    """

    name = "haenas"

    def __init__(
        self,
        image_size: int = 32,
        device: Literal["cpu", "onnxruntime", "cuda"] = "cpu",
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        score: Sequence[str] = SCORE,
        data: str = "digits",
        batch_size: int = 32,
        batch_norm: Literal["train", "eval"] = "train",
        n_batches: int = 1,
        n_seeds: int = 1,
        init: Init = "kaiming",
        proxy_device: Literal["cpu", "cuda"] = "cpu",
        n_reference: int = 200,
        latency: str | os.PathLike[str] = "table",
        latency_size: int = 96,
        latency_batch: int = 1,
        latency_threads: int = 1,
        latency_rounds: int = 25,
        energy: str | None = None,
        n_networks: int | None = None,
        n_classes: int = 10,
        prune: Sequence[str] | str | os.PathLike[str] | None = None,
        prune_slower: float | None = None,
        estimates: DeviceModelName | None = None,
        meters: Sequence[Source] = (),
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        if not isinstance(meters, list | tuple):
            raise InputError(f"meters is a list of meters, or a tuple; got {meters!r}.")
        latency = os.fspath(latency)
        timer = stop_watch(
            device,
            image_size=latency_size,
            batch_size=latency_batch,
            threads=latency_threads,
            n_classes=n_classes,
            n_rounds=latency_rounds,
        )
        clocks: dict[str, Callable[[], list[Meter]]] = {
            "table": lambda: [BlockTableLatency(timer, 20 if n_networks is None else n_networks)],
            "mlp": lambda: [MlpLatency(timer, 1000 if n_networks is None else n_networks)],
            "measured": lambda: [timer],
        }
        space, here, unused = StageSpace.haenas(), True, {}
        if latency.endswith(".json"):
            saved = BlockTable.load(latency)
            saved.check(space, latency_size, n_classes, latency_batch, latency_threads)
            clocks[latency], here = lambda: [saved.meter(timer)], saved.is_of(timer)
            unused = {"n_networks": n_networks is not None}
        elif latency.endswith(".csv"):
            board = DeviceTable.read(latency, space)
            board.check(latency_size, latency_batch, n_classes)
            clocks[latency], here = (
                lambda: [PredictedCost.of_table(board, m.name) for m in board.costs],
                False,
            )
            unused = {
                "n_networks": n_networks is not None,
                "latency_threads": latency_threads != 1,
                "latency_rounds": latency_rounds != 25,
            }
        elif latency not in clocks:
            raise InputError(
                f"latency must be one of {', '.join(clocks)}, or a path that ends in .json or .csv; got "
                f"'{latency}'."
            )
        for name in (name for name, given in unused.items() if given):
            raise InputError(f"{name} is of what is measured here; latency is of {latency}. Leave it out.")
        if energy is not None and not here:
            raise InputError(
                f"energy={energy} is of this computer, and latency of the device that {latency} is of: no "
                "front would be of either. Leave out energy; of a .csv file's device it is predicted where "
                "the file has energy_mj."
            )
        paths = [prune] if isinstance(prune, str | os.PathLike) else list(prune or ())
        if prune_slower is not None and not paths:
            raise InputError("prune_slower goes by a block table: give its path as prune.")
        tables = [BlockTable.load(path) for path in paths]
        for table in tables:
            table.check(space, latency_size, n_classes)
        left = pruned(space, tables, prune_slower) if tables else None
        sources: list[Source] = [
            Analytic(latency_size, n_classes),
            *([] if estimates is None else [Roofline(estimates, latency_size, n_classes)]),
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
            *clocks[latency](),
            *_energy(energy, timer),
            ZMean(tuple(score)),
            *meters,
        ]
        options = {
            "image_size": image_size,
            "device": device,
            "seed": seed,
            "score": list(score),
            "data": data,
            "batch_size": batch_size,
            "batch_norm": batch_norm,
            "n_batches": n_batches,
            "n_seeds": n_seeds,
            "init": init,
            "proxy_device": proxy_device,
            "n_reference": n_reference,
            "latency": latency,
            "latency_size": latency_size,
            "latency_batch": latency_batch,
            "latency_threads": latency_threads,
            "latency_rounds": latency_rounds,
            "energy": energy,
            "n_networks": n_networks,
            "n_classes": n_classes,
            "estimates": estimates,
            "failures": failures,
            **({"meters": [type(meter).__qualname__ for meter in meters]} if meters else {}),
            # Unsaid where nothing is pruned, so that runs made before it was an option go on.
            **(
                {}
                if left is None
                else {"prune": [os.fspath(path) for path in paths], "prune_slower": prune_slower}
            ),
        }
        super().__init__(
            Evaluator(left.space if left else space, sources, seed, store, Runner(n_jobs), n_reference),
            formulation or Pareto("score", "latency_ms"),
            failures,
            options,
            # What is predicted is checked; what was measured elsewhere cannot be, here.
            {"latency_ms": timer} if here and latency != "measured" else {},
            {} if left is None else {"pruned space": left.record},
        )


def _energy(asked: str | None, watch: StopWatch) -> list[Meter]:
    """Return the meter of energy that is asked for, which must have a counter to read at once."""
    if asked is None:
        return []
    if asked != "measured":
        raise unknown("energy", asked, ["measured"])
    meter = DeviceEnergy(watch)
    meter.counter()
    return [meter]
