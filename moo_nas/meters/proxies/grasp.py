"""grasp: how much the gradient's norm would change were single weights removed."""

from moo_nas.meters.proxies.passes import Passes


def grasp(passes: Passes) -> float:
    """Return -sum over weights of (H dL/dtheta) * theta, any sign, more is better (eq. 5 of HaeNAS).

    H is the Hessian of the loss; its product with the gradient comes from a second backward pass.

    References:
        C. Wang, G. Zhang, R. Grosse. Picking Winning Tickets Before Training by Preserving
        Gradient Flow. ICLR 2020.
    """
    return -float(
        sum(
            (h.detach() * w.detach()).double().sum()
            for h, w in zip(passes.hessian_gradient, passes.weights, strict=True)
        )
    )
