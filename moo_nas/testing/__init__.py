"""Conformance kits: the tests that your own space, meter, formulation or algorithm must pass.

A kit is a class of plain pytest tests. Inherit it in a test module, say what is to be tested, and
pytest runs the whole contract on it:

.. code-block:: python

    # tests/test_my_space.py
    from moo_nas.testing import MeterKit, SpaceKit

    class TestMySpace(SpaceKit):
        def space(self):
            return MySpace(n_stages=3)

    class TestMyMeter(MeterKit):
        def meter(self):
            return MyMeter(image_size=32)

        def space(self):
            return MySpace(n_stages=3)

A kit that fails names what is wrong; a test that cannot apply (a new process for a class that no
other process can import) is overridden with a reason. Every space, meter, formulation and
algorithm of moo_nas passes the same kits, in ``tests/conformance``.

Needs pytest and hypothesis: ``pip install moo_nas[test]``.
"""

import pytest

# Kits' asserts then explain themselves as those in test modules do.
pytest.register_assert_rewrite(
    *(f"moo_nas.testing.{name}" for name in ("algorithms", "formulations", "meters", "spaces"))
)

from moo_nas.testing.algorithms import AlgorithmKit, StandIn  # noqa: E402  # after the line above
from moo_nas.testing.formulations import FormulationKit  # noqa: E402
from moo_nas.testing.meters import MeterKit  # noqa: E402
from moo_nas.testing.spaces import SpaceKit  # noqa: E402

__all__ = ["AlgorithmKit", "FormulationKit", "MeterKit", "SpaceKit", "StandIn"]
