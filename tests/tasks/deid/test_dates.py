"""Of a date the year is left, of an age up to 89 the age: 45 CFR 164.514(b)(2)(i)(C). pydicom says what a date and an age are."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import DA, DT

from tasks.deid.dates import capped_age, year_only

DAYS = st.dates(date(1800, 1, 1), date(2099, 12, 31))
MOMENTS = st.datetimes(
    datetime(1800, 1, 1), datetime(2099, 12, 31), timezones=st.none() | st.builds(timezone, st.builds(timedelta, hours=st.integers(-12, 14)))
)  # fmt: skip


@given(DAYS)
def test_any_day_of_a_year_becomes_the_same_valid_date(day: date) -> None:
    released = year_only(f"{day:%Y%m%d}", "DA")
    assert DA(released) == date(day.year, 1, 1)
    assert released == year_only(f"{date(day.year, 12, 31):%Y%m%d}", "DA")


@given(DAYS, st.sampled_from(["%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d  ", " %Y%m%d"]))
def test_dates_of_old_and_careless_systems_keep_their_year_too(day: date, form: str) -> None:
    assert year_only(day.strftime(form), "DA") == f"{day.year}0101"


@given(MOMENTS, st.sampled_from(["%Y%m%d%H%M%S.%f%z", "%Y%m%d%H%M%S%z", "%Y%m%d%H%M", "%Y%m%d", "%Y%m", "%Y"]))
def test_any_moment_is_cut_to_its_year(moment: datetime, form: str) -> None:
    released = year_only(moment.strftime(form), "DT")
    assert released == str(moment.year)
    assert DT(released).year == moment.year  # type: ignore[union-attr]


@given(st.text(max_size=30), st.sampled_from(["DA", "DT"]))
def test_nothing_but_a_year_ever_comes_out(text: str, vr: str) -> None:
    assert re.fullmatch(r"|(18|19|20)[0-9]{2}" + ("0101" if vr == "DA" else ""), year_only(text, vr))


@pytest.mark.parametrize(
    "text", ["20210317-20210318", "Erika 2021", "17032021", "03/17/2021", "17000101", "99990101", "٢٠٢١٠٣١٧", "2021031Z", "20"]
)
def test_what_is_no_date_of_this_age_is_emptied(text: str) -> None:
    assert year_only(text, "DA") == ""


@given(st.integers(0, 999), st.sampled_from("DWMY"))
def test_an_age_is_kept_or_is_the_one_class_of_90_and_more(number: int, unit: str) -> None:
    age = f"{number:03d}{unit}"
    assert capped_age(age, 89) == ("090Y" if unit == "Y" and number >= 90 else age)


def test_no_age_in_days_weeks_or_months_can_be_over_89() -> None:
    longest = max(timedelta(days=999), timedelta(weeks=999), timedelta(days=999 * 30.44))
    assert longest < timedelta(days=90 * 365.25)


def test_the_highest_age_is_the_profiles() -> None:
    assert [capped_age(age, 64) for age in ("064Y", "065Y", "070Y", "790M")] == ["064Y", "065Y", "065Y", "065Y"]


@given(st.text(max_size=8).filter(lambda text: not re.fullmatch(r"\s*[0-9]{3}[DWMY]\s*", text)))
def test_what_is_no_age_is_emptied(text: str) -> None:
    assert capped_age(text, 89) == ""
