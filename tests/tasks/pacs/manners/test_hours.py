"""Allowed hours against a wall clock that is looked at every minute, also on the days on which it is put on or back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigurationError
from tasks.pacs.manners.hours import AllowedHours
from tasks.settings import load

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Days on which these clocks are put on and back; the last one leaves a whole Friday out.
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),
    "Asia/Kathmandu": (date(2026, 6, 1),),
    "Pacific/Apia": (date(2011, 12, 30),),
}
PLACES = [(zone, day) for zone, days in CHANGES.items() for day in days]

Plain = tuple[frozenset[int], int, int]


def written(days: frozenset[int], begin: int, end: int) -> str:
    """A window as a configuration has it."""
    return f"{','.join(DAYS[day] for day in sorted(days))} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"


def open_minutes(windows: Sequence[Plain], around: date) -> set[datetime]:
    """Every minute that a wall calendar shows as open, within some weeks: each window is walked through from its begin."""
    found = set()
    for n in range(-3, 26):
        midnight = datetime.combine(around + timedelta(days=n), datetime.min.time())
        for days, begin, end in windows:
            if midnight.weekday() in days:
                last = end if end > begin else end + 1440
                found |= {midnight + timedelta(minutes=minute) for minute in range(begin, last)}
    return found


def shown(at: float, zone: str) -> datetime:
    """What the wall clock shows, to the minute."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None, fold=0)


minutes = st.integers(0, 95).map(lambda quarter: quarter * 15)
plain_windows = st.builds(
    lambda days, begin, length: (days, begin, (begin + length) % 1440 or 1440),
    st.frozensets(st.integers(0, 6), min_size=1),
    minutes,
    st.integers(1, 95).map(lambda quarter: quarter * 15),
)


@pytest.mark.parametrize(("zone", "day"), PLACES)
@given(windows=st.lists(plain_windows, min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_every_minute_of_the_days_around_a_change_is_as_the_wall_clock_has_it(zone: str, day: date, windows: list[Plain]) -> None:
    hours = AllowedHours.parse([written(*window) for window in windows], ZoneInfo(zone))
    allowed = open_minutes(windows, day)
    begin = int(datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC).timestamp())
    moments = [begin + 60 * n for n in range(3 * 1440)]
    opened = [shown(at, zone) in allowed for at in moments]
    assert [hours.is_open(at) for at in moments] == opened
    following: float | None = None
    for at, is_open in zip(reversed(moments), reversed(opened), strict=True):
        following = at if is_open else following
        if following is not None:
            assert hours.opens_at(at) == following


@pytest.mark.parametrize(("zone", "day"), PLACES)
@given(window=plain_windows, offset=st.floats(0, 7 * 86400))
@settings(max_examples=12, deadline=None)
def test_the_next_opening_is_the_first_open_minute_however_far_away(zone: str, day: date, window: Plain, offset: float) -> None:
    hours = AllowedHours.parse([written(*window)], ZoneInfo(zone))
    allowed = open_minutes([window], day)
    at = datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC).timestamp() + offset
    found = hours.opens_at(at)
    if shown(at, zone) in allowed:
        assert found == at
        return
    walked = (int(at) // 60 + 1) * 60
    while shown(walked, zone) not in allowed:
        walked += 60
    assert found == walked


def at(zone: str, text: str, fold: int = 0) -> float:
    """A time of a zone as seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def test_a_window_in_the_hour_that_is_left_out_does_not_open_that_day() -> None:
    hours = AllowedHours.parse(("02:15-02:45",), ZoneInfo("Europe/Berlin"))
    assert hours.opens_at(at("Europe/Berlin", "2026-03-29T00:00")) == at("Europe/Berlin", "2026-03-30T02:15")


def test_a_window_that_begins_in_the_hour_that_is_left_out_opens_when_that_is_over() -> None:
    hours = AllowedHours.parse(("02:15-05:00",), ZoneInfo("Europe/Berlin"))
    assert hours.opens_at(at("Europe/Berlin", "2026-03-29T00:00")) == at("Europe/Berlin", "2026-03-29T03:00")


def test_a_window_in_the_hour_that_comes_twice_is_open_twice() -> None:
    hours = AllowedHours.parse(("02:15-02:45",), ZoneInfo("Europe/Berlin"))
    first, second = (at("Europe/Berlin", "2026-10-25T02:15", fold) for fold in (0, 1))
    assert second - first == 3600
    assert (hours.is_open(first), hours.is_open(first + 1800), hours.is_open(second)) == (True, False, True)
    assert hours.opens_at(first + 1800) == second


def test_a_window_belongs_to_the_day_on_which_it_begins() -> None:
    hours = AllowedHours.parse(("fri 20:00-06:00",), ZoneInfo("UTC"))
    friday = at("UTC", "2026-05-15T00:00")
    assert [hour for hour in range(72) if hours.is_open(friday + 3600 * hour)] == list(range(20, 30))


def test_a_range_of_days_may_go_round_the_week() -> None:
    hours = AllowedHours.parse(("sat-mon 00:00-24:00",), ZoneInfo("UTC"))
    monday = at("UTC", "2026-05-18T12:00")
    assert [DAYS[day] for day in range(7) if hours.is_open(monday + 86400 * day)] == ["mon", "sat", "sun"]


@given(moment=st.floats(0, 4e9))
@settings(deadline=None)
def test_without_a_window_it_is_always_open(moment: float) -> None:
    hours = AllowedHours.parse((), ZoneInfo("Europe/Berlin"))
    assert hours.is_open(moment)
    assert hours.opens_at(moment) == moment


@pytest.mark.parametrize("text", [
    "", "night", "20-06", "20:00", "20:00-20:00", "24:00-06:00", "00:00-24:01", "25:00-26:00", "20:60-21:00", "20:00-06:00 fri",
    "monday 20:00-06:00", "mon- 20:00-06:00", "-fri 20:00-06:00", "mon, 20:00-06:00", "mon;tue 20:00-06:00", "20:00-06:00-08:00",
])  # fmt: skip
def test_a_wrong_window_is_one_sentence_that_says_how_to_write_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: s\nvault: v\nlake: l\n"
        f"pacs: {{host: h, port: 104, ae_title: A, manners: {{allowed_hours: ['08:00-09:00', '{text}']}}}}\n"
    )
    with pytest.raises(
        ConfigurationError, match=r"E-CONFIG.*allowed_hours.*write 20:00-06:00 for every day, or with days mon-fri"
    ):
        load(path)


@pytest.mark.parametrize(
    "text", ["20:00-06:00", "8:00 - 9:30", "MON-FRI 20:00-06:00", "sat,sun 00:00-24:00", "mon - wed, sat 1:00-2:00"]
)
def test_windows_may_be_written_loosely(text: str) -> None:
    assert AllowedHours.parse((text,), UTC).windows
