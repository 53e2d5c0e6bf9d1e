"""The breaker: it opens after failures in a row, lets one caller try, closes on success, and gives up after long enough."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigurationError
from tasks.ledger import Ledger
from tasks.pacs.book import Book
from tasks.pacs.manners.breaker import LONGEST_S, Breaker
from tasks.pacs.settings import MannersSettings
from tests.tasks.pacs.manners.conftest import Time

MANNERS = MannersSettings(breaker_failures=3, breaker_s=30, give_up_s=1800, backoff_s=2)


def made(ledger: Ledger, manners: MannersSettings = MANNERS, random: float = 0.0) -> Breaker:
    """A breaker as another process would make it: of the ledger alone."""
    return Breaker("A", Book(ledger), manners, trial_s=120, random=lambda: random)


def opened(ledger: Ledger) -> Breaker:
    """A breaker that has just opened."""
    breaker = made(ledger)
    for _ in range(3):
        breaker.failed("E-PULL-UNREACHABLE")
    return breaker


def test_a_closed_breaker_lets_everybody_pass_and_writes_nothing(ledger: Ledger) -> None:
    assert made(ledger).before() is None
    made(ledger).succeeded()
    assert Book(ledger).conditions() == {}


def test_it_opens_after_so_many_failures_in_a_row_for_all_processes(ledger: Ledger, time: Time) -> None:
    breaker = made(ledger)
    for _ in range(2):
        breaker.failed("E-PULL-UNREACHABLE")
        assert breaker.before() is None
    breaker.failed("E-PULL-UNREACHABLE")
    assert breaker.before() == time.now + 30
    assert made(ledger).before() == time.now + 30


def test_a_success_in_between_begins_the_count_anew(ledger: Ledger) -> None:
    breaker = made(ledger)
    for _ in range(5):
        breaker.failed("E-PULL-UNREACHABLE")
        breaker.failed("E-PULL-UNREACHABLE")
        breaker.succeeded()
    assert breaker.before() is None


def test_a_failure_that_does_not_open_it_is_followed_by_a_short_pause(ledger: Ledger, time: Time) -> None:
    breaker = made(ledger, random=0.5)
    breaker.failed("E-PULL-UNREACHABLE")
    assert breaker.before() == time.now + 1
    breaker.failed("E-PULL-UNREACHABLE")
    assert breaker.before() == time.now + 2


def test_when_its_time_is_over_one_caller_of_all_may_try(ledger: Ledger, time: Time) -> None:
    opened(ledger)
    time.now += 30
    answers: list[float | None] = []
    threads = [threading.Thread(target=lambda: answers.append(made(ledger).before())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(None) == 1
    assert {answer for answer in answers if answer is not None} == {time.now + 120}


def test_success_closes_it_for_all(ledger: Ledger, time: Time) -> None:
    breaker = opened(ledger)
    time.now += 30
    assert breaker.before() is None
    breaker.succeeded()
    assert [made(ledger).before() for _ in range(3)] == [None] * 3
    assert Book(ledger).condition("A").failures == 0


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another(ledger: Ledger, time: Time) -> None:
    opened(ledger)
    time.now += 30
    assert made(ledger).before() is None
    assert made(ledger).before() is not None
    time.now += 120
    assert made(ledger).before() is None


def trials(ledger: Ledger, time: Time, random: float = 0.0, manners: MannersSettings = MANNERS) -> list[float]:
    """When each failure was, in seconds after the first, until it is given up; each trial by another process."""
    began, failed = time.now, list[float]()

    def try_on() -> None:
        while True:
            breaker = made(ledger, manners, random)
            until = breaker.before()
            if until is not None:
                time.now = until
                continue
            failed.append(time.now - began)
            breaker.failed("E-PULL-UNREACHABLE")

    with pytest.raises(ConfigurationError, match=r"E-PULL-BREAKER.*E-PULL-UNREACHABLE, \d+ times in \d+ minutes"):
        try_on()
    return failed


def test_from_trial_to_trial_it_waits_twice_as_long_until_it_is_given_up(ledger: Ledger, time: Time) -> None:
    assert trials(ledger, time) == [0, 0, 0, 30, 90, 210, 450, 930, 1530, 1800]


def test_the_waiting_is_spread_at_random_but_never_shorter(ledger: Ledger, time: Time) -> None:
    manners = MANNERS.model_copy(update={"give_up_s": 7200})
    failed = trials(ledger, time, 0.999, manners)
    pauses = [after - before for before, after in pairwise(failed[2:])]
    assert 30 * 1.25 <= pauses[0] <= (30 + 6) * 1.25
    assert all(pause <= LONGEST_S * 1.25 for pause in pauses)
    assert failed[-1] == pytest.approx(7200)


def test_many_workers_that_fail_at_once_do_not_make_it_wait_longer(ledger: Ledger, time: Time) -> None:
    breaker = made(ledger)
    for _ in range(16):
        breaker.failed("E-PULL-NO-ANSWER")
    assert breaker.before() == time.now + 30


def test_it_is_not_given_up_before_it_opens_however_little_patience_there_is(ledger: Ledger) -> None:
    breaker = made(ledger, MANNERS.model_copy(update={"give_up_s": 0}))
    breaker.failed("E-PULL-UNREACHABLE")
    breaker.failed("E-PULL-UNREACHABLE")
    assert not breaker.given_up
    with pytest.raises(ConfigurationError, match="E-PULL-BREAKER"):
        breaker.failed("E-PULL-UNREACHABLE")
    assert breaker.given_up


def test_after_a_night_in_which_it_was_given_up_the_next_one_has_its_whole_patience(ledger: Ledger, time: Time) -> None:
    trials(ledger, time)
    time.now += 18 * 3600
    failed = trials(ledger, time)
    assert failed[-1] == pytest.approx(1800)


def test_a_batch_that_follows_at_once_gives_up_after_one_trial(ledger: Ledger, time: Time) -> None:
    trials(ledger, time)
    assert len(trials(ledger, time)) == 1


@given(steps=st.lists(st.tuples(st.sampled_from(["fail", "succeed", "ask"]), st.floats(0, 900)), max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_nobody_waits_longer_than_the_longest_and_success_opens_the_way(
    ledger: Ledger, time: Time, steps: list[tuple[str, float]]
) -> None:
    Book(ledger).note("A", failures=0, failing_since=None, retry_at=None)
    breaker = made(ledger, MANNERS.model_copy(update={"give_up_s": 1e9}), random=0.7)
    for what, seconds in steps:
        time.now += seconds
        if what == "fail":
            breaker.failed("E-PULL-UNREACHABLE")
        elif what == "succeed":
            breaker.succeeded()
            assert breaker.before() is None
        until = breaker.before()
        assert until is None or time.now < until <= time.now + 1.25 * LONGEST_S


def test_the_state_outlives_its_process(tmp_path: Path) -> None:
    time, url = Time(), f"sqlite:///{tmp_path / 'ledger.db'}"
    first = Ledger(url, clock=time)
    opened(first)
    first.close()
    second = Ledger(url, clock=time)
    assert made(second).before() == time.now + 30
    second.close()
