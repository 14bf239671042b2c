"""The genomes around one: those that differ from it in a few genes."""

import itertools
from collections.abc import Collection

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.space import SearchSpace

# A neighbourhood is held as a matrix, and algorithms look through it.
MOST = 1_000_000


def neighbourhood(
    space: SearchSpace,
    genome: IntArray,
    radius: int,
    least: int = 1,
    known: Collection[bytes] = (),
    pool: IntArray | None = None,
) -> tuple[IntArray, int]:
    """Return the canonical genomes ``(n, n_var)`` that differ from one in few genes, and in how many at most.

    Args:
        space: Where genomes come from.
        genome: The canonical genome in the middle ``(n_var,)``; it is among what is returned.
        radius: In how many genes they may differ.
        least: How many are to be there that are not known: with fewer, the radius grows until there are so
            many, all are there, or one gene more would make it more than a million.
        known: Genomes that do not count, as the bytes of their rows.
        pool: The canonical genomes ``(n_pool, n_var)`` that there are, if not all can be measured.

    Raises:
        SpaceError: A radius of less than one gene, or one with more than a million genomes within.

    Example:
        >>> from moo_nas.spaces import CellSpace
        >>> space = CellSpace.nasbench201(merge=False)
        >>> [len(neighbourhood(space, np.zeros(6, dtype=np.int64), radius)[0]) for radius in (1, 2)]
        [25, 265]
    """
    if radius < 1:
        raise SpaceError(f"A neighbourhood has a radius of at least one gene; got {radius}.")
    if pool is not None:
        distance = (pool != genome).sum(axis=1)
        new = np.sort(distance[[row.tobytes() not in known for row in pool]])
        if len(new):
            radius = max(radius, int(new[min(least, len(new)) - 1]))
        return pool[distance <= radius], radius
    genomes, at = genome[None], 0
    while at < radius or (
        at < space.n_var and n_within(space, at + 1) <= MOST and _n_unknown(genomes, known) < least
    ):
        at += 1
        if n_within(space, at) > MOST:
            raise SpaceError(
                f"{n_within(space, at):,} genomes of {space.name} differ in at most {at} genes; a "
                f"neighbourhood has at most {MOST:,}. Choose a smaller radius."
            )
        genomes = np.unique(np.concatenate([genomes, space.canonical(_shell(space, genome, at))]), axis=0)
    return genomes, at


def n_within(space: SearchSpace, radius: int) -> int:
    """Return how many genomes, canonical or not, differ from one in at most so many genes."""
    # By generating function: each gene stays, or becomes one of the others.
    counts = np.ones(1, dtype=object)
    for n in space.n_choices.tolist():
        counts = np.convolve(counts, np.array([1, n - 1], dtype=object))
    return int(sum(counts[: radius + 1]))


def _shell(space: SearchSpace, genome: IntArray, radius: int) -> IntArray:
    """Return the genomes that differ from one in so many genes ``(n, n_var)``."""
    others = [
        [choice for choice in range(n) if choice != current]
        for n, current in zip(space.n_choices.tolist(), genome.tolist(), strict=True)
    ]
    shells = [np.empty((0, space.n_var), dtype=np.int64)]
    for genes in itertools.combinations(range(space.n_var), radius):
        choices = np.array(list(itertools.product(*(others[gene] for gene in genes))), dtype=np.int64)
        changed = np.repeat(genome[None], len(choices), axis=0)
        changed[:, list(genes)] = choices.reshape(len(choices), radius)
        shells.append(changed)
    return np.concatenate(shells)


def _n_unknown(genomes: IntArray, known: Collection[bytes]) -> int:
    return sum(genome.tobytes() not in known for genome in genomes)
