"""What can be put on an architecture: formulas, proxies, stop-watches and predictors."""

from moo_nas.meters.aggregate import SCORE, Aggregate, ZMean
from moo_nas.meters.analytic import Analytic
from moo_nas.meters.base import BlockMeter, Meter, Metric
from moo_nas.meters.device import CpuLatency
from moo_nas.meters.predictors import BlockTableLatency, MlpLatency, PredictedCost
from moo_nas.meters.proxies import ZeroCost
from moo_nas.meters.table import LookUp

__all__ = [
    "SCORE",
    "Aggregate",
    "Analytic",
    "BlockMeter",
    "BlockTableLatency",
    "CpuLatency",
    "LookUp",
    "Meter",
    "Metric",
    "MlpLatency",
    "PredictedCost",
    "ZMean",
    "ZeroCost",
]
