"""Where studies are worked on: in this process, in warm worker processes, or on a Dask cluster. Same functions, one setting."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any, Literal, Protocol

from tasks.guard import ErrorLog, seal
from tasks.stage import Outcome

#: Libraries that would start a thread a core in every worker; set before they are first imported there.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


class Pool(Protocol):
    """Where studies are worked on."""

    def submit(self, work: Callable[..., Outcome], *arguments: Any) -> Future[Outcome]:
        """Start one piece of work."""
        ...

    def isolated(self, work: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """Do one piece of work that may kill its worker. Raises `BrokenExecutor` where it does."""
        ...

    def close(self) -> None:
        """Stop the workers."""
        ...


class InlinePool:
    """In this process, one study after the other."""

    def submit(self, work: Callable[..., Outcome], *arguments: Any) -> Future[Outcome]:
        """Do the work at once; the future is finished."""
        future: Future[Outcome] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - a future carries it to the caller
            future.set_exception(error)
        return future

    def isolated(self, work: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """Do the work at once."""
        return work(*arguments)

    def close(self) -> None:
        """Nothing to stop."""


class WorkerPool:
    """Warm worker processes, started afresh (spawn): no thread of ours is copied half-way, and each dies with its parent."""

    def __init__(self, workers: int, errors: ErrorLog) -> None:
        self._workers, self._errors = workers, errors
        self._lock = threading.Lock()
        self._pool = self._start(workers)

    def submit(self, work: Callable[..., Outcome], *arguments: Any) -> Future[Outcome]:
        """Start one piece of work; a pool that a crashed worker broke is replaced first."""
        with self._lock:
            try:
                return self._pool.submit(work, *arguments)
            except BrokenExecutor:
                self._pool.shutdown(wait=False)
                self._pool = self._start(self._workers)
                return self._pool.submit(work, *arguments)

    def isolated(self, work: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """Do the work in a process of its own."""
        with self._start(1) as pool:
            return pool.submit(work, *arguments).result()

    def close(self) -> None:
        """Stop the workers; work in flight is finished."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker, initargs=(self._errors,))


class DaskPool:
    """An existing Dask cluster; needs the `dask` extra and shared storage."""

    def __init__(self, address: str) -> None:
        from distributed import Client

        self._client = Client(address, set_as_default=False)

    def submit(self, work: Callable[..., Outcome], *arguments: Any) -> Future[Outcome]:
        """Start one piece of work on the cluster."""
        future: Future[Outcome] = self._client.get_executor(pure=False).submit(work, *arguments)
        return future

    def isolated(self, work: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """Dask itself sets aside work that kills several of its workers."""
        return self.submit(work, *arguments).result()

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


def make_pool(kind: Literal["inline", "processes", "dask"], workers: int, errors: ErrorLog, address: str | None = None) -> Pool:
    """The pool that the configuration names."""
    if kind == "dask":
        return DaskPool(address or "")
    return InlinePool() if kind == "inline" else WorkerPool(workers, errors)


def begin_worker(errors: ErrorLog) -> None:
    """Prepare a worker process: one thread a library, errors into the vault, and an end with its parent."""
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    seal(errors)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), name="parent watch", daemon=True).start()


def _die_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
