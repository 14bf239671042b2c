"""What a machine is called: two boards of one architecture are two machines."""

import platform
import subprocess

import pytest

from moo_nas.meters.device.machine import machine, processor

CORE = """processor	: 0
BogoMIPS	: 108.00
CPU implementer	: 0x41
CPU architecture: 8
CPU part	: {}
"""
PI = "Hardware	: BCM2835\nRevision	: c03111\nModel		: Raspberry Pi 4 Model B Rev 1.1\n"


@pytest.fixture(autouse=True)
def arm(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "processor", lambda: "")


def put(root, path, content):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


@pytest.mark.parametrize("path", ["proc/device-tree/model", "sys/firmware/devicetree/base/model"])
def test_an_arm_board_is_called_by_its_device_tree(tmp_path, path):
    put(tmp_path, "proc/cpuinfo", "model name	: ARMv7 Processor rev 3 (v7l)\n" + CORE.format("0xd08"))
    put(tmp_path, path, "Raspberry Pi 5 Model B Rev 1.0\0")
    assert processor(tmp_path) == "Raspberry Pi 5 Model B Rev 1.0"


def test_where_the_device_tree_is_hidden_cpuinfo_tells_the_board(tmp_path):
    put(tmp_path, "proc/cpuinfo", CORE.format("0xd08") + PI)
    assert processor(tmp_path) == "Raspberry Pi 4 Model B Rev 1.1"


def test_the_last_resort_is_the_cores(tmp_path):
    put(tmp_path, "proc/cpuinfo", CORE.format("0xd03") + CORE.format("0xd0b") + CORE.format("0xd03"))
    assert processor(tmp_path) == "aarch64 CPU implementer 0x41 CPU part 0xd03, 0xd0b"
    put(tmp_path, "proc/cpuinfo", CORE.format("0xd0b") + "Hardware	: Qualcomm SDM845\n")
    assert processor(tmp_path) == "aarch64 Hardware Qualcomm SDM845 CPU implementer 0x41 CPU part 0xd0b"
    put(tmp_path, "proc/cpuinfo", "model name	: ARMv7 Processor rev 3 (v7l)\n" + CORE.format("0xd08"))
    assert processor(tmp_path) == "aarch64 CPU implementer 0x41 CPU part 0xd08"
    put(tmp_path, "proc/cpuinfo", "")
    assert processor(tmp_path) == "aarch64"


def test_a_pc_is_called_by_its_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    put(
        tmp_path,
        "proc/cpuinfo",
        "vendor_id\t: AMD\nmodel\t\t: 49\nmodel name\t: AMD EPYC 7B12\nmicrocode: 1\n",
    )
    assert processor(tmp_path) == "AMD EPYC 7B12"


def test_a_mac_is_called_by_its_brand(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    asked = []

    def run(command, **how):
        asked.append((command, how.get("shell", False)))
        return subprocess.CompletedProcess(command, 0, "Apple M2 Pro\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert processor(tmp_path) == "Apple M2 Pro"
    assert asked == [(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], False)]

    def missing(command, **how):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(subprocess, "run", missing)
    assert processor(tmp_path) == "arm"


def test_this_machine_has_a_name(monkeypatch):
    monkeypatch.undo()
    machine.cache_clear()
    assert machine()["cpu"] == processor() != ""
