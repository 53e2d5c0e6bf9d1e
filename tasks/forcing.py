"""Forces files to disk while the next ones are written: a disk takes many at once in little more time than one, and nobody waits for each."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

#: So many files may wait to be forced; whoever hands over another one waits for the oldest. Each keeps a descriptor open.
_MOST_WAITING = 64


class Forcing:
    """Takes over open files that are written, forces them to disk, and closes them. When the context is left without an error, all of them lie
    on disk; an error of the disk is raised there, or when the next file is handed over.

    Args:
        at_once: how many are forced side by side. Each has a thread; where the interpreter has work besides, few threads disturb it less.
    """

    def __init__(self, at_once: int = 8) -> None:
        self._at_once = at_once

    def __enter__(self) -> Forcing:
        self._pool = ThreadPoolExecutor(self._at_once)
        self._waiting: deque[Future[None]] = deque()
        return self

    def take(self, descriptor: int) -> None:
        """Force an open file to disk and close it, some time before the context is left.

        Raises:
            OSError: of a file that was handed over earlier.
        """
        self._waiting.append(self._pool.submit(_forced, descriptor))
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()
        if error is None:
            for each in self._waiting:
                each.result()


def _forced(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
