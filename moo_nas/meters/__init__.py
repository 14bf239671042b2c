"""What can be put on an architecture: formulas, proxies, stop-watches and predictors."""

from moo_nas.meters.aggregate import SCORE, Aggregate, WorstCase, ZMean
from moo_nas.meters.analytic import Analytic
from moo_nas.meters.base import BlockMeter, Meter, Metric
from moo_nas.meters.configurations import PerConfiguration
from moo_nas.meters.device import CpuLatency, DeviceEnergy, DeviceTable
from moo_nas.meters.device_models import DEVICE_MODELS, DeviceModel, Roofline
from moo_nas.meters.external import External
from moo_nas.meters.predictors import BlockTable, BlockTableLatency, MlpLatency, PredictedCost, pruned
from moo_nas.meters.proxies import ZeroCost
from moo_nas.meters.table import LookUp

__all__ = [
    "DEVICE_MODELS",
    "SCORE",
    "Aggregate",
    "Analytic",
    "BlockMeter",
    "BlockTable",
    "BlockTableLatency",
    "CpuLatency",
    "DeviceEnergy",
    "DeviceModel",
    "DeviceTable",
    "External",
    "LookUp",
    "Meter",
    "Metric",
    "MlpLatency",
    "PerConfiguration",
    "PredictedCost",
    "Roofline",
    "WorstCase",
    "ZMean",
    "ZeroCost",
    "pruned",
]
