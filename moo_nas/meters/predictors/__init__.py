"""Predicted hardware costs, fitted to measurements of the device."""

from moo_nas.meters.predictors.block_table import BlockTableLatency
from moo_nas.meters.predictors.mlp import MlpLatency

__all__ = ["BlockTableLatency", "MlpLatency"]
