"""MnasNet-like networks with published ImageNet accuracy and latency: Accel-NASBench."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from moo_nas.arrays import IntArray
from moo_nas.errors import unknown
from moo_nas.evaluation import Evaluator, Runner, Source, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.initialisation import Init
from moo_nas.meters import SCORE, Analytic, LookUp, Metric, ZeroCost, ZMean
from moo_nas.problem import Failures
from moo_nas.spaces import StageSpace
from problems.data import benchmark_table, data_hash
from problems.known import KnownProblem

TABLE = "accel_nasbench_mnasnet.csv.xz"
DEVICES = ("zcu102", "vck190")
# A gene's column is called block0_e for stage 1, and so on; its squeeze-and-excite is there or not.
_COLUMNS = {"expansion": "e", "kernel": "k", "depth": "l", "se": "se"}
_SQUEEZED = 0.25


class MnasNet(KnownProblem):
    """Which MnasNet-like network is best on ImageNet and fastest on an FPGA, and do proxies tell?

    The networks that were trained are few among those that the space has: ``trained_genomes`` are
    theirs. Any other has no ``top1_error`` and no ``latency_ms``, its row is a failure; scores and
    formulas can be measured of all. The table has 5,138 rows of 5,125 networks: 13 were trained and
    timed twice, their metrics are the means. Two were never timed.

    A search proposes only networks that were trained (the evaluator's ``pool``). The problem is also for
    judging proxies, scores and formulations on real accuracy, network by network.

    Metrics: ``top1_error`` (%, 100 less the table's ``val_top1`` after reduced training) and
    ``latency_ms`` (published, of the device); ``score`` and the proxies it is made
    of; ``params``, ``macs``, ``flops``, ``peak_activation_bytes`` and the survey's counts at 224
    pixels and 1,000 classes.

    Args:
        image_size: Pixels of the images that proxies look at.
        device: What latency is of: ``zcu102`` or ``vck190``, both FPGA boards.
        formulation: What is asked for; by default the Pareto front of error and latency.
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
        n_classes: How many classes the networks that proxies look at tell apart: no fewer than
            ``data`` has.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Attributes:
        trained_genomes: The genomes of all trained networks ``(5125, 28)``, in the table's order.

    Raises:
        InputError: The folder that ``MOO_NAS_DATA`` names lacks the table, or an unknown option.

    Example:
        .. code-block:: python

            problem = MnasNet(device="vck190")
            trained = problem.evaluations(problem.trained_genomes)
            trained["top1_error"].min()

    References:
        A. Ahmad et al. Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS. DAC 2024;
        M. Tan et al. MnasNet: Platform-Aware Neural Architecture Search for Mobile. CVPR 2019.
    """

    name = "mnasnet"

    def __init__(
        self,
        image_size: int = 32,
        device: Literal["zcu102", "vck190"] = "zcu102",
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
        n_classes: int = 10,
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        if device not in DEVICES:
            raise unknown("device", device, DEVICES)
        space = StageSpace.mnasnet()
        table = benchmark_table(TABLE)
        genomes = table_genomes(table, space)
        rows = pd.DataFrame(
            {
                "top1_error": 100 - table["val_top1"].to_numpy(),
                "latency_ms": table[f"latency_{device}_ms"].to_numpy(),
            },
            index=[str(space.decode(genome)) for genome in genomes],
        )
        known = rows.groupby(level=0, sort=False).mean()
        self.trained_genomes = genomes[~rows.index.duplicated()]
        sources: list[Source] = [
            Analytic(224, 1000),
            LookUp(
                known,
                (Metric("top1_error", "%", "min"), Metric("latency_ms", "ms", "min")),
                # The device is part of what the numbers are of.
                f"{TABLE} ({data_hash(TABLE)}), {device}",
                genomes=self.trained_genomes,
            ),
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
            "n_classes": n_classes,
            "failures": failures,
        }
        super().__init__(
            Evaluator(space, sources, seed, store, Runner(n_jobs), n_reference, self.trained_genomes),
            formulation or Pareto("top1_error", "latency_ms"),
            failures,
            options,
        )


def table_genomes(table: pd.DataFrame, space: StageSpace) -> IntArray:
    """Return the genomes ``(n, n_var)`` of the rows of Accel-NASBench's table, in order.

    Raises:
        SpaceError: A row has a choice that the space lacks.
    """
    genomes = np.empty((len(table), space.n_var), dtype=np.int64)
    for position, gene in enumerate(space.genes):
        stage, name = gene.name.removeprefix("stage").split(".")
        values = table[f"block{int(stage) - 1}_{_COLUMNS[name]}"]
        if name == "se":
            values = values * _SQUEEZED
        genomes[:, position] = [gene.index(value) for value in values.tolist()]
    return genomes
