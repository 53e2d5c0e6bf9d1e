"""Files are forced before the context is left, each once; what the disk refuses is raised, and no descriptor stays open."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tasks import forcing as module
from tasks.forcing import Forcing


def opened(folder: Path, name: str) -> int:
    return os.open(folder / name, os.O_WRONLY | os.O_CREAT)


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_every_file_is_forced_once_and_closed_before_the_context_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(module.os, "fsync", lambda descriptor: (real(descriptor), forced.append(descriptor)))
    before = open_descriptors()
    most = 0
    with Forcing(2) as forcing:
        for number in range(200):
            forcing.take(opened(tmp_path, str(number)))
            most = max(most, len(open_descriptors() - before))
    assert len(forced) == 200
    assert most < 200  # however slow the disk, no process runs out of descriptors
    assert open_descriptors() == before


@pytest.mark.parametrize("after", [0, 300])
def test_what_the_disk_refuses_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """At the end, or while many more files are handed over."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    before = open_descriptors()
    monkeypatch.setattr(module.os, "fsync", full)

    def work() -> None:
        with Forcing() as forcing:
            for number in range(1 + after):
                forcing.take(opened(tmp_path, str(number)))

    with pytest.raises(OSError, match="no space left"):
        work()
    assert open_descriptors() == before


def test_an_error_inside_is_not_hidden_by_one_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    def work() -> None:
        with Forcing() as forcing:
            forcing.take(opened(tmp_path, "one"))
            raise ValueError("first")

    monkeypatch.setattr(module.os, "fsync", broken)
    with pytest.raises(ValueError, match="first"):
        work()
