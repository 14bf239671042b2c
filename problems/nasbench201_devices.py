"""NAS-Bench-201 on a choice of hardware: which cell, on which device?"""

from collections.abc import Sequence
from typing import Literal

from moo_nas.evaluation import Evaluator, Runner, Store
from moo_nas.formulations import Formulation, Pareto
from moo_nas.meters import Analytic, PerConfiguration
from moo_nas.problem import Failures
from moo_nas.spaces import CellSpace, Gene, JointSpace
from problems.known import KnownProblem
from problems.nasbench201 import DEVICES, N_CLASSES, check_choices, cost_columns, error_columns, look_up


class NASBench201Devices(KnownProblem):
    """Which cell of NAS-Bench-201, and which device to run it on?

    Network and hardware are searched as one: a genome is that of a cell and the ``device`` after it
    (:class:`~moo_nas.spaces.JointSpace`). The worked example of a problem with a hardware
    configuration: errors are meters of the architecture alone, the costs of each device one meter a
    choice (:class:`~moo_nas.meters.PerConfiguration`).

    Metrics: ``val_error``, ``test_error`` (in %), ``latency_ms`` on the device that was chosen and its
    ``energy_mj`` (where all of the devices have it: the Raspberry Pi has not), from the published table;
    ``params``, ``macs`` and the other costs by formula at 32 pixels.

    Args:
        data_set: ``cifar10`` or ``cifar100``.
        devices: Two or more of ``edgegpu``, ``raspi4``, ``eyeriss``, ``fpga``.
        formulation: What is asked for; by default the Pareto front of val_error, latency and energy,
            if there is an energy.
        seed: The problem's seed: the reference sample.
        n_reference: Size of the reference sample.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Raises:
        InputError: An unknown data set or device, fewer than two devices; the table is not there.

    Example:
        .. code-block:: python

            run = moo_nas.search(NASBench201Devices(), budget=500)
            run.front["device"].value_counts()

    References:
        X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
        Search. ICLR 2020. C. Li et al. HW-NAS-Bench: Hardware-Aware Neural Architecture Search
        Benchmark. ICLR 2021.
    """

    name = "nasbench201-devices"

    def __init__(
        self,
        data_set: Literal["cifar10", "cifar100"] = "cifar10",
        devices: Sequence[str] = ("edgegpu", "eyeriss", "fpga"),
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        n_reference: int = 200,
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        devices = tuple(devices.split(",") if isinstance(devices, str) else devices)
        check_choices("data_set", [data_set], tuple(N_CLASSES))
        check_choices("devices", devices, DEVICES)
        costs = {device: cost_columns(data_set, device) for device in devices}
        common = [metric for metric in costs[devices[0]] if all(metric in cost for cost in costs.values())]
        of_each = {
            device: look_up({}, {metric: cost[metric] for metric in common}, f"{data_set}, {device}")
            for device, cost in costs.items()
        }
        space = JointSpace(CellSpace.nasbench201(merge=False), [Gene("device", devices, "categorical")])
        sources = [
            look_up(error_columns(data_set), {}, data_set),
            PerConfiguration("device", of_each),
            Analytic(32, N_CLASSES[data_set]),
        ]
        options = {
            "data_set": data_set,
            "devices": list(devices),
            "seed": seed,
            "n_reference": n_reference,
            "failures": failures,
        }
        super().__init__(
            Evaluator(space, sources, seed, store, Runner(n_jobs), n_reference),
            formulation or Pareto("val_error", *common),
            failures,
            options,
        )
