"""Which numbers are modelled as logarithms."""

import numpy as np

from moo_nas.arrays import FloatArray


def least_positive(values: FloatArray) -> float | None:
    """Return the least positive of values ``(n,)`` if logarithms suit them: none negative, most positive.

    Example:
        >>> least_positive(np.array([0.0, 2.0, 3.0])), least_positive(np.array([-1.0, 2.0, 3.0]))
        (2.0, None)
    """
    positive = values[values > 0]
    return float(positive.min()) if len(positive) > len(values) / 2 and (values >= 0).all() else None


def logarithm(values: FloatArray, least: FloatArray | float) -> FloatArray:
    """Return logarithms; what is not positive counts as ``least``: one 0 would hide all detail."""
    logs: FloatArray = np.log(np.where(values > 0, values, least))
    return logs
