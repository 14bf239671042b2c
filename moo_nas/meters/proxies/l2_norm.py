"""l2_norm: how large the weights are."""

import torch

from moo_nas.meters.proxies.passes import Passes


def l2_norm(passes: Passes) -> float:
    """Return the sum over layers of the weights' Euclidean norm, >= 0, more is better.

    sum over layers l of sqrt(sum theta_l^2), of convolutions and linear layers. It needs neither
    images nor a pass; with weights drawn at a fixed scale it counts layers and their widths.

    References:
        M. Abdelfattah et al. Zero-Cost Proxies for Lightweight NAS. ICLR 2021.
    """
    weights = [passes.parameters[name].detach() for name in passes.weight_names]
    return float(torch.stack([weight.double().norm() for weight in weights]).sum())
