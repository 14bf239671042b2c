"""Counters: RAPL's and NVML's as the kernel and the driver give them."""

import sys
import time
from pathlib import Path

import pytest
import torch

from moo_nas.errors import BusyError
from moo_nas.meters.device.counters import Nvml, Rapl
from tests.nvml import FakeNvml, gpus_seen


@pytest.fixture
def powercap(tmp_path):
    """Two packages, a core inside one, and the platform, as the kernel lays them out."""
    for name, label in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(f"{label}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000000\n")
        (tmp_path / name / "energy_uj").write_text("900000\n")
    return tmp_path


def put(powercap, **microjoules) -> None:
    for zone, value in microjoules.items():
        (powercap / f"intel-rapl:{zone[1:].replace('_', ':')}" / "energy_uj").write_text(f"{value}\n")


def unreadable(powercap) -> None:
    """As for users who are not root; root itself may read any file, but no folder."""
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    (powercap / "intel-rapl:1" / "energy_uj").mkdir()


def test_the_packages_are_summed_once_each_and_wrap_around(powercap):
    counter = Rapl.here(powercap)
    assert counter.name == "RAPL (package-0, package-1)"
    assert counter.range_j == 1.0
    assert counter.joules() == 0
    put(powercap, z0=950_000, z0_0=999_999, z1=900_010, z2=1)
    assert counter.joules() == pytest.approx(0.05001)
    put(powercap, z0=20_000)  # over the end of the counter
    assert counter.joules() == pytest.approx(0.12001)


def test_what_is_not_there_is_told_from_what_may_not_be_read(tmp_path, powercap):
    with pytest.raises(BusyError, match=r"^no RAPL .* under .*nowhere"):
        Rapl.here(tmp_path / "nowhere")
    unreadable(powercap)
    with pytest.raises(BusyError, match="there but cannot be read") as raised:
        Rapl.here(powercap)
    assert "chmod" not in str(raised.value)  # which would not help


def test_who_may_not_read_it_is_told_what_would_help(powercap, monkeypatch):
    def refused(path, encoding):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(BusyError, match=r"there but not readable .*chmod a\+r .* or run as root"):
        Rapl.here(powercap)


def test_a_counter_that_begins_anew_has_not_wrapped_around(powercap):
    for zone in ("0", "1"):
        (powercap / f"intel-rapl:{zone}" / "max_energy_range_uj").write_text("262143328850\n")
    put(powercap, z0=50_000_000_000, z1=50_000_000_000)
    counter = Rapl.here(powercap)
    put(powercap, z0=50_000_100_000, z1=3_000_000)  # as after sleep; the range is 262 kJ
    assert counter.joules() == pytest.approx(3.1)
    assert counter.restarts == 1
    put(powercap, z1=5_000_000)
    assert counter.joules() == pytest.approx(5.1)
    assert counter.restarts == 1


def test_a_wrap_around_is_one_if_there_was_time_for_it(powercap, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    for zone in ("0", "1"):
        (powercap / f"intel-rapl:{zone}" / "max_energy_range_uj").write_text("1000000000\n")
    counter = Rapl.here(powercap)
    now[0] = 10.0
    put(powercap, z0=800_000)  # 999.9 J in 10 s
    assert counter.joules() == pytest.approx(999.9)
    assert counter.restarts == 0


def test_a_counter_that_is_not_readable_any_more_says_so(powercap):
    counter = Rapl.here(powercap)
    unreadable(powercap)
    with pytest.raises(BusyError, match=r"RAPL \(package-0, package-1\) is not readable any more"):
        counter.joules()


def test_a_gpu_is_the_one_that_torch_works_on_whatever_the_driver_calls_it(monkeypatch):
    driver = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    gpus_seen(monkeypatch, ["bbbbbbbb-2222", "aaaaaaaa-1111"], current=1)  # CUDA_VISIBLE_DEVICES=1,0
    counter = Nvml.here()
    assert (counter.name, counter.joules()) == ("NVML (A GPU, GPU-aaaaaaaa)", 5.0)
    assert Nvml.here(0).joules() == 7.0
    assert driver.asked == ["GPU-aaaaaaaa-1111", "GPU-bbbbbbbb-2222"]


def test_power_is_instant_where_the_driver_offers_that(monkeypatch):
    gpus_seen(monkeypatch, ["aaaaaaaa-1111"])
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(instant_mw=321_000))
    counter = Nvml.here()
    assert (counter.watts(), counter.averaged) == (321.0, False)
    assert "average" not in counter.name


@pytest.mark.parametrize("how", ["no such field", "refused", "raises"])
def test_power_that_is_an_average_says_so(monkeypatch, how):
    gpus_seen(monkeypatch, ["aaaaaaaa-1111"])
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(instant=how))
    counter = Nvml.here()
    assert (counter.watts(), counter.averaged) == (None, True)
    assert counter.name == "NVML (A GPU, GPU-aaaaaaaa, power average over 1 s)"


def test_why_a_gpu_has_no_counter_is_told(monkeypatch):
    gpus_seen(monkeypatch, ["aaaaaaaa-1111"])
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(refuses=True))
    with pytest.raises(BusyError, match="does not count the energy of A GPU, GPU-aaaaaaaa-1111"):
        Nvml.here()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(BusyError, match="nvidia-ml-py, which is not installed"):
        Nvml.here()
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    gpus_seen(monkeypatch, [None])
    with pytest.raises(BusyError, match=f"torch {torch.__version__.replace('+', '.')} does not say which"):
        Nvml.here()


def test_a_gpu_that_does_not_answer_any_more_says_so(monkeypatch):
    gpus_seen(monkeypatch, ["aaaaaaaa-1111"])
    driver = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    counter = Nvml.here()
    driver.refuses = True
    with pytest.raises(BusyError, match="does not answer any more"):
        counter.joules()
