"""What the ledger knows of each PACS: nothing gets lost between processes, and every study that was begun is counted."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger import Ledger
from tasks.pacs.book import Book, Condition, Retrieval
from tasks.stage import Outcome


class Clock:
    """A clock that is put on by hand."""

    def __init__(self) -> None:
        self.now = 100_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[Book]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock)
    yield Book(ledger)
    ledger.close()


def test_a_pacs_of_which_nothing_was_noted_may_work(book: Book) -> None:
    assert book.condition("A") == Condition("A")
    assert book.conditions() == {}


def test_what_is_noted_of_one_pacs_changes_only_that(book: Book) -> None:
    book.note("A", order="pause")
    book.note("B", failures=2, failing_since=5.0)
    book.note("A", reason_code="E-PULL-HOURS", until=7.0)
    assert book.condition("A") == Condition("A", "pause", "E-PULL-HOURS", 7.0, 100_000.0)
    assert book.condition("B") == Condition("B", failures=2, failing_since=5.0, noted_at=100_000.0)


def test_a_revision_that_decides_for_nothing_notes_nothing(book: Book) -> None:
    assert book.revise("A", lambda condition: None) == Condition("A")


def test_no_revision_of_many_threads_is_lost(book: Book) -> None:
    def count() -> None:
        for _ in range(25):
            book.revise("A", lambda condition: {"failures": condition.failures + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.condition("A").failures == 100


def test_a_try_counts_from_its_beginning_and_is_told_at_its_end(book: Book, clock: Clock) -> None:
    assert book.reserve("k", "A", 10)
    number = book.begin("k", "A")
    assert book.begun_since("A", 0) == [100_000.0]
    assert book.retrievals() == [Retrieval("k", "A", "", 100_000.0)]
    clock.now += 30
    book.end(number, modality="CT", instances=4, bytes=4000, requests=1, last_status="0x0000")
    assert book.retrievals("k") == [Retrieval("k", "A", "CT", 100_000.0, 100_030.0, 30.0, 1, 4, 4000, "0x0000")]
    assert book.last_ended("A") == book.retrievals()[0]
    assert book.last_ended("B") is None


def test_where_tries_are_not_counted_by_the_hour_one_is_written_when_it_has_ended(book: Book, clock: Clock) -> None:
    begun = book.begin("k", "A")
    assert book.retrievals() == []
    clock.now += 30
    book.end(begun, modality="CT", instances=4, bytes=4000, requests=1, last_status="0x0000")
    assert book.retrievals("k") == [Retrieval("k", "A", "CT", 100_000.0, 100_030.0, 30.0, 1, 4, 4000, "0x0000")]


@pytest.mark.parametrize("per_hour", [None, 10])
def test_a_try_that_is_kept_is_written_with_its_studys_row_and_only_once(
    tmp_path: Path, book: Book, clock: Clock, per_hour: int | None
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock)
    with ledger.run("test") as run:
        assert per_hour is None or book.reserve("k", "A", per_hour)
        assert ledger.claim("pull", "k", "f", run)
        begun = book.begin("k", "A")
        clock.now += 30
        book.keep(begun, modality="CT", instances=4, bytes=4000, requests=1, last_status="0x0000")
        assert book.last_ended("A") is None
        clock.now += 5  # the try itself has ended by then
        ledger.finish("pull", "k", run, Outcome("done"), beside=lambda connection: book.settle(connection, "k", "A"))
    with ledger.writing() as connection:
        book.settle(connection, "k", "A")  # nothing is kept any more
    assert book.retrievals() == [Retrieval("k", "A", "CT", 100_000.0, 100_030.0, 30.0, 1, 4, 4000, "0x0000")]
    ledger.close()


def test_what_was_noted_of_a_pacs_elsewhere_is_seen_when_a_study_is_settled(tmp_path: Path, book: Book) -> None:
    assert book.condition("A") == Condition("A")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    Book(ledger).note("A", order="drain")
    assert book.condition("A", 60.0).order == "run"
    with ledger.writing() as connection:
        book.settle(connection, "k", "A")
    assert book.condition("A", 60.0).order == "drain"
    assert book.retrievals() == []
    ledger.close()


def test_a_try_whose_process_was_killed_counts_all_the_same(tmp_path: Path, book: Book, clock: Clock) -> None:
    code = textwrap.dedent("""
        import os, signal, sys
        from tasks.ledger import Ledger
        from tasks.pacs.book import Book
        book = Book(Ledger(sys.argv[1], clock=lambda: 100_000.0))
        book.reserve("k", "A", 10)
        book.begin("k", "A")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path / 'ledger.db'}"], check=False)
    assert book.begun_since("A", 99_999) == [100_000.0]
    assert book.last_ended("A") is None
    assert not book.reserve("other", "A", 1)
    clock.now += 3600
    assert book.reserve("other", "A", 1)


