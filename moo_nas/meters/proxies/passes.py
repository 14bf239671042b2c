"""One forward pass and the gradients that proxies share."""

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call

from moo_nas.errors import MeterError


class Passes:
    """One forward pass of a network on one minibatch, and the gradients of it that are asked for.

    Each gradient is computed when a proxy first reads it and shared by all that read it. The
    network itself stays as it was: nothing is accumulated in ``.grad``, and batch normalisation's
    running statistics are updated on copies.

    Args:
        network: Class scores ``(n, n_classes)`` for images.
        images: ``(n, channels, height, width)``.
        labels: ``(n,)`` classes.
        batch_norm: ``train`` normalises by the minibatch, ``eval`` by the running statistics.
        second_order: Keep the graph of the first gradient, for products with the Hessian.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        batch_norm: str = "train",
        second_order: bool = False,
    ) -> None:
        self._second_order = second_order
        self._images = images.detach().clone().requires_grad_(True)
        # Detached aliases of the parameters: no copy, and nothing reaches the network's own .grad.
        self._parameters: Mapping[str, Tensor] = {
            name: parameter.detach().requires_grad_(True) for name, parameter in network.named_parameters()
        }
        buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
        modes = {module: module.training for module in network.modules()}
        network.train(batch_norm == "train")
        try:
            self._scores = functional_call(network, {**self._parameters, **buffers}, (self._images,))
            self._loss = nn.functional.cross_entropy(self._scores, labels)
        finally:
            for module, training in modes.items():
                module.training = training
        weighted = (nn.Conv2d, nn.Linear)
        self._names = [
            f"{name}.weight" if name else "weight"
            for name, module in network.named_modules()
            if isinstance(module, weighted)
        ]
        if not self._names:
            raise MeterError("The network has no convolution or linear layer to score.")

    @cached_property
    def weights(self) -> list[Tensor]:
        """The weights of convolutions and linear layers, without biases and batch norm."""
        return [self._parameters[name] for name in self._names]

    @cached_property
    def gradients(self) -> list[Tensor]:
        """The loss's gradient by each of the weights."""
        return list(
            torch.autograd.grad(self._loss, self.weights, retain_graph=True, create_graph=self._second_order)
        )

    @cached_property
    def hessian_gradient(self) -> list[Tensor]:
        """The Hessian times the gradient, by each of the weights."""
        product = sum((g * g.detach()).sum() for g in self.gradients)
        assert isinstance(product, Tensor)
        return list(torch.autograd.grad(product, self.weights, retain_graph=True))

    @cached_property
    def input_jacobian(self) -> Tensor:
        """The gradient of the summed class scores by each image, ``(n, pixels)``."""
        (jacobian,) = torch.autograd.grad(self._scores.sum(), self._images, retain_graph=True)
        return jacobian.flatten(1)
