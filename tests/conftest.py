"""Tiny spaces, and Hypothesis without a clock."""

import atexit
import os
import shutil
import tempfile

# Before torch is imported anywhere: two test processes on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.spaces_for_tests import tiny_space, wide_space

# Each of them measures as if alone: their timings are asked for shape and sense only.
os.environ["MOO_NAS_LOCKS"] = tempfile.mkdtemp(prefix="moo_nas-tests-")
atexit.register(shutil.rmtree, os.environ["MOO_NAS_LOCKS"], ignore_errors=True)

settings.register_profile("moo_nas", deadline=None, print_blob=True)
settings.load_profile("moo_nas")


@pytest.fixture
def tiny():
    """32 networks: two stages, operator, kernel, expansion and depth genes."""
    return tiny_space()


@pytest.fixture
def wide():
    """Width and squeeze-and-excite genes beside the others, and the other head."""
    return wide_space()
