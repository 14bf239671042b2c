"""The house: what is exported, how long files are, what importing loads."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import moo_nas

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    {"moo_nas", *(m.name for m in pkgutil.walk_packages(moo_nas.__path__, "moo_nas.") if m.ispkg)}
)


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_exports_is_there(name):
    package = importlib.import_module(name)
    exported = getattr(package, "__all__", [])
    assert set(exported) == {n for n in exported if hasattr(package, n)}
    assert package.__doc__


def test_every_public_class_and_function_is_documented():
    for info in pkgutil.walk_packages(moo_nas.__path__, "moo_nas."):
        module = importlib.import_module(info.name)
        for name, item in vars(module).items():
            if not name.startswith("_") and getattr(item, "__module__", None) == info.name and callable(item):
                assert item.__doc__, f"{info.name}.{name}"


def test_no_file_is_longer_than_400_lines():
    files = [
        path
        for folder in ("moo_nas", "problems", "studies", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert not [str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 400]


@pytest.mark.parametrize(
    "what",
    [
        "moo_nas",
        "moo_nas.cli",
        "problems.additive",
        "problems.haenas",
        "problems.mnasnet",
        "problems.nasbench201",
        "problems.nasbench201_devices",
        "problems.tabular",
    ],
)
def test_importing_never_loads_torch(what):
    code = f"import sys, {what}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
