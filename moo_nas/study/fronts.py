"""Several fronts from one set of evaluations: one a device, a limit, a wish."""

from collections.abc import Iterable, Mapping

import numpy as np

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.study.record import check_same_problem
from moo_nas.study.run import Run


def fronts(runs: Run | Iterable[Run], formulations: Mapping[str, Formulation]) -> dict[str, Run]:
    """Return what several runs found together, under each of several formulations.

    What one run evaluated counts for all: so searches for many devices that share a store (those of
    a comparison) leave one front per device, each of everything that was evaluated for any of them.

    Args:
        runs: Runs on one problem, such as ``comparison.runs.values()``, or a single one; all of them
            have measured what the formulations read.
        formulations: What is asked for, by name; see :meth:`~moo_nas.study.Run.under`.

    Returns:
        By the same names, a run each, of which ``front``, ``knee()`` and ``nearest(...)`` are asked.

    Raises:
        InputError: No run, runs on different problems, a metric that one of them lacks, or what is no
            formulation by name.

    Example:
        .. code-block:: python

            devices = ("raspi4", "edgegpu")
            asked = {one: Pareto("val_error", f"{one}_latency_ms") for one in devices}
            every = Pareto("val_error", "raspi4_latency_ms", "edgegpu_latency_ms")
            comparison = compare(NASBench201(device=devices), asked, judge=every)
            found = fronts(comparison.runs.values(), asked)
            found["raspi4"].front
    """
    if not isinstance(formulations, Mapping) or not all(
        isinstance(formulation, Formulation) for formulation in formulations.values()
    ):
        raise InputError(
            f"Fronts are under formulations by name, such as {{'a': Pareto('score', 'latency_ms')}}; got "
            f"{formulations!r}."
        )
    row = [runs] if isinstance(runs, Run) else list(runs) if isinstance(runs, Iterable) else [runs]
    if not all(isinstance(run, Run) for run in row):
        raise InputError(f"Fronts are of runs, such as comparison.runs.values(); got {runs!r}.")
    runs = row
    if not runs:
        raise InputError("Fronts are of at least one run; got none.")
    check_same_problem((f"run {number} ({run.name})", run.record) for number, run in enumerate(runs, start=1))
    asked = dict.fromkeys(name for formulation in formulations.values() for name in formulation.metrics)
    common = [m.name for m in runs[0].table.metrics if all(m in run.table.metrics for run in runs)]
    for run in runs:
        for name in asked:
            if name not in common:
                run.table.position(name)
    together = Evaluations.concat([run.table.select(common) for run in runs])
    _, first = np.unique(together.genomes, axis=0, return_index=True)
    table = together.rows(np.sort(first))
    return {
        name: Run(name, runs[0].space, formulation, table, runs[0].record).under(formulation)
        for name, formulation in formulations.items()
    }
