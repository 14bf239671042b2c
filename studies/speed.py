"""How fast are the proxies' shared pass and the analytic costs?

Figures, each measured in this one run, ratios side by side:

1.  grad_norm, snip and jacob_cov of one network from one shared pass, against three separate passes on
    deep copies (each the proxy's usual recipe): 32 px, batch 16. Asked: at most 0.5.
2.  All analytic costs of genomes of three spaces, genomes a second in batches of a million, the tables being
    filled (which a first call of NAS-Bench-201 does: seconds are printed). Asked: at least 1,000,000.
3.  fvcore's seconds for the FLOPs alone of a network that is there already (FlopCountAnalysis, 96 px, the
    median of networks), over those that all analytic costs of one of a million HaeNAS genomes take. Both must
    count the same multiply-accumulates. Asked: at least 100,000.

Run:     python studies/speed.py [--smoke]   (with fvcore: pip install -e .[test])
Takes:   2 minutes, 15 s with --smoke.
Writes:  studies/results/speed.csv (runs/smoke/results/speed.csv with --smoke).
"""

import copy

import numpy as np
import pandas as pd
import torch
from common import arguments, clock
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from moo_nas.meters import Analytic
from moo_nas.meters.proxies import score_network
from moo_nas.meters.proxies.inputs import load_batch
from moo_nas.networks import build
from moo_nas.spaces import CellSpace, SearchSpace, StageSpace

PROXIES = ("grad_norm", "snip", "jacob_cov")
SPACE = StageSpace.haenas()
SPACES: dict[str, SearchSpace] = {
    "HaeNAS": SPACE,
    "MnasNet": StageSpace.mnasnet(),
    "NAS-Bench-201": CellSpace.nasbench201(),
}
COSTS = Analytic(96, 10)


def separate_passes(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the three proxies, each by a pass of its own on a deep copy."""

    def gradients() -> list[tuple[Tensor, Tensor]]:
        net = copy.deepcopy(network).train()
        nn.functional.cross_entropy(net(images), labels).backward()
        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return [(m.weight.detach(), m.weight.grad) for m in layers]

    norm = sum(float(gradient.norm()) for _, gradient in gradients())
    snip = sum(float((weight * gradient).abs().sum()) for weight, gradient in gradients())
    net, inputs = copy.deepcopy(network).train(), images.clone().requires_grad_(True)
    scores = net(inputs)
    scores.backward(torch.ones_like(scores))
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(inputs.grad.flatten(1).numpy())) + 1e-5
    return {
        "grad_norm": norm,
        "snip": snip,
        "jacob_cov": -float((np.log(eigenvalues) + 1 / eigenvalues).sum()),
    }


def shared_pass(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the three proxies from one pass."""
    return score_network(network, images, labels, PROXIES)


def proxies(n_networks: int) -> tuple[float, float]:
    """Return the median seconds of the shared pass and of separate passes, over networks."""
    batch = load_batch("digits", 16, 32, 0)
    images, labels = torch.tensor(batch.images, dtype=torch.float32), torch.tensor(batch.labels)
    shared, separate = [], []
    for genome in SPACE.sample(n_networks, seed=0):
        network = build(SPACE.decode(genome), 10)
        seconds_shared, _ = clock(lambda n=network: shared_pass(n, images, labels))
        seconds_separate, _ = clock(lambda n=network: separate_passes(n, images, labels))
        # Both must score alike. In float32 a unit about zero is on in one and off in the other.
        network, exact = network.double(), images.double()
        ours, theirs = (f(network, exact, labels) for f in (shared_pass, separate_passes))
        for name in PROXIES:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6)
        shared.append(seconds_shared)
        separate.append(seconds_separate)
    return float(np.median(shared)), float(np.median(separate))


def genomes_a_second(space: SearchSpace, n: int, rounds: int) -> tuple[float, float]:
    """Return genomes a second of the analytic costs, the median of rounds, and a first call's seconds."""
    genomes = space.sample(n, seed=0)
    tables = space.tabulate(COSTS)
    first, _ = clock(lambda: tables(genomes))
    return n / float(np.median([clock(lambda: tables(genomes))[0] for _ in range(rounds)])), first


def fvcore_seconds(n_networks: int) -> float:
    """Return the median seconds fvcore takes for the FLOPs of a built network."""
    macs = [metric.name for metric in COSTS.metrics].index("macs")
    taken = []
    for genome in SPACE.sample(n_networks, seed=0):
        architecture = SPACE.decode(genome)
        analysis = FlopCountAnalysis(build(architecture, COSTS.n_classes).eval(), torch.zeros(1, 3, 96, 96))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        seconds, counts = clock(analysis.by_operator)
        assert counts["conv"] + counts["linear"] == COSTS.measure([architecture], [0])[0, macs]
        taken.append(seconds)
    return float(np.median(taken))


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    torch.set_num_threads(1)
    proxies(2)  # warms up
    shared, separate = proxies(4 if options.smoke else 30)
    n_genomes = 100_000 if options.smoke else 1_000_000
    rates = {name: genomes_a_second(space, n_genomes, 5) for name, space in SPACES.items()}
    counting = fvcore_seconds(3 if options.smoke else 20)
    table = pd.DataFrame(
        [
            ("three proxies: one pass / separate passes", shared / separate, "<= 0.5"),
            *(
                (f"analytic costs of {name}: million genomes a second", rate / 1e6, ">= 1")
                for name, (rate, _) in rates.items()
            ),
            (
                "FLOPs by fvcore / all analytic costs, seconds per architecture",
                counting * rates["HaeNAS"][0],
                ">= 100000",
            ),
        ],
        columns=["figure", "measured", "asked"],
    )
    print(table.to_string(index=False, float_format="%.3f"))
    print("first calls:", ", ".join(f"{name} {first:.2f} s" for name, (_, first) in rates.items()))
    print(f"fvcore: {1e3 * counting:.0f} ms per architecture")
    target = options.results / "speed.csv"
    table.to_csv(target, index=False)
    print(f"Results: {target}")


if __name__ == "__main__":
    main()
