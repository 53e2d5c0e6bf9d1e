"""All of it together, as a worker uses it: slots over threads, a PACS that dies and comes back, and a real node that becomes slow."""

from __future__ import annotations

import threading
import time as real
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt

from tasks.errors import ConfigurationError
from tasks.ledger import Ledger
from tasks.pacs.association import Requestor
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.manners.conduct import Conduct
from tasks.pacs.manners.pace import LEAST
from tasks.pacs.settings import PacsSettings
from tests.tasks.pacs.hospital import Site
from tests.tasks.pacs.manners.conftest import Time, pacs


def made(ledger: Ledger, time: Time, **manners: object) -> Conduct:
    """As the batch makes it, on the test's clock."""
    return Conduct.of(pacs(**manners), "Europe/Berlin", ledger, clock=time, sleep=time.sleep)


def unreachable() -> None:
    """A C-ECHO to a PACS that is away."""
    raise ConfigurationError("E-PULL-UNREACHABLE", "A")


def test_a_worker_must_be_in_its_slot(ledger: Ledger, time: Time) -> None:
    with pytest.raises(RuntimeError, match="slot"):
        made(ledger, time).admit("k")


def test_a_worker_that_must_wait_closes_its_association_and_gives_its_slot_back(ledger: Ledger, time: Time) -> None:
    conduct, seen = made(ledger, time, associations=1), list[str]()
    with conduct.slot():
        assert conduct.admit("k", lambda: seen.append("left"))
        conduct.book.note("A", order="pause")

        def meanwhile() -> None:
            with ledger.slots("pacs-A", 1) as slot:
                seen.append(f"slot {slot} is free")
            conduct.book.note("A", order="run")

        time.meanwhile = meanwhile
        assert conduct.admit("l", lambda: seen.append("left"))
    assert seen == ["left", "slot 0 is free"]


def test_an_order_that_came_while_it_waited_for_its_slot_is_obeyed(ledger: Ledger, time: Time) -> None:
    conduct = made(ledger, time, associations=1)
    with ledger.slots("pacs-A", 1) as _:
        held = threading.Event()

        def sleep(_seconds: float) -> None:
            conduct.book.note("A", order="drain")
            held.set()

        conduct._sleep = sleep
        admitted: list[bool] = []

        def work() -> None:
            with conduct.slot():
                admitted.append(conduct.admit("k"))

        thread = threading.Thread(target=work)
        thread.start()
        held.wait()
    thread.join()
    assert admitted == [False]


