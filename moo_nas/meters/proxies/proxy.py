"""What each proxy declares: its function, its direction, its range."""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moo_nas.meters.proxies.passes import Passes


@dataclass(frozen=True, slots=True)
class Proxy:
    """The description of a zero-cost proxy; all are pure numbers (unit 1).

    Args:
        function: ``file.function`` within this folder: a function of
            :class:`~moo_nas.meters.proxies.passes.Passes`.
        low: No value is below.
        high: No value is above.
        goal: ``max`` if more is better.
        needs: What the shared forward pass must keep for it beside the scores.
        whole: Does it look at weights that meet nothing but padding, too?
    """

    function: str
    low: float = -math.inf
    high: float = math.inf
    goal: Literal["min", "max"] = "max"
    needs: tuple[str, ...] = ()
    whole: bool = False

    def load(self) -> "Callable[[Passes], float]":
        """Return the function; its file imports torch."""
        file, name = self.function.split(".")
        found: Callable[[Passes], float] = getattr(
            importlib.import_module(f"moo_nas.meters.proxies.{file}"), name
        )
        return found


PROXIES: Mapping[str, Proxy] = {
    "grad_norm": Proxy("grad_norm.grad_norm", low=0),
    "grad_norm_global": Proxy("grad_norm.grad_norm_global", low=0),
    "snip": Proxy("snip.snip", low=0),
    "grasp": Proxy("grasp.grasp", needs=("second_order",)),
    "jacob_cov": Proxy("jacob_cov.jacob_cov", high=0),
    "synflow": Proxy("synflow.synflow"),
    "naswot": Proxy("naswot.naswot", low=0, needs=("agreement",)),
    "zen": Proxy("zen.zen"),
    "fisher": Proxy("fisher.fisher", low=0, needs=("activations",)),
    "l2_norm": Proxy("l2_norm.l2_norm", low=0, whole=True),
    "plain": Proxy("plain.plain"),
}

# Those that the paper compares, and that any network with weights and more than one class has.
HAENAS = ("grad_norm", "grad_norm_global", "snip", "grasp", "jacob_cov")
