"""Several studies are under way in a worker, in the order in which they came; one that kills it leaves the others to be done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from tasks.guard import ErrorLog
from tasks.stage import Outcome
from tasks.threaded_pool import ThreadedPool


@pytest.fixture
def errors(tmp_path: Path) -> ErrorLog:
    (tmp_path / "errors").mkdir(mode=0o700)
    return ErrorLog(tmp_path / "errors")


@pytest.fixture
def pool(errors: ErrorLog) -> Iterator[ThreadedPool]:
    made = ThreadedPool(1, 2, errors)
    yield made
    made.close()


def said(what: object) -> Outcome:
    return Outcome("done", output=str(what))


def process() -> Outcome:
    return said(os.getpid())


def meet(folder: str, own: str, other: str) -> Outcome:
    """Ends only where another piece of work is under way in the same process at the same time."""
    coming = Path(folder) / f"{own}.part"
    coming.write_text(str(os.getpid()))
    coming.rename(Path(folder) / own)  # so that nobody sees the file before what it says
    for _ in range(3000):
        if (Path(folder) / other).exists():
            return said((Path(folder) / other).read_text())
        time.sleep(0.01)
    return Outcome("failed")


def note(file: str, number: int) -> Outcome:
    with open(file, "a", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(f"{number}\n")
    return said(number)


def die() -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return said("never")


def wrong() -> Outcome:
    raise ValueError("on purpose")


def test_two_studies_are_under_way_in_one_process(pool: ThreadedPool, tmp_path: Path) -> None:
    one, other = pool.submit(meet, str(tmp_path), "a", "b"), pool.submit(meet, str(tmp_path), "b", "a")
    assert one.result(60).output == other.result(60).output != ""
    assert one.result().output != str(os.getpid())


def test_work_begins_in_the_order_in_which_it_came(errors: ErrorLog, tmp_path: Path) -> None:
    pool = ThreadedPool(1, 1, errors)
    futures = [pool.submit(note, str(tmp_path / "order"), number) for number in range(50)]
    assert [future.result(60).output for future in futures] == [str(number) for number in range(50)]
    assert (tmp_path / "order").read_text().split() == [str(number) for number in range(50)]
    pool.close()


def test_what_is_urgent_begins_before_what_came_first(errors: ErrorLog, tmp_path: Path) -> None:
    pool = ThreadedPool(1, 1, errors, rank=lambda arguments: float(arguments[1] % 3) if arguments[0] != str(tmp_path) else -1)
    blocker = pool.submit(meet, str(tmp_path), "a", "b")  # holds the only place until all others wait
    futures = [pool.submit(note, str(tmp_path / "order"), number) for number in range(9)]
    (tmp_path / "b").write_text("x")
    assert [future.result(60).output for future in futures] == [str(number) for number in range(9)]
    assert blocker.result(60).status == "done"
    assert (tmp_path / "order").read_text().split() == [str(n) for n in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
    pool.close()


def test_several_processes_share_the_work(errors: ErrorLog, tmp_path: Path) -> None:
    pool = ThreadedPool(2, 1, errors)
    one, other = pool.submit(meet, str(tmp_path), "a", "b"), pool.submit(meet, str(tmp_path), "b", "a")
    assert one.result(60).output != other.result(60).output
    pool.close()


def test_a_study_that_kills_its_worker_breaks_only_what_was_in_it(errors: ErrorLog) -> None:
    pool = ThreadedPool(1, 1, errors)
    before = pool.submit(process).result(60).output
    killed, waiting = pool.submit(die), pool.submit(process)
    with pytest.raises(BrokenExecutor):
        killed.result(60)
    assert waiting.result(60).output != before
    with pytest.raises(BrokenExecutor):
        pool.isolated(die)
    assert pool.submit(process).result(60).output == waiting.result().output
    pool.close()


def test_an_error_is_carried_to_whoever_waits(pool: ThreadedPool) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        pool.submit(wrong).result(60)


def test_closing_finishes_what_is_under_way_and_begins_nothing_more(errors: ErrorLog, tmp_path: Path) -> None:
    pool = ThreadedPool(1, 1, errors)
    pool.submit(process).result(60)
    first = pool.submit(meet, str(tmp_path), "a", "b")
    second = pool.submit(process)
    (tmp_path / "b").write_text("x")
    pool.close()
    assert first.result(1).status == "done"
    assert second.cancelled()
    with pytest.raises(RuntimeError):
        pool.submit(process)
