"""How much more volume a candidate is expected to dominate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from moo_nas.arrays import FloatArray, IntArray

_CELLS = 2700  # of the grid over all objectives but the last, at most
_CHUNK = 250_000  # numbers held at a time: what a processor's cache holds
_DENSITY_AT_0 = 1 / np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class Normal:
    """Normal beliefs about an objective of candidates, means and standard deviations ``(n,)``."""

    mean: FloatArray
    sd: FloatArray

    def below(self, levels: FloatArray) -> FloatArray:
        """Return how far each is expected to fall below levels ``(k,)``: E[(u - Y)+], ``(n, k)``."""
        z = levels - self.mean[:, None]
        z /= self.sd[:, None]
        density = z * z
        density *= -0.5
        np.exp(density, out=density)
        density *= _DENSITY_AT_0
        expected: FloatArray = ndtr(z)
        expected *= z
        expected += density
        expected *= self.sd[:, None]
        return expected

    def rows(self, part: slice | IntArray) -> "Normal":
        """Return the beliefs about some candidates."""
        return Normal(self.mean[part], self.sd[part])

    def within(self, least: float, width: float) -> "Normal":
        """Return the beliefs about (Y - least) / width."""
        return Normal((self.mean - least) / width, self.sd / width)


@dataclass(frozen=True)
class Exact:
    """Values ``(n,)`` that are known; like :class:`Normal` without a spread."""

    mean: FloatArray

    @property
    def sd(self) -> FloatArray:
        """Zeros, ``(n,)``."""
        return np.zeros(len(self.mean))

    def below(self, levels: FloatArray) -> FloatArray:
        """Return how far each falls below levels ``(k,)``, ``(n, k)``."""
        return np.maximum(levels - self.mean[:, None], 0.0)

    def rows(self, part: slice | IntArray) -> "Exact":
        """Return the values of some candidates."""
        return Exact(self.mean[part])

    def within(self, least: float, width: float) -> "Exact":
        """Return (Y - least) / width."""
        return Exact((self.mean - least) / width)


Belief = Normal | Exact


def expected_improvement(front: FloatArray, reference: FloatArray, beliefs: Sequence[Belief]) -> FloatArray:
    r"""Return the expected hypervolume improvement of each candidate, ``(n,)``, in closed form.

    Objectives are independent. What the front leaves undominated below the reference point is cut
    into cells of a grid, whose lines are the front's coordinates in all objectives but the last; over
    a cell it reaches down from one height :math:`h`, the least of the last objective among the front's
    points at or below the cell's lower corner. With :math:`\psi_j(u) = E[(u - Y_j)^+]`,

    .. math::
        E[I] = \sum_{cells} \psi_d(h_{cell})
            \prod_{j < d} \left(\psi_j(u_{cell, j}) - \psi_j(l_{cell, j})\right)

    Of one objective it is the expected improvement over the best. The grid has 2,700 cells at most, so up
    to 51 lines an objective of three and 12 of four; of a larger front points are moved to the nearest line.

    Args:
        front: What is dominated already, ``(m, n_obj)``; rows may be dominated, or beyond the reference.
        reference: The reference point, ``(n_obj,)``.
        beliefs: Of each objective, what is believed of the candidates.

    Example:
        >>> beliefs = [Exact(np.array([0.5])), Exact(np.array([0.25]))]
        >>> expected_improvement(np.array([[0.0, 0.5], [1.0, 0.0]]), np.array([1.0, 1.0]), beliefs).tolist()
        [0.125]

    References:
        K. Yang, M. Emmerich, A. Deutz, T. Bäck. Multi-Objective Bayesian Global Optimization using
        Expected Hypervolume Improvement Gradient. Swarm and Evolutionary Computation 44, 2019.
    """
    inside = front[(front < reference).all(axis=1)]
    lines = [_lines(inside[:, j], len(reference)) for j in range(len(reference) - 1)]
    heights, height_of = _heights(inside, reference, lines)
    n_cells = int(np.prod(height_of.shape))
    n = len(beliefs[0].mean)
    step = max(1, _CHUNK // max(n_cells, len(heights)))
    parts = []
    for start in range(0, n, step):
        some = [belief.rows(slice(start, start + step)) for belief in beliefs]
        volume = some[-1].below(heights)[:, height_of]
        for j in reversed(range(len(lines))):
            widths = np.diff(some[j].below(np.append(lines[j], reference[j])), axis=1, prepend=0.0)
            flat = volume.reshape(len(widths), -1, widths.shape[1])
            volume = np.matmul(flat, widths[:, :, None])
        parts.append(volume.reshape(len(volume)))
    return np.concatenate(parts) if parts else np.empty(0)


def _lines(values: FloatArray, n_obj: int) -> FloatArray:
    most = max(int(_CELLS ** (1 / (n_obj - 1)) + 1e-9) - 1, 1)
    lines = np.unique(values)
    if len(lines) > most:
        lines = lines[np.unique(np.linspace(0, len(lines) - 1, most).round().astype(np.int64))]
    return lines


def _heights(
    front: FloatArray, reference: FloatArray, lines: list[FloatArray]
) -> tuple[FloatArray, IntArray]:
    """Return the distinct heights of the cells, and which one each cell has."""
    height = np.full([len(line) + 1 for line in lines], reference[-1])
    if not lines:
        height = np.minimum(height, front[:, -1].min(initial=reference[-1]))
    else:
        # A point is at the nearest line, its own where none was left out; cell i begins at line i - 1.
        first = [
            np.abs(line - front[:, [j]]).argmin(axis=1) + 1 for j, line in enumerate(lines) if len(front)
        ]
        if first:
            np.minimum.at(height, tuple(first), front[:, -1])
        for j in range(len(lines)):
            np.minimum.accumulate(height, axis=j, out=height)
    distinct, which = np.unique(height, return_inverse=True)
    return distinct, which.reshape(height.shape)
