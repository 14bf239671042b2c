"""What is measured elsewhere: what is still to be told of a genome, and keeping what was."""

from collections.abc import Iterable, Mapping

from moo_nas.arrays import IntArray
from moo_nas.evaluation.bench import genome_text
from moo_nas.evaluation.evaluator import Evaluator
from moo_nas.evaluation.store import Measurement
from moo_nas.meters import External


def told_meters(evaluator: Evaluator, names: Iterable[str]) -> dict[str, External]:
    """Return which of these metrics, or of what they are made of, are told, with their meters."""
    meters = (meter for meter in evaluator.meters(names) if isinstance(meter, External))
    return {meter.metrics[0].name: meter for meter in meters}


def untold(evaluator: Evaluator, genomes: IntArray, names: Iterable[str]) -> list[list[str]]:
    """Return which metrics measured elsewhere the store lacks, of each canonical genome ``(n, n_var)``."""
    texts = [genome_text(genome) for genome in genomes]
    lacking: list[list[str]] = [[] for _ in texts]
    for name, meter in told_meters(evaluator, names).items():
        kept = evaluator.store.measurements(evaluator.key(meter), texts)
        for row, text in zip(lacking, texts, strict=True):
            if text not in kept:
                row.append(name)
    return lacking


def keep_told(
    evaluator: Evaluator, genome: IntArray, values: Mapping[str, float | None], reason: str | None = None
) -> None:
    """Keep what was measured elsewhere of a canonical genome ``(n_var,)``, in one transaction.

    Args:
        evaluator: Whose store it is kept in.
        genome: What was measured.
        values: By metric; None where it failed.
        reason: Why it failed.
    """
    measurements = {}
    for name, meter in told_meters(evaluator, values).items():
        key = evaluator.key(meter)
        evaluator.store.describe(key, {"meter": type(meter).__name__, **meter.settings})
        measurements[key] = [Measurement(genome_text(genome), name, values[name], reason)]
    evaluator.store.add_all(measurements)
