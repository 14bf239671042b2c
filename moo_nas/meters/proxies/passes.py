"""One forward pass and the gradients that proxies share."""

import contextlib
import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from moo_nas.errors import MeterError
from moo_nas.meters.proxies.convolution import convolve, without_weights
from moo_nas.networks.layers import Conv2d

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
RELUS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU)
_LEAST = 8  # numbers a channel: of 4, float32 and float64 differ by up to a fifth
_COLUMNS = 1 << 20  # that are multiplied at a time: whole numbers up to 2^24 are exact in float32

PreHook = Callable[[nn.Module, tuple[Any, ...]], Any]
Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


class Passes:
    """One forward pass of a network on one minibatch, and the gradients of it that are asked for.

    The forward pass and each gradient are computed when a proxy first reads them, and shared by all
    that read them. The network itself stays as it was: nothing is accumulated in ``.grad``, batch
    normalisation's running statistics are updated on copies, modes and hooks are put back.

    Args:
        network: Class scores ``(n, n_classes)`` for images.
        images: ``(n, channels, height, width)``.
        labels: ``(n,)`` classes.
        batch_norm: ``train`` normalises by the minibatch, ``eval`` by the running statistics.
        needs: What the forward pass must keep beside the scores: ``second_order`` (the graph of the
            first gradient, for products with the Hessian), ``activations`` (of convolutions and
            linear layers), ``agreement`` (of the ReLUs' on/off patterns).
        seed: What proxies draw from that look at random images or weights.

    Raises:
        MeterError: There are no images, or they are no floating-point numbers.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        batch_norm: str = "train",
        needs: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        if images.dim() < 2 or not len(images):
            raise MeterError(f"A proxy needs images (n, channels, height, width); got {tuple(images.shape)}.")
        if not images.is_floating_point():
            raise MeterError(f"A proxy needs images of floating-point numbers; got {images.dtype}.")
        self.network = network
        self.seed = seed
        self.images = images.detach().requires_grad_(True)
        # Detached aliases of the parameters: no copy, and nothing reaches the network's own .grad.
        self.parameters: Mapping[str, Tensor] = {
            name: parameter.detach().requires_grad_(True) for name, parameter in network.named_parameters()
        }
        self._labels = labels
        self._batch_norm = batch_norm
        self._needs = needs
        self._activations: list[tuple[Tensor, nn.Conv2d | nn.Linear]] = []
        self._agreement: Tensor | None = None

    @cached_property
    def weight_names(self) -> list[str]:
        """The parameters that are weights of convolutions and linear layers, each once."""
        names = {id(parameter): name for name, parameter in self.network.named_parameters()}
        found = []
        for name, module in self.network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                if id(module.weight) not in names:
                    raise MeterError(
                        f"The weight of layer '{name}' is computed from other parameters; proxies score "
                        "layers whose weight is a parameter: remove the parametrisation."
                    )
                found.append(names[id(module.weight)])
        if not found:
            raise MeterError("The network has no convolution or linear layer to score.")
        return list(dict.fromkeys(found))

    @cached_property
    def weights(self) -> list[Tensor]:
        """The weights of convolutions and linear layers, without biases and batch norm."""
        return [self.parameters[name] for name in self.weight_names]

    @cached_property
    def scores(self) -> Tensor:
        """The class scores ``(n, n_classes)``."""
        before: dict[nn.Module, PreHook] = {}
        after: dict[nn.Module, Hook] = {}
        for module in self.network.modules():
            if "agreement" in self._needs and isinstance(module, RELUS):
                before[module] = self._add_agreement
            if "activations" in self._needs and isinstance(module, nn.Conv2d | nn.Linear):
                after[module] = self._keep_activation
            if isinstance(module, BATCH_NORMS) and self._batch_norm == "train":
                before[module] = self._refuse_rounding
        # A copy, as a network may begin with an operation in place.
        scores = forward(
            self.network, self.parameters, self.images.clone(), self._batch_norm, before=before, after=after
        )
        if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != len(self.images):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise MeterError(
                f"The network must return class scores (n, n_classes), here of {len(self.images)} images; "
                f"got {got}."
            )
        if not torch.isfinite(scores).all():
            raise MeterError(f"The network's class scores are not finite: {self.why_not_finite()}")
        return scores

    @cached_property
    def loss(self) -> Tensor:
        """The mean cross entropy of the minibatch."""
        n_classes = self.scores.shape[1]
        if n_classes < 2:
            raise MeterError(
                "The network tells one class apart, so its cross entropy is 0 whatever its weights; a proxy "
                "of the loss needs at least 2 classes."
            )
        if self._labels.shape != (len(self.images),):
            raise MeterError(
                f"{len(self.images)} images need as many labels; got {tuple(self._labels.shape)}."
            )
        if self._labels.dtype != torch.int64:
            raise MeterError(f"Labels must be int64 classes; got {self._labels.dtype}. Pass labels.long().")
        low, high = int(self._labels.min()), int(self._labels.max())
        if low < 0 or high >= n_classes:
            raise MeterError(
                f"Labels must be 0 to {n_classes - 1}, as the network has {n_classes} class scores; "
                f"got {low} to {high}."
            )
        return nn.functional.cross_entropy(self.scores, self._labels)

    @cached_property
    def _first_order(self) -> tuple[list[Tensor], list[Tensor]]:
        loss, weights = self.loss, self.weights
        activations = [activation for activation, _ in self._activations]
        sources = [*weights, *activations]
        gradients = gradients_or_zeros(
            loss, sources, retain_graph=True, create_graph="second_order" in self._needs
        )
        return gradients[: len(weights)], gradients[len(weights) :]

    @cached_property
    def gradients(self) -> list[Tensor]:
        """The loss's gradient by each of the weights; zero by those that have no part in the loss.

        Raises:
            MeterError: It is zero by all of them.
        """
        gradients = self._first_order[0]
        if not any(bool(gradient.detach().any()) for gradient in gradients):
            raise MeterError(
                "The loss has no gradient: it is 0 by every weight of a convolution or linear layer. Either "
                f"the network is dead (its class scores are constant) or {self.images.dtype} underflows."
            )
        return gradients

    @cached_property
    def hessian_gradient(self) -> list[Tensor]:
        """The Hessian times the gradient, by each of the weights."""
        product = sum((g * g.detach()).sum() for g in self.gradients)
        assert isinstance(product, Tensor)
        return gradients_or_zeros(product, self.weights, retain_graph=True)

    @cached_property
    def input_jacobian(self) -> Tensor:
        """The gradient of the summed class scores by each image, ``(n, pixels)``."""
        with without_weights():
            (jacobian,) = gradients_or_zeros(self.scores.sum(), [self.images], retain_graph=True)
        if not torch.isfinite(jacobian).all():
            raise MeterError(f"The network's input gradients are not finite: {self.why_not_finite()}")
        return jacobian.flatten(1)

    @property
    def activations(self) -> list[tuple[Tensor, Tensor, int]]:
        """What each call of a convolution or linear layer puts out, and the loss's gradient by it.

        Both ``(n, channels, positions)``; and how many weights make one channel.
        """
        assert "activations" in self._needs
        _ = self.gradients  # says what is wrong with a loss that depends on nothing
        return [
            (_by_channel(activation, layer), _by_channel(gradient, layer), _weights_of_a_channel(layer))
            for (activation, layer), gradient in zip(self._activations, self._first_order[1], strict=True)
        ]

    @property
    def agreement(self) -> Tensor:
        """In how many ReLU units two images are both on or both off, ``(n, n)``, whole numbers."""
        assert "agreement" in self._needs
        _ = self.scores
        if self._agreement is None:
            raise MeterError("The network calls no ReLU module, so its images have no on/off pattern.")
        return self._agreement

    def why_not_finite(self) -> str:
        """Return what made a number infinite or NaN, as the end of a message."""
        for name, tensor in [*self.network.named_parameters(), *self.network.named_buffers()]:
            if not torch.isfinite(tensor).all():
                return f"'{name}' of the network holds NaN or infinity."
        if not torch.isfinite(self.images).all():
            return "the images hold NaN or infinity."
        return "numbers on the way overflow."

    @cached_property
    def _are_identical(self) -> bool:
        return len(self.images) > 1 and bool((self.images == self.images[:1]).all())

    def _refuse_rounding(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Refuse batch normalisation that leaves nothing but rounding: two numbers become -1 and 1."""
        pixels = inputs[0][0, 0].numel()
        what = None
        if len(inputs[0]) * pixels < _LEAST:
            what = f"Batch normalisation sees {len(inputs[0]) * pixels} numbers a channel, and needs {_LEAST}"
        elif pixels == 1 and self._are_identical:
            what = f"The {len(self.images)} images are identical, of one pixel where they are normalised"
        if what:
            raise MeterError(
                f"{what}: gradients would be rounding. Give more images, other ones, larger ones, or "
                "batch_norm 'eval'."
            )

    def _keep_activation(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if len(output) != len(self.images):
            raise MeterError(
                f"A layer puts out {tuple(output.shape)}, which is not one activation for each of "
                f"{len(self.images)} images."
            )
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        self._activations.append((output, layer))
        return output.clone()  # what follows may work in place

    def _add_agreement(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        units = inputs[0].detach()
        if len(units) != len(self.images):
            raise MeterError(
                f"A ReLU looks at {tuple(units.shape)}, which is not one pattern for each of "
                f"{len(self.images)} images."
            )
        # With on = 1 and off = -1 the product is (units that agree) - (units that do not).
        signs = (units.flatten(1) > 0).float().mul_(2).sub_(1)
        product = torch.zeros(len(units), len(units), dtype=torch.float64, device=units.device)
        for part in signs.split(_COLUMNS, dim=1):
            product += part @ part.T
        agreeing = (product + signs.shape[1]) / 2
        self._agreement = agreeing if self._agreement is None else self._agreement + agreeing


def forward(
    network: nn.Module,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    batch_norm: str,
    *,
    before: Mapping[nn.Module, PreHook] | None = None,
    after: Mapping[nn.Module, Hook] | None = None,
) -> Any:
    """Return what a network with other parameters answers, and leave it exactly as it was.

    Everything but batch normalisation is in evaluation mode, so dropout makes no score random.

    Args:
        network: Its buffers are copied, in the floating type of the inputs.
        parameters: By name; those left out are the network's own.
        inputs: What the network is called with.
        batch_norm: ``train`` normalises by the minibatch, ``eval`` by the running statistics.
        before: Hooks that see the inputs of modules.
        after: Hooks that see, and may replace, the outputs of modules.

    Raises:
        MeterError: The network cannot be called with these inputs.
    """
    buffers = {
        name: buffer.detach().to(inputs.dtype if buffer.is_floating_point() else buffer.dtype, copy=True)
        for name, buffer in network.named_buffers()
    }
    with _unchanged(network, batch_norm, before or {}, after or {}):
        try:
            return functional_call(network, {**parameters, **buffers}, (inputs,))
        except MeterError:
            raise
        except (RuntimeError, ValueError) as error:
            raise MeterError(
                f"The network cannot be run on a minibatch of {tuple(inputs.shape)} with batch_norm "
                f"'{batch_norm}': {error}"
            ) from error


def gradients_or_zeros(
    value: Tensor, sources: list[Tensor], retain_graph: bool = False, create_graph: bool = False
) -> list[Tensor]:
    """Return a value's gradient by each of the sources; zeros by those that it does not depend on."""
    if not value.requires_grad:
        return [torch.zeros_like(source) for source in sources]
    found = torch.autograd.grad(
        value, sources, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True
    )
    return [torch.zeros_like(s) if g is None else g for s, g in zip(sources, found, strict=True)]


def _weights_of_a_channel(layer: nn.Conv2d | nn.Linear) -> int:
    """Count them by the kernel's size, as of small maps some are left out that meet padding alone."""
    taps = math.prod(layer.kernel_size) if isinstance(layer, nn.Conv2d) else 1
    return layer.weight.shape[1] * taps


def _by_channel(tensor: Tensor, layer: nn.Module) -> Tensor:
    channel = 1 if isinstance(layer, nn.Conv2d) else tensor.dim() - 1
    return tensor.detach().movedim(channel, 1).reshape(len(tensor), tensor.shape[channel], -1)


@contextlib.contextmanager
def _unchanged(
    network: nn.Module,
    batch_norm: str,
    before: Mapping[nn.Module, PreHook],
    after: Mapping[nn.Module, Hook],
) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    convolutions = [
        m
        for m in modes
        if isinstance(m, nn.Conv2d) and type(m) in (nn.Conv2d, Conv2d) and "_conv_forward" not in vars(m)
    ]
    devices = {parameter.device for parameter in network.parameters() if parameter.is_cuda}
    handles: list[torch.utils.hooks.RemovableHandle] = []
    try:
        for module in modes:
            module.training = batch_norm == "train" and isinstance(module, BATCH_NORMS)
        for module in convolutions:
            module.__dict__["_conv_forward"] = functools.partial(convolve, module)
        handles += [module.register_forward_pre_hook(hook) for module, hook in before.items()]
        handles += [module.register_forward_hook(hook) for module, hook in after.items()]
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)  # a network may draw noise of its own
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module in convolutions:
            module.__dict__.pop("_conv_forward", None)  # its class's again
        for module, training in modes.items():
            module.training = training
