"""Dates and ages as a profile allows them: the year of a date, a date moved by a constant, an age up to the highest one.

A DA must be YYYYMMDD (PS3.5 section 6.2), so the year is written as its first of January; LongitudinalTemporalInformationModified tells
the reader that month and day are not the patient's. A DT may be cut to its year.

Moved dates keep the days between a patient's studies, and so are not Safe Harbor: each patient has a number of days of its own, by which all
dates move back. Times of day stay.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_YEAR = re.compile(r"((?:18|19|20)[0-9]{2})[0-9.\-/]{0,6}")
_YEAR_OF_TIME = re.compile(r"((?:18|19|20)[0-9]{2})[0-9]{0,10}(\.[0-9]{1,6})?([+-][0-9]{4})?")
_DAY = re.compile(r"((?:18|19|20)[0-9]{2})[.-]?(0[1-9]|1[0-2])[.-]?([0-2][0-9]|3[01])")
_DAY_OF_TIME = re.compile(
    r"((?:18|19|20)[0-9]{2})(0[1-9]|1[0-2])([0-2][0-9]|3[01])([0-9]{0,6}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)"
)
_TIME = re.compile(r"[0-9]{2,6}(\.[0-9]{1,6})?")
#: Dates move back by at least this many days, and by less than this many more: ten years.
_LEAST_SHIFT, _SHIFTS = 30, 3620
_AGE = re.compile(r"([0-9]{3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def year_only(value: str, vr: str) -> str:
    """The year of a DA (as YYYY0101) or DT (as YYYY); empty for what is not a date."""
    value = value.strip()
    match = (_YEAR if vr == "DA" else _YEAR_OF_TIME).fullmatch(value)
    if match is None:
        return ""
    return f"{match[1]}0101" if vr == "DA" else match[1]


def shift_of(number: int) -> int:
    """The days by which a patient's dates move, from a number that is the patient's own (a keyed digest)."""
    return -(_LEAST_SHIFT + number % _SHIFTS)


def shifted(value: str, vr: str, days: int) -> str:
    """A DA, DT or TM moved by `days`; a DT without a day is cut to its year; empty for what is not a date or time."""
    value = value.strip()
    if vr == "TM":
        return value if _TIME.fullmatch(value) else ""
    match = (_DAY if vr == "DA" else _DAY_OF_TIME).fullmatch(value)
    if match is None:
        return year_only(value, vr) if vr == "DT" else ""
    try:
        moved = date(int(match[1]), int(match[2]), int(match[3])) + timedelta(days=days)
    except ValueError:
        return ""
    return f"{moved:%Y%m%d}" + (match[4] if vr == "DT" else "")


def capped_age(value: str, highest: int) -> str:
    """An AS value with ages of more than `highest` years as the next year; empty for what is not an age."""
    value = value.strip()
    if not value:
        return ""
    match = _AGE.fullmatch(value)
    if match is None:
        return ""
    years = int(match[1]) / _PER_YEAR[match[2]]
    return f"{highest + 1:03d}Y" if years >= highest + 1 else value
