"""HaeNAS's majority vote among siblings: a choice among them, and no number of one architecture."""

import numpy as np

from moo_nas.arrays import FloatArray, IntArray


def fittest(fitness: FloatArray, violation: FloatArray) -> int:
    """Return the row of least violation, then of least fitness value, then the first."""
    return int(np.lexsort((fitness, violation))[0])


def vote(ballots: IntArray, fitness: FloatArray, violation: FloatArray) -> int:
    """Return the child most often named; among equals, the one that the recorder finds fittest."""
    votes = np.bincount(ballots, minlength=len(fitness))
    tied = np.flatnonzero(votes == votes.max())
    return int(tied[fittest(fitness[tied], violation[tied])])
