"""Predicted hardware costs, fitted to measurements of the device."""

from moo_nas.meters.predictors.block_table import BlockTableLatency
from moo_nas.meters.predictors.mlp import MlpLatency
from moo_nas.meters.predictors.saved_table import BlockTable

__all__ = ["BlockTable", "BlockTableLatency", "MlpLatency"]
