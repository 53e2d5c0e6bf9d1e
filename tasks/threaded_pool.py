"""Worker processes in which several studies are under way at once: one is with its model while others are read, prepared and published.

How many is the bound of the queue, and of memory. Work starts by its rank, whoever submitted it, and among equals in the order in which it
was submitted. A process that dies breaks the
futures of the studies that were in it; the next work gets a new one.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import heappop, heappush
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from tasks.guard import ErrorLog
from tasks.pools import begin_worker
from tasks.stage import Outcome

Rank = Callable[[tuple[Any, ...]], float]
_Work = tuple[Callable[..., Outcome], tuple[Any, ...]]


@dataclass
class _Worker:
    """A process, the pipe to it, and the futures of what is under way in it by number."""

    process: BaseProcess
    pipe: Connection
    under_way: dict[int, Future[Outcome]] = field(default_factory=dict)


class ThreadedPool:
    """`processes` workers, each with `threads` studies under way. See `tasks.pools.Pool`."""

    def __init__(self, processes: int, threads: int, errors: ErrorLog, rank: Rank = lambda _arguments: 0.0) -> None:
        """`rank` is given a piece of work's arguments; the lower, the sooner."""
        self._processes, self._threads, self._errors, self._rank = processes, threads, errors, rank
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._waiting: list[tuple[float, int, _Work, Future[Outcome]]] = []
        self._submitted = 0
        self._number = 0
        self._closed = False

    def submit(self, work: Callable[..., Outcome], *arguments: Any) -> Future[Outcome]:
        """Start one piece of work as soon as a worker has room."""
        future: Future[Outcome] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._submitted += 1
            heappush(self._waiting, (self._rank(arguments), self._submitted, (work, arguments), future))
            self._dispatch()
        return future

    def isolated(self, work: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """Do the work in a process of its own."""
        alone = ThreadedPool(1, 1, self._errors)
        try:
            return alone.submit(work, *arguments).result()
        finally:
            alone.close()

    def close(self) -> None:
        """Stop the workers; work under way is finished, work that waits is not begun."""
        with self._lock:
            self._closed = True
            abandoned, workers = [future for *_, future in self._waiting], list(self._workers)
            self._waiting.clear()
            for worker in workers:
                _tell(worker, None)
        for future in abandoned:
            future.cancel()
        for worker in workers:
            worker.process.join()

    def _dispatch(self) -> None:
        """Hand waiting work to workers with room, the least laden first; start workers where all are laden. The lock is held."""
        while self._waiting:
            worker = min(self._workers, key=lambda each: len(each.under_way), default=None)
            if worker is None or (worker.under_way and len(self._workers) < self._processes):
                worker = self._start()
            if len(worker.under_way) >= self._threads:
                return
            *_, work, future = heappop(self._waiting)
            if not future.set_running_or_notify_cancel():
                continue
            self._number += 1
            worker.under_way[self._number] = future
            _tell(worker, (self._number, work))

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, self._threads, self._errors), name="study worker", daemon=False)
        process.start()
        there.close()
        worker = _Worker(process, here)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), name="study worker's answers", daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Answers of a worker, until it ends; what it leaves unanswered is broken."""
        while True:
            try:
                number, outcome, error = worker.pipe.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                future = worker.under_way.pop(number)
                self._dispatch()
            future.set_result(outcome) if error is None else future.set_exception(error)
        with self._lock:
            self._workers.remove(worker)
            broken = list(worker.under_way.values())
            worker.under_way.clear()
            worker.pipe.close()
            if not self._closed:
                self._dispatch()
        for future in broken:
            future.set_exception(BrokenExecutor("a worker process died"))


def _tell(worker: _Worker, what: Any) -> None:
    """Send to a worker; of one that has died its listener tells."""
    try:
        worker.pipe.send(what)
    except (BrokenPipeError, OSError):
        return


def _serve(pipe: Connection, threads: int, errors: ErrorLog) -> None:
    """A worker: takes work from its pipe until it is told None or its parent is gone."""
    begin_worker(errors)
    answering = threading.Lock()

    def do(number: int, work: Callable[..., Outcome], arguments: tuple[Any, ...]) -> None:
        outcome, failed = None, None
        try:
            outcome = work(*arguments)
        except Exception as error:  # noqa: BLE001 - carried to the future
            failed = error
        with answering:
            pipe.send((number, outcome, failed))

    with ThreadPoolExecutor(threads, "study") as pool:
        while True:
            try:
                said = pipe.recv()
            except EOFError:
                return
            if said is None:
                return
            number, (work, arguments) = said
            pool.submit(do, number, work, arguments)
