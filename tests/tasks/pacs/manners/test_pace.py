"""The pace on made-up latencies: it falls when the PACS is slow, comes back when it recovers, and noise does not move it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pacs.manners.pace import LEAST, Kind, Pace


class Clock:
    """A clock that is put on by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def walked(pace: Pace, clock: Clock, took: Iterable[float], kind: Kind = "echo", every_s: float = 10.0) -> list[float]:
    """The limits after each observation."""
    limits = []
    for seconds in took:
        clock.now += every_s
        pace.observe(kind, seconds)
        limits.append(pace.limit_now)
    return limits


def made(limit: int = 4, factor: float = 4.0) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(limit, factor, clock), clock


def changes(limits: list[float]) -> list[float]:
    """Each limit once for each time that it was reached."""
    return [limits[0], *(after for before, after in pairwise(limits) if after != before)]


def test_it_starts_at_the_limit() -> None:
    assert made(7)[0].limit_now == 7


def test_a_slow_spell_halves_it_down_to_the_least_and_recovery_brings_it_back_step_by_step() -> None:
    pace, clock = made()
    limits = walked(pace, clock, [0.1] * 20 + [1.0] * 20 + [0.1] * 40)
    assert changes(limits) == [4, 2, 1, 0.5, 0.25, 0.5, 1, 2, 3, 4]


def test_less_than_the_factor_is_not_slow() -> None:
    pace, clock = made()
    assert set(walked(pace, clock, [0.1] * 20 + [0.39] * 40)) == {4}


def test_under_the_floor_nothing_is_slow() -> None:
    pace, clock = made()
    assert set(walked(pace, clock, [0.001] * 20 + [0.05] * 40)) == {4}


def test_between_slow_and_calm_it_stays_where_it_is() -> None:
    pace, clock = made()
    walked(pace, clock, [0.1] * 20 + [1.0] * 6)
    fallen = pace.limit_now
    assert fallen < 4
    assert set(walked(pace, clock, [0.3] * 30)) == {fallen}


def test_it_does_not_judge_by_a_few_observations() -> None:
    pace, clock = made()
    assert set(walked(pace, clock, [0.1, 5.0, 5.0, 5.0])) == {4}


@given(at=st.integers(6, 60), seconds=st.floats(0, 1e6))
@settings(deadline=None)
def test_one_late_answer_changes_nothing(at: int, seconds: float) -> None:
    pace, clock = made()
    took = [0.1] * 70
    took[at] = seconds
    assert set(walked(pace, clock, took)) == {4}


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_make_it_flap(seed: int) -> None:
    pace, clock = made()
    draw = Random(seed)
    assert set(walked(pace, clock, [draw.lognormvariate(-2, 0.35) for _ in range(3000)])) == {4}


def test_single_answers_that_are_late_by_far_hardly_move_it() -> None:
    draw = Random(1)
    took = [draw.lognormvariate(-2, 0.35) * (20 if draw.random() < 0.02 else 1) for _ in range(3000)]
    usual = sorted(took)[len(took) // 4]
    assert any(seconds > 4 * usual for seconds in took)
    pace, clock = made()
    assert walked(pace, clock, took).count(4) > 2900


@given(
    st.lists(st.tuples(st.sampled_from(["echo", "pause"]), st.floats(0, 1000), st.floats(0, 100)), max_size=200),
    st.integers(1, 32),
    st.floats(1.5, 20),
)
@settings(deadline=None)
def test_whatever_comes_it_stays_in_its_bounds_and_changes_by_no_more_than_a_step(
    trace: list[tuple[Kind, float, float]], limit: int, factor: float
) -> None:
    pace, clock = made(limit, factor)
    before = pace.limit_now
    for kind, seconds, pause in trace:
        clock.now += pause
        pace.observe(kind, seconds)
        assert LEAST <= pace.limit_now <= limit
        assert before / 2 <= pace.limit_now <= max(before + 1, 2 * min(before, 0.5))
        assert 0 <= pace.rest(60.0) <= 900
        assert (pace.rest(60.0) > 0) == (pace.limit_now < 1)
        before = pace.limit_now


@given(st.lists(st.floats(0.06, 100), max_size=100), st.sampled_from([2.0, 4.0, 64.0]))
@settings(deadline=None)
def test_a_pacs_that_is_slower_in_everything_is_paced_alike(trace: list[float], times: float) -> None:
    one, clock = made()
    other, other_clock = made()
    assert walked(one, clock, trace) == walked(other, other_clock, [times * seconds for seconds in trace])


@given(st.lists(st.floats(0, 100), max_size=150))
@settings(deadline=None)
def test_whatever_was_before_a_pacs_that_is_steady_gets_its_limit_back(trace: list[float]) -> None:
    pace, clock = made()
    walked(pace, clock, [*trace, *[0.2] * 400])
    assert pace.limit_now == 4


def test_a_burst_counts_as_one_observation() -> None:
    pace, clock = made()
    walked(pace, clock, [0.1] * 20)
    assert set(walked(pace, clock, [5.0] * 1000, every_s=0.004)) == {4}


def test_images_that_come_slowly_hold_back_though_the_echo_is_quick() -> None:
    pace, clock = made()
    for seconds in [0.1] * 10 + [3.0] * 16:
        walked(pace, clock, [0.01], "echo")
        walked(pace, clock, [seconds], "pause")
    assert pace.limit_now == LEAST
    for _ in range(40):
        walked(pace, clock, [0.01], "echo")
        walked(pace, clock, [0.1], "pause")
    assert pace.limit_now == 4


def test_a_kind_that_is_no_more_observed_holds_nothing_back_for_ever() -> None:
    pace, clock = made()
    walked(pace, clock, [0.1] * 10 + [3.0] * 16, "pause")
    assert pace.limit_now == LEAST
    walked(pace, clock, [0.01] * 60, "echo")
    assert pace.limit_now == 4


def test_half_an_association_works_half_of_the_time() -> None:
    pace, clock = made(1)
    walked(pace, clock, [0.1] * 12 + [1.0] * 3)
    assert pace.limit_now == 0.5
    assert pace.rest(120) / (120 + pace.rest(120)) == 0.5
    walked(pace, clock, [1.0] * 3)
    assert pace.rest(120) / (120 + pace.rest(120)) == 0.75
