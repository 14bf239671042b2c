"""From genomes to a table of measurements: in parallel, once each, kept as they arrive."""

from moo_nas.evaluation.evaluations import Evaluations
from moo_nas.evaluation.evaluator import Evaluator, Source
from moo_nas.evaluation.runner import Runner
from moo_nas.evaluation.store import Store

__all__ = ["Evaluations", "Evaluator", "Runner", "Source", "Store"]
