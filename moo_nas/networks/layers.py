"""Layers that the builder draws the weights of."""

from typing import Any

from torch import nn


class _Undrawn(nn.Module):
    """A layer whose making draws no weights: that would cost as much again as drawing them once."""

    _made = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made = True

    def reset_parameters(self) -> None:
        """Draw the weights as torch does; while the layer is made, leave its memory as it is."""
        if self._made:
            super().reset_parameters()  # type: ignore[misc]  # of the layer it is mixed into


class Conv2d(_Undrawn, nn.Conv2d):
    """torch's, undrawn."""


class Linear(_Undrawn, nn.Linear):
    """torch's, undrawn."""
