"""An NVIDIA driver and the GPUs that torch sees, made up."""

import types
from collections.abc import Sequence
from typing import Any

import torch


class FakeNvml(types.ModuleType):
    """A driver of three GPUs that have taken so many mJ.

    ``instant`` says how it answers when asked for the power at the moment: ``offered``, ``no such
    field`` (an older package), ``refused`` (an older GPU) or ``raises`` (an older driver).
    """

    NVML_SUCCESS = 0

    class NVMLError(Exception):
        pass

    def __init__(self, refuses: bool = False, instant: str = "offered", instant_mw: int = 200_000) -> None:
        super().__init__("pynvml")
        self.mj = {"GPU-cccccccc-3333": 1000, "GPU-aaaaaaaa-1111": 5000, "GPU-bbbbbbbb-2222": 7000}
        self.refuses, self.instant, self.instant_mw = refuses, instant, instant_mw
        self.asked: list[str] = []
        if instant != "no such field":
            self.NVML_FI_DEV_POWER_INSTANT = 186

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        if uuid not in self.mj:
            raise self.NVMLError("not found")
        return uuid

    def nvmlDeviceGetName(self, handle: str) -> bytes:
        return b"A GPU"

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        if self.refuses:
            raise self.NVMLError("not supported")
        return self.mj[handle]

    def nvmlDeviceGetFieldValues(self, handle: str, fields: Sequence[int]) -> list[Any]:
        assert fields == [186]
        if self.instant == "raises":
            raise self.NVMLError("function not found")
        value = types.SimpleNamespace(uiVal=self.instant_mw)
        return [types.SimpleNamespace(nvmlReturn=3 if self.instant == "refused" else 0, value=value)]


def gpus_seen(monkeypatch: Any, uuids: Sequence[str | None], current: int = 0) -> None:
    """Let torch see GPUs of these UUIDs, in its own order; None is what an older torch says."""

    def properties(index: int) -> Any:
        uuid = uuids[index]
        return types.SimpleNamespace(name="A GPU", **({} if uuid is None else {"uuid": uuid}))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(uuids))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
