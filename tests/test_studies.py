"""Every study runs, small, and writes what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

STUDIES = Path(__file__).parent.parent / "studies"
SHARED = ("cases", "common", "peers")  # what studies are made of
NAMES = sorted(path.stem for path in STUDIES.glob("*.py") if path.stem not in SHARED)


# Those that read benchmark tables.
WITH_DATA = ("compare_algorithms", "figure5", "hardware_predictors", "proxy_correlation", "search_speed")


@pytest.mark.parametrize("name", NAMES)
def test_a_small_run_writes_its_results(name, tmp_path):
    if name in WITH_DATA and "MOO_NAS_DATA" not in os.environ:
        pytest.skip("MOO_NAS_DATA is not set: there are no benchmark tables to read")
    for path in STUDIES.glob("*.py"):
        (tmp_path / "studies").mkdir(exist_ok=True)
        (tmp_path / "studies" / path.name).write_bytes(path.read_bytes())
    script = tmp_path / "studies" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(script), "--smoke"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    results = tmp_path / "runs" / "smoke" / "results"
    assert len(pd.read_csv(results / f"{name}.csv")) > 0
    assert str(results / f"{name}.csv") in done.stdout
    promised = script.read_text().partition("Writes:")[2].partition('"""')[0]
    assert (results / f"{name}.png").exists() == (".png" in promised)


def test_the_table_of_studies_has_them_all():
    text = (STUDIES / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"`python studies/{name}.py`" in text
