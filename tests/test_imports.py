"""What importing costs, and what is exported."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = [
    "moo_nas",
    "moo_nas.algorithms",
    "moo_nas.evaluation",
    "moo_nas.formulations",
    "moo_nas.meters",
    "moo_nas.networks",
    "moo_nas.spaces",
    "moo_nas.testing",
]

WITHOUT_TORCH = [
    "import moo_nas",
    "import problems.haenas",
    "import moo_nas.spaces, moo_nas.meters, moo_nas.formulations, moo_nas.algorithms, moo_nas.registry",
    "from problems.haenas import HaeNAS; from moo_nas import search, Pareto; "
    "run = search(HaeNAS(), Pareto('params', 'peak_activation_bytes'), budget=30); assert len(run.front)",
]


@pytest.mark.parametrize("program", WITHOUT_TORCH)
def test_torch_is_not_loaded_by(program):
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nassert 'torch' not in sys.modules"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_exported_is_there_and_named_once_in_order(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert hasattr(module, name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert module.__doc__