def test_a_place_that_was_reserved_is_the_tries_own(book: Book) -> None:
    assert book.reserve("k", "A", 1)
    number = book.begin("k", "A")
    assert book.begun_since("A", 0) == [100_000.0]
    book.cancel("k")  # has begun: too late
    assert len(book.begun_since("A", 0)) == 1
    book.end(number)
    again = book.begin("k", "A")
    assert again != number


def test_a_place_that_is_given_back_does_not_count(book: Book) -> None:
    assert book.reserve("k", "A", 1)
    assert not book.reserve("l", "A", 1)
    assert book.reserve("l", "B", 1)
    book.cancel("k")
    assert book.reserve("l", "A", 1)


def test_however_many_ask_at_once_no_more_are_reserved_than_the_hour_allows(tmp_path: Path, book: Book) -> None:
    code = textwrap.dedent("""
        import sys
        from tasks.ledger import Ledger
        from tasks.pacs.book import Book
        book = Book(Ledger(sys.argv[1], clock=lambda: 100_000.0))
        print(sum(book.reserve(f"{sys.argv[2]} {n}", "A", 7) for n in range(30)))
    """)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    processes = [subprocess.Popen([sys.executable, "-c", code, url, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in processes) == 7
    assert len(book.begun_since("A", 0)) == 7


def test_the_hour_moves_on(book: Book, clock: Clock) -> None:
    begun = []
    for _ in range(3 * 3600 // 60):
        if book.reserve(f"k{clock.now}", "A", 5):
            begun.append(clock.now)
        clock.now += 60
    assert all(sum(at <= other < at + 3600 for other in begun) <= 5 for at in begun)
    assert len(begun) == 15


def test_a_clock_that_is_set_back_does_not_stop_the_work_for_days(book: Book, clock: Clock) -> None:
    assert book.reserve("k", "A", 1)
    clock.now -= 86_400
    assert book.reserve("l", "A", 1)


def test_the_rate_is_of_what_brought_anything(book: Book, clock: Clock) -> None:
    assert book.rate("A") is None
    for size, instances in ((1000, 1), (0, 0), (3000, 2)):
        number = book.begin("k", "A")
        clock.now += 10
        book.end(number, modality="CT", bytes=size, instances=instances)
    assert book.rate("A") == 200
    assert book.sizes() == {"CT": pytest.approx(4000 / 3)}
    assert book.rate("B") is None


def test_a_plan_replaces_what_the_last_one_refused(book: Book) -> None:
    book.planned("A", "cohort", 5.0, {"E-PULL-UID": 2, "E-PULL-STUDY-DATE": 1})
    book.planned("B", "cohort", 6.0, {"E-PULL-UID": 3})
    book.planned("A", "cohort", 7.0, {"E-PULL-UID": 1})
    assert book.refusals() == {"E-PULL-UID": 4}
    assert (book.last_planned("A", "cohort"), book.last_planned("A", "other")) == (7.0, None)
