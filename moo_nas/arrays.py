"""The two array types of the project, and hashes that are the same in every process."""

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SeedLike = int | np.random.Generator


def stable_hash(*parts: Any) -> str:
    """Return 16 hex digits that depend on the parts' JSON alone.

    Python's own ``hash`` changes between processes, and a store outlives them.

    Example:
        >>> stable_hash("snip", {"batch_size": 32}) == stable_hash("snip", {"batch_size": 32})
        True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def stable_seed(*parts: Any) -> int:
    """Return a seed in [0, 2**63) that depends on the parts' JSON alone."""
    return int(stable_hash(*parts), 16) >> 1
