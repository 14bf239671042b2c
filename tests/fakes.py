"""Meters that count what they are asked for, fail, or take their process with them."""

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray, stable_seed
from moo_nas.meters import Meter, Metric
from moo_nas.spaces import Architecture


def number(*parts: Any) -> float:
    """A number between 0 and 1 that depends on the parts alone."""
    return stable_seed(*parts) / 2**63


class Fake(Meter):
    """One metric, a hash of architecture and seed; ``asked`` has all it was asked for."""

    def __init__(self, name: str = "score", salt: str = "") -> None:
        self.metrics = (Metric(name, "1", "max"),)
        self.salt = salt
        self.asked: list[str] = []
        self.calls = 0

    @property
    def settings(self) -> dict[str, Any]:
        return {"name": self.metrics[0].name, "salt": self.salt}

    def value(self, architecture: Architecture, seed: int) -> float:
        return number(self.salt, str(architecture), int(seed))

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        self.calls += 1
        self.asked += map(str, architectures)
        rows = [[self.value(a, s)] for a, s in zip(architectures, seeds, strict=True)]
        return np.array(rows, dtype=np.float64).reshape(-1, 1)


class Guilty(Fake):
    """Raises, or puts out NaN or infinity, for the architectures that are guilty."""

    def __init__(self, how: str, share: float = 0.25) -> None:
        super().__init__()
        self.how = how
        self.share = share

    def guilty(self, architecture: Architecture) -> bool:
        return number("guilty", str(architecture)) < self.share

    def value(self, architecture: Architecture, seed: int) -> float:
        if not self.guilty(architecture):
            return super().value(architecture, seed)
        if self.how == "raise":
            raise ZeroDivisionError("no such luck")
        if self.how == "sys.exit":
            raise SystemExit("no such luck")
        if self.how == "exit":
            os._exit(1)
        return float(self.how)


class Instant(Guilty):
    """A predictor that is computed anew each time rather than stored."""

    instant = True


class Misshapen(Fake):
    """Forgets a row."""

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        return super().measure(architectures, seeds)[1:]


class Sleepy(Guilty):
    """Sleeps over the guilty for longer than anyone waits, and notes in a file in which process."""

    def __init__(self, notes: Path, share: float = 0.25) -> None:
        super().__init__("sleep", share)
        self.notes = notes

    def value(self, architecture: Architecture, seed: int) -> float:
        if self.guilty(architecture):
            with self.notes.open("a") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(600)
        return Fake.value(self, architecture, seed)


class Ender(Fake):
    """Starts a program, as one that drives a simulator does, and ends it by SIGTERM."""

    def value(self, architecture: Architecture, seed: int) -> float:
        program = subprocess.Popen(["sleep", "600"])
        program.terminate()
        if program.wait(20) != -signal.SIGTERM:
            raise RuntimeError(f"it goes on: {program.returncode}")
        return Fake.value(self, architecture, seed)


class Launcher(Ender):
    """Starts and ends a fork of its own process too."""

    def value(self, architecture: Architecture, seed: int) -> float:
        context = multiprocessing.get_context("fork")
        begun = context.Event()
        fork = context.Process(target=begin_and_sleep, args=(begun,))
        fork.start()
        begun.wait(20)
        fork.terminate()
        fork.join(20)
        # A fork of this very process ends as that does: the command line makes SIGTERM a KeyboardInterrupt.
        if fork.exitcode in (None, 0):
            raise RuntimeError(f"it goes on: {fork.exitcode}")
        return Ender.value(self, architecture, seed)


def begin_and_sleep(begun: Any) -> None:
    begun.set()
    time.sleep(600)
