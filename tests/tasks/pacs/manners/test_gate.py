"""The gate: what holds work back, what is told and noted of it, and that it opens again."""

from __future__ import annotations

import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tasks.ledger import Ledger
from tasks.pacs.book import Book
from tasks.pacs.manners.breaker import Breaker
from tasks.pacs.manners.gate import Gate
from tasks.pacs.manners.pace import Pace
from tasks.pacs.settings import PacsSettings
from tests.tasks.pacs.manners.conftest import Time, pacs

ZONE = ZoneInfo("Europe/Berlin")
Told = list[tuple[str, str, float | None]]


class Made:
    """A gate, and what it told."""

    def __init__(self, ledger: Ledger, time: Time, settings: PacsSettings) -> None:
        self.told: Told = []
        self.left = 0
        self.stop = threading.Event()
        self.book = Book(ledger)
        self.pace = Pace(settings.manners.associations, 4.0, time)
        self.breaker = Breaker("A", self.book, settings.manners, random=lambda: 0.0)
        self.gate = Gate(
            settings, self.book, ZONE, pace=self.pace, breaker=self.breaker, stop=self.stop, sleep=time.sleep,
            on_wait=lambda *what: self.told.append(what),
        )  # fmt: skip

    def wait(self) -> bool:
        """Wait, and count how often the association was closed."""
        return self.gate.wait(self._leave)

    def _leave(self) -> None:
        self.left += 1


def test_where_nothing_stands_against_it_it_is_passed_at_once_and_silently(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    assert made.wait()
    assert made.gate.begin("k")
    assert (time.slept, made.told, made.left, made.book.conditions()) == ([], [], 0, {})


def test_a_pause_by_order_holds_until_it_is_lifted(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("A", order="pause")
    noted = []

    def meanwhile() -> None:
        noted.append((made.book.condition("A").reason_code, made.book.condition("A").until))
        if len(time.slept) == 5:
            made.book.note("A", order="run")

    time.meanwhile = meanwhile
    assert made.wait()
    assert made.told == [("A", "E-PULL-PAUSED", None), ("A", "", None)]
    assert set(noted) == {("E-PULL-PAUSED", None)}
    assert made.book.condition("A").reason_code == ""
    assert made.left == 1
    assert max(time.slept) <= 3


def test_a_drain_ends_it_also_for_those_who_wait(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("A", order="pause")
    time.meanwhile = lambda: made.book.note("A", order="drain")
    assert not made.wait()
    assert not made.wait()
    made.book.note("A", order="run")
    assert made.wait()


def test_orders_for_another_pacs_do_not_matter(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("B", order="drain")
    assert made.wait()


def test_outside_the_allowed_hours_it_waits_for_the_wall_clock(ledger: Ledger, time: Time) -> None:
    time.now = datetime(2026, 10, 24, 19, 58, 30, tzinfo=ZONE).timestamp()
    made = Made(ledger, time, pacs(allowed_hours=("20:00-06:00",)))
    assert made.wait()
    opening = datetime(2026, 10, 24, 20, 0, tzinfo=ZONE).timestamp()
    assert time.now == pytest.approx(opening, abs=0.1)
    assert made.told == [("A", "E-PULL-HOURS", opening), ("A", "", None)]


def test_no_more_studies_begin_in_any_hour_than_are_allowed_over_all_gates(ledger: Ledger, time: Time) -> None:
    settings = pacs(studies_per_hour=4)
    gates, begun = [Made(ledger, time, settings) for _ in range(3)], list[float]()
    for n in range(15):
        made = gates[n % 3]
        assert made.wait()
        assert made.gate.begin(f"k{n}")
        begun.append(time.now)
        made.book.end(made.book.begin(f"k{n}", "A"))
        time.now += 60
    assert all(sum(at <= other < at + 3600 for other in begun) <= 4 for at in begun)
    assert begun[-1] - begun[0] < 3 * 3600 + 15 * 60
    assert {code for made in gates for _, code, _ in made.told} == {"E-PULL-RATE", ""}


def test_an_open_breaker_holds_until_its_time_and_then_lets_one_try(ledger: Ledger, time: Time) -> None:
    one, other = (Made(ledger, time, pacs()) for _ in range(2))
    for _ in range(3):
        one.breaker.failed("E-PULL-UNREACHABLE")
    began = time.now
    assert one.wait()
    assert other.wait()
    assert time.now == pytest.approx(began + 30, abs=0.1)
    assert (one.gate.begin("k"), other.gate.begin("l")) == (True, False)
    one.breaker.succeeded()
    assert other.wait()
    assert other.gate.begin("l")
    assert one.told[0] == ("A", "E-PULL-BREAKER", began + 30)


def test_the_hours_place_is_given_back_by_whoever_may_not_try(ledger: Ledger, time: Time) -> None:
    settings = pacs(studies_per_hour=2)
    one, other = (Made(ledger, time, settings) for _ in range(2))
    for _ in range(3):
        one.breaker.failed("E-PULL-UNREACHABLE")
    time.now += 30
    assert (one.gate.begin("k"), other.gate.begin("l")) == (True, False)
    assert len(one.book.begun_since("A", 0)) == 1


def test_the_short_pause_after_a_failure_is_kept_but_not_told(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    Breaker("A", made.book, pacs().manners, random=lambda: 0.5).failed("E-PULL-UNREACHABLE")
    began = time.now
    assert made.wait()
    assert time.now == pytest.approx(began + 1, abs=0.1)
    assert (made.told, made.left) == ([], 1)


def test_whoever_gave_up_lets_nobody_pass_in_this_process(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.breaker.given_up = True
    assert not made.wait()


def test_a_slow_pacs_is_given_a_rest_after_each_study_of_whichever_process(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs(associations=1))
    for seconds in [0.1] * 12 + [1.0] * 3:
        time.now += 10
        made.pace.observe("echo", seconds)
    assert made.pace.limit_now == 0.5
    other = Book(ledger)
    number = other.begin("k", "A")
    time.now += 90
    other.end(number)
    ended = time.now
    assert made.wait()
    assert time.now == pytest.approx(ended + 90, abs=0.1)
    assert made.told == [("A", "E-PULL-SLOW", ended + 90), ("A", "", None)]


def test_a_stop_ends_the_waiting(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("A", order="pause")
    time.meanwhile = made.stop.set
    assert not made.wait()


def test_what_a_killed_process_noted_is_cleared_by_the_next_that_passes(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("A", reason_code="E-PULL-HOURS", until=time.now + 9999)
    assert made.wait()
    assert made.book.condition("A").reason_code == ""
    assert made.told == []


def test_nothing_is_told_twice_however_many_wait(ledger: Ledger, time: Time) -> None:
    made = Made(ledger, time, pacs())
    made.book.note("A", order="pause")
    awake, told_all = threading.Event(), threading.Barrier(5, timeout=60)

    def sleep(_seconds: float) -> None:
        if not awake.is_set():
            told_all.wait()
            awake.wait()

    made.gate._sleep = sleep
    threads = [threading.Thread(target=made.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    told_all.wait()
    made.book.note("A", order="run")
    awake.set()
    for thread in threads:
        thread.join()
    assert made.told == [("A", "E-PULL-PAUSED", None), ("A", "", None)]