def test_no_more_workers_than_associations_are_admitted_at_once_and_all_get_their_turn(ledger: Ledger) -> None:
    two = [Conduct.of(pacs(associations=2), "UTC", ledger, sleep=lambda _: real.sleep(0.002)) for _ in range(2)]
    inside, seen, lock, done = set[str](), list[int](), threading.Lock(), list[str]()

    def work(conduct: Conduct, name: str) -> None:
        for n in range(4):
            with conduct.slot():
                assert conduct.admit(f"{name}-{n}")
                with lock:
                    inside.add(name)
                    seen.append(len(inside))
                real.sleep(0.005)
                with lock:
                    inside.remove(name)
                    done.append(name)

    threads = [threading.Thread(target=work, args=(two[n % 2], str(n))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(seen), len(done)) == (2, 24)


def test_while_the_pacs_is_slow_the_upper_slots_are_given_up(ledger: Ledger, time: Time) -> None:
    conduct = made(ledger, time, associations=2)
    with ledger.slots("pacs-A", 2) as lower, conduct.slot():
        assert lower == 0
        assert conduct.admit("k")
        for seconds in [0.1] * 12 + [1.0] * 3:
            time.now += 10
            conduct.paused(seconds)
        assert conduct.pace.limit_now == 1
        left: list[bool] = []
        time.meanwhile = lambda: conduct.book.note("A", order="drain")
        conduct._stop.set()
        assert not conduct.admit("l", lambda: left.append(True))
        assert left == [True]


def test_a_pacs_that_dies_is_tried_less_and_less_and_then_given_up(ledger: Ledger, time: Time) -> None:
    conduct, tried, began = made(ledger, time, studies_per_hour=3), list[float](), time.now

    def work() -> None:
        while conduct.admit("k"):
            tried.append(time.now - began)
            with pytest.raises(ConfigurationError, match="E-PULL-UNREACHABLE"):
                conduct.echo(unreachable)
            conduct.failed("E-PULL-UNREACHABLE")

    with conduct.slot(), pytest.raises(ConfigurationError, match="E-PULL-BREAKER"):
        work()
    with conduct.slot():
        assert not conduct.admit("k")
    pauses = [after - before for before, after in pairwise(tried[2:-1])]
    assert pauses == sorted(pauses)
    assert 1800 <= tried[-1] < 1900
    assert conduct.book.begun_since("A", 0) == []  # no study was begun: none counts for the hour


def test_a_pacs_that_comes_back_is_worked_with_again(ledger: Ledger, time: Time) -> None:
    conduct, back, failures = made(ledger, time), time.now + 300, 0
    with conduct.slot():
        while conduct.admit("k"):
            if time.now < back:
                failures += 1
                conduct.failed("E-PULL-UNREACHABLE")
                continue
            conduct.echo(lambda: None)
            conduct.succeeded()
            break
    assert 3 < failures < 10
    assert conduct.book.condition("A").failures == 0


def test_a_study_that_was_admitted_but_never_begun_does_not_count(ledger: Ledger, time: Time) -> None:
    conduct = made(ledger, time, studies_per_hour=2)
    with conduct.slot():
        for key in "abcdef":
            assert conduct.admit(key)
    assert (conduct.book.begun_since("A", 0), time.slept) == ([], [])


def test_a_new_association_is_not_taken_for_a_slow_answer(ledger: Ledger, time: Time) -> None:
    conduct = made(ledger, time)
    observed: list[float] = []
    conduct.pace.observe = lambda kind, seconds: observed.append(seconds)  # type: ignore[method-assign]
    connects = iter([True, False, False])

    def echo() -> None:
        time.now += 3.0 if next(connects) else 0.25

    with conduct.slot():
        assert conduct.admit("k")
        conduct.echo(echo)
        assert conduct.admit("l")
        conduct.echo(echo)
    assert observed == [0.25, 0.25]


class Tired(PacsNode):
    """Answers a C-ECHO late for as long as it is told to."""

    pause_s = 0.0

    def __enter__(self) -> Tired:
        super().__enter__()
        assert self._listener is not None
        self._listener.bind(evt.EVT_C_ECHO, self.on_echo)
        return self

    def on_echo(self, event: Any) -> int:
        """Success, in the end."""
        real.sleep(self.pause_s)
        return 0x0000


def test_a_real_node_that_becomes_slow_gets_less_work_and_all_of_it_when_it_has_recovered(hospital: Path, site: Site) -> None:
    now = Time()
    with Tired(hospital, "HOSPITAL") as node:
        settings = PacsSettings(host="127.0.0.1", port=node.port, ae_title="HOSPITAL", manners={"associations": 2})  # type: ignore[arg-type]
        conduct = Conduct.of(settings, "UTC", site.ledger)
        # Judged on a clock on which studies are far apart; answers are timed by the real one, and slow is far above what
        # a busy machine needs.
        conduct.pace._clock, conduct.pace._floor = now, 0.3
        limits = [conduct.pace.limit_now]
        with Requestor(settings) as requestor, conduct.slot():
            for pause_s, studies in ((0.0, 8), (0.6, 9), (0.0, 15)):
                node.pause_s = pause_s
                for _ in range(studies):
                    now.now += 10
                    assert conduct.admit("k", requestor.__exit__)
                    conduct.echo(requestor.echo)
                    conduct.succeeded()
                    limits.append(conduct.pace.limit_now)
    reached = [limits[0], *(after for before, after in pairwise(limits) if after != before)]
    assert reached == [2, 1, 0.5, LEAST, 0.5, 1, 2]
