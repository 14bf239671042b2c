"""How fast are architectures scored, from a description to numbers, and what is the floor?

Seconds per HaeNAS architecture (build, score by grad_norm, snip and jacob_cov, discard; one thread,
nothing warmed up for an architecture), side by side on the same architectures in this one run:

-   ours: ``ZeroCost.measure``;
-   the usual recipe, as the public reference has it (M. Abdelfattah et al., zero-cost-nas): torch's own
    construction, then for each proxy a copy (constructed anew, the weights loaded) and a pass of its own,
    snip's with a mask on every weight;
-   the floor: one forward and one backward pass, as ours runs them, of a network that is there already;
-   the plain floor: the same as torch runs them, of the whole network.

Asked of ours, in ratios to the usual recipe: 4 at 32 px and batch 16, 5 at 32 px and batch 64, 3 at
96 px and batch 16; grasp at most 3.2 times the three together; two worker processes at least 1.5
times one.

Run:     python studies/proxy_speed.py [--smoke]
Takes:   5 minutes on two cores, 30 s with --smoke.
Writes:  studies/results/proxy_speed.csv (runs/smoke/results/proxy_speed.csv with --smoke).
"""

import functools
import time
import types

import numpy as np
import pandas as pd
import torch
from common import arguments
from speed import PROXIES, SPACE, clock
from torch import Tensor, nn

from moo_nas.evaluation import Runner
from moo_nas.meters import ZeroCost
from moo_nas.meters.proxies.inputs import load_batch
from moo_nas.meters.proxies.passes import Passes
from moo_nas.networks import build
from moo_nas.networks.builder import MODULES
from moo_nas.spaces import Architecture

SETTINGS = {(32, 16): 4.0, (32, 64): 5.0, (96, 16): 3.0}  # image size, batch size: asked ratio


def constructed(architecture: Architecture) -> nn.Sequential:
    """Return an architecture as torch constructs and initialises it."""
    network = nn.Sequential(*(MODULES[b.operator](b) for b in architecture.blocks(224, 10)))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()  # our layers leave that to their builder
    return network


def usual(architecture: Architecture, image_size: int, batch_size: int) -> dict[str, float]:
    """Score an architecture by the usual recipe."""
    batch = load_batch("digits", batch_size, image_size, 0)
    images, labels = torch.tensor(batch.images, dtype=torch.float32), torch.tensor(batch.labels)
    network = constructed(architecture)

    def copied() -> tuple[nn.Module, list[nn.Conv2d | nn.Linear]]:
        copy = constructed(architecture)
        copy.load_state_dict(network.state_dict())
        return copy.train(), [m for m in copy.modules() if isinstance(m, nn.Conv2d | nn.Linear)]

    copy, layers = copied()
    nn.functional.cross_entropy(copy(images), labels).backward()
    norm = sum(float(layer.weight.grad.norm()) for layer in layers)

    copy, layers = copied()
    for layer in layers:
        mask = nn.Parameter(torch.ones_like(layer.weight))
        layer.weight.requires_grad = False
        layer.forward = types.MethodType(masked, layer)
        layer.register_parameter("mask", mask)
    nn.functional.cross_entropy(copy(images), labels).backward()
    snip = sum(float(layer.mask.grad.abs().sum()) for layer in layers)

    copy, _ = copied()
    inputs = images.clone().requires_grad_(True)
    scores = copy(inputs)
    scores.backward(torch.ones_like(scores))
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(inputs.grad.flatten(1).numpy())) + 1e-5
    jacobian = -float((np.log(eigenvalues) + 1 / eigenvalues).sum())
    return {"grad_norm": norm, "snip": snip, "jacob_cov": jacobian}


def masked(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """Return what a layer with a mask on its weights puts out."""
    weight = layer.weight * layer.mask
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(x, weight, layer.bias)
    return nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding, 1, layer.groups)


def floors(architecture: Architecture, image_size: int, batch_size: int) -> tuple[float, float]:
    """Return the seconds of one forward and one backward pass, as ours runs them and as torch does."""
    network = build(architecture, 10).train()
    images, labels = torch.randn(batch_size, 3, image_size, image_size), torch.arange(batch_size) % 10
    plain = clock(lambda: nn.functional.cross_entropy(network(images), labels).backward())[0]
    last = torch.channels_last
    network = build(architecture, 10, memory_format=last, image_size=image_size)
    passes = Passes(network, images.contiguous(memory_format=last), labels)
    return clock(lambda: passes.gradients)[0], plain


def settings_table(n: int) -> pd.DataFrame:
    """Return medians over architectures, a row a setting."""
    rows = []
    for (image_size, batch_size), asked in SETTINGS.items():
        three = ZeroCost(PROXIES, image_size, batch_size)
        grasp = ZeroCost(("grasp",), image_size, batch_size)
        seconds = []
        for genome in SPACE.sample(n, seed=1):
            a = SPACE.decode(genome)
            calls = (
                functools.partial(three.measure, [a], [0]),
                functools.partial(usual, a, image_size, batch_size),
                functools.partial(grasp.measure, [a], [0]),
            )
            seconds.append([*(clock(call)[0] for call in calls), *floors(a, image_size, batch_size)])
        ours, theirs, hessian, least, plain = np.median(seconds, axis=0)
        rows.append(
            {
                "image_size": image_size,
                "batch_size": batch_size,
                "architectures_a_second": 1 / ours,
                "usual_recipe_a_second": 1 / theirs,
                "floor_a_second": 1 / least,
                "plain_floor_a_second": 1 / plain,
                "speedup": float(np.median([row[1] / row[0] for row in seconds])),
                "asked": asked,
                "grasp_over_three": hessian / ours,
            }
        )
    return pd.DataFrame(rows)


def two_workers(n: int) -> float:
    """Return how many times faster two worker processes are than one."""
    meter = ZeroCost(PROXIES, 32, 16)
    architectures = [SPACE.decode(genome) for genome in SPACE.sample(n, seed=2)]
    seconds = []
    for n_jobs in (1, 2):
        runner = Runner(n_jobs)
        list(runner.run(meter, architectures[: 2 * n_jobs], [0] * 2 * n_jobs))  # starts the workers
        start = time.perf_counter()
        list(runner.run(meter, architectures, [0] * n))
        seconds.append(time.perf_counter() - start)
    return seconds[0] / seconds[1]


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    torch.set_num_threads(1)
    usual(SPACE.decode(SPACE.sample(1, seed=0)[0]), 32, 16)  # loads torch's kernels
    table = settings_table(1 if options.smoke else 20)
    print(table.to_string(index=False, float_format="%.3f"))
    workers = two_workers(4 if options.smoke else 100)
    print(f"two workers against one: {workers:.2f} (asked: 1.5)")
    table = table.assign(two_workers=workers)
    target = options.results / "proxy_speed.csv"
    table.to_csv(target, index=False)
    print(f"Results: {target}")


if __name__ == "__main__":
    main()
