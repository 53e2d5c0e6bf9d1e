"""Delays between retries: within bounds that double, spread over all of them, never longer than the longest."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pacs.manners.backoff import Backoff


@given(first=st.floats(0.01, 100), longest=st.floats(0.01, 1000), n=st.integers(0, 5000), seed=st.integers())
@settings(deadline=None)
def test_no_delay_is_longer_than_the_longest_nor_shorter_than_nothing(first: float, longest: float, n: int, seed: int) -> None:
    backoff = Backoff(first, 3, longest, Random(seed).random)
    assert 0 <= backoff.delay(n) <= backoff.bound(n) <= longest
    assert backoff.bound(n) <= backoff.bound(n + 1)


def test_the_bound_doubles() -> None:
    assert [Backoff(2, 9, 60).bound(n) for n in range(7)] == [2, 4, 8, 16, 32, 60, 60]


def test_there_are_as_many_delays_as_retries() -> None:
    assert list(Backoff(2, 3, random=lambda: 0.5).delays()) == [1, 2, 4]
    assert list(Backoff(2, 0).delays()) == []


def test_the_delays_of_many_workers_are_spread_over_the_whole_time() -> None:
    backoff = Backoff(8, 1, random=Random(7).random)
    delays = sorted(backoff.delay(0) for _ in range(4000))
    assert [round(delays[n]) for n in (400, 2000, 3600)] == [1, 4, 7]
