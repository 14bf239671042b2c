"""Predicted hardware costs, fitted to measurements of the device."""

from moo_nas.meters.predictors.best import Best
from moo_nas.meters.predictors.block_table import BlockTableLatency
from moo_nas.meters.predictors.boosting import GradientBoosting
from moo_nas.meters.predictors.domain import Domain
from moo_nas.meters.predictors.features import cost_features, feature_groups, feature_matrix
from moo_nas.meters.predictors.gaussian_process import GaussianProcess
from moo_nas.meters.predictors.mlp import MlpLatency
from moo_nas.meters.predictors.perceptron import Perceptron, one_hot
from moo_nas.meters.predictors.predicted_cost import PredictedCost
from moo_nas.meters.predictors.pruning import Pruned, pruned
from moo_nas.meters.predictors.regressor import Interval, Regressor
from moo_nas.meters.predictors.ridge import Ridge
from moo_nas.meters.predictors.saved_table import BlockTable
from moo_nas.meters.predictors.transfer import DeviceTransfer

__all__ = [
    "Best",
    "BlockTable",
    "BlockTableLatency",
    "DeviceTransfer",
    "Domain",
    "GaussianProcess",
    "GradientBoosting",
    "Interval",
    "MlpLatency",
    "Perceptron",
    "PredictedCost",
    "Pruned",
    "Regressor",
    "Ridge",
    "cost_features",
    "feature_groups",
    "feature_matrix",
    "one_hot",
    "pruned",
]
