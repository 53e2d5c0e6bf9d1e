"""Which process made a thing, and whether it still lives: how leftovers of a killed run are told from work in flight."""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process on a host. The start time tells it from a later process with the same number."""

    host: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> ProcessId:
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """A process of this host."""
        return cls(_host(), pid, _started(pid))

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """The inverse of `str`; None for anything else."""
        parts = text.split("-")
        if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]))

    def __str__(self) -> str:
        return f"{self.host}-{self.pid}-{self.started}"

    def is_here(self) -> bool:
        """Whether it ran on this host, so that `is_alive` can tell."""
        return self.host == _host()

    def is_alive(self) -> bool:
        """Whether it still runs. Always True for a process of another host: only its heartbeat can tell."""
        return not self.is_here() or _started(self.pid) == self.started

    def stop(self, patience_s: float = 20.0) -> None:
        """Ask a process of this host, and its children, to end; kill what has not ended in time."""
        try:
            process = psutil.Process(self.pid)
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.terminate()
        for member in psutil.wait_procs(family, patience_s)[1]:
            with suppress(psutil.NoSuchProcess):
                member.kill()


@cache
def _host() -> str:
    """A short hash of the host's name: enough to compare, no name in the lake."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _started(pid: int) -> int:
    """Start time in clock ticks since boot, or -1 when there is no such process (a zombie counts as none)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return -1
        # ticks since boot (proc(5), field 22): unlike a time of day they stay the same when the clock is set
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()[19])
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return -1
