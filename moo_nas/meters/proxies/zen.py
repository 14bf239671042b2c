"""zen: how strongly the feature map answers to a small change of the images."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from moo_nas.arrays import stable_seed
from moo_nas.errors import MeterError
from moo_nas.meters.proxies.passes import BATCH_NORMS, Passes, forward

_ALPHA = 0.01


def zen(passes: Passes) -> float:
    r"""Return the Zen-score, a natural logarithm, any sign, more is better.

    .. math:: \log E\,\lVert f(x) - f(x + \alpha\epsilon)\rVert_F
              + \sum_{batch norms} \log\sqrt{\operatorname{mean}_c \sigma_c^2},
              \quad \alpha = 0.01

    with f the network up to its global pooling (:func:`feature_extractor`); x and epsilon Gaussian
    noise of the minibatch's shape; all weights Gaussian, biases 0, batch norms 1 and 0, normalising
    by the minibatch; and sigma_c^2 the variance over the noise x of channel c as it enters the batch
    norm, whose sum gives back the scale that normalising takes away. Noise and weights come from
    the seed. Residual links are left where they are.

    Raises:
        MeterError: The network is no ``nn.Sequential`` with its head last, or its feature map does
            not answer to its images.

    References:
        M. Lin et al. Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition. ICCV 2021.
    """
    features = feature_extractor(passes.network)
    generator = torch.Generator().manual_seed(stable_seed("zen", passes.seed))

    def gaussian(shape: torch.Size) -> Tensor:
        # On the CPU, so that every device sees the same numbers.
        drawn = torch.randn(shape, generator=generator, dtype=passes.images.dtype)
        return drawn.to(passes.images.device)

    noise, change = gaussian(passes.images.shape), gaussian(passes.images.shape)
    parameters = _gaussian_parameters(features, gaussian)
    variances: list[Tensor] = []

    def keep_variance(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        channels = inputs[0].transpose(0, 1).flatten(1)
        variances.append(channels.var(dim=1, correction=0).double().mean())

    norms = [module for module in features.modules() if isinstance(module, BATCH_NORMS)]
    with torch.no_grad():
        first = forward(features, parameters, noise, "train", before=dict.fromkeys(norms, keep_variance))
        second = forward(features, parameters, noise + _ALPHA * change, "train")
        answer = float((first.double() - second.double()).flatten(1).norm(dim=1).mean())
    factors = [answer, *map(float, variances)]
    if not all(math.isfinite(factor) for factor in factors):
        raise MeterError(f"zen is not finite with Gaussian weights: {passes.why_not_finite()}")
    if min(factors) <= 0:
        raise MeterError(
            "zen is the logarithm of 0: the feature map, or what enters a batch norm, is the same for all "
            "images."
        )
    return math.log(answer) + sum(math.log(variance) / 2 for variance in factors[1:])


def feature_extractor(network: nn.Module) -> nn.Sequential:
    """Return the part of a network that ends ahead of the global pooling, of the same modules.

    These are the children of an ``nn.Sequential`` but for the last, its head; of a head that is an
    ``nn.Sequential`` too, what comes before its ``nn.AdaptiveAvgPool2d`` still belongs to it.

    Raises:
        MeterError: The network has no such part.
    """
    children = list(network.children()) if isinstance(network, nn.Sequential) else []
    if children:
        *body, head = children
        inner = list(head.children()) if isinstance(head, nn.Sequential) else []
        pools = [position for position, m in enumerate(inner) if isinstance(m, nn.AdaptiveAvgPool2d)]
        body += inner[: pools[0]] if pools else []
        if body:
            return nn.Sequential(*body)
    raise MeterError(
        "zen needs the feature map ahead of the head: an nn.Sequential of at least one block with the head "
        f"as its last child; got {type(network).__name__} with {len(children)} such children."
    )


def _gaussian_parameters(network: nn.Module, gaussian: Callable[[torch.Size], Tensor]) -> dict[str, Tensor]:
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    for name, module in network.named_modules():
        for kind in ("weight", "bias"):
            key = f"{name}.{kind}"
            if key not in parameters:
                continue
            if isinstance(module, nn.Conv2d | nn.Linear):
                shape = parameters[key].shape
                parameters[key] = gaussian(shape) if kind == "weight" else torch.zeros_like(parameters[key])
            elif isinstance(module, (*BATCH_NORMS, nn.GroupNorm)):
                fill = torch.ones_like if kind == "weight" else torch.zeros_like
                parameters[key] = fill(parameters[key])
    return parameters
