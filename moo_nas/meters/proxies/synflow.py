"""synflow: how much flows through the network's paths."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from moo_nas.errors import MeterError
from moo_nas.meters.proxies.passes import BATCH_NORMS, Passes, forward, gradients_or_zeros


def synflow(passes: Passes) -> float:
    """Return log sum over weights of |dR/dtheta * theta|, any sign, more is better.

    R is the sum of the class scores for one image of ones, with every parameter replaced by its
    absolute value and batch normalisation left out. The natural logarithm, as the sum spans
    hundreds of decades; all in float64, which ends at 1e308.

    Raises:
        MeterError: Nothing flows, or more than float64 can hold.

    References:
        H. Tanaka et al. Pruning Neural Networks without Any Data by Iteratively Conserving Synaptic
        Flow. NeurIPS 2020. M. Abdelfattah et al. Zero-Cost Proxies for Lightweight NAS. ICLR 2021.
    """
    parameters = {
        name: parameter.detach().double().abs().requires_grad_(True)
        for name, parameter in passes.parameters.items()
    }
    weights = [parameters[name] for name in passes.weight_names]
    ones = torch.ones((1, *passes.images.shape[1:]), dtype=torch.float64, device=passes.images.device)
    norms = [module for module in passes.network.modules() if isinstance(module, BATCH_NORMS)]
    scores = forward(passes.network, parameters, ones, "eval", after=dict.fromkeys(norms, _bypass))
    gradients = gradients_or_zeros(scores.sum(), weights)
    total = float(sum((g * w.detach()).abs().sum() for g, w in zip(gradients, weights, strict=True)))
    if not math.isfinite(total):
        raise MeterError(f"synflow is not finite in float64: {passes.why_not_finite()}")
    if total == 0:
        raise MeterError(
            "synflow is the logarithm of 0: no path with weights other than 0 leads from the pixels to a "
            "class score, or what flows is below 1e-308."
        )
    return math.log(total)


def _bypass(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    untouched: Tensor = inputs[0]
    return untouched
