"""Dates and ages as Safe Harbor allows them: the year of a date, an age up to the highest one.

A DA must be YYYYMMDD (PS3.5 section 6.2), so the year is written as its first of January; LongitudinalTemporalInformationModified tells
the reader that month and day are not the patient's. A DT may be cut to its year.
"""

from __future__ import annotations

import re

_YEAR = re.compile(r"((?:18|19|20)[0-9]{2})[0-9.\-/]{0,6}")
_YEAR_OF_TIME = re.compile(r"((?:18|19|20)[0-9]{2})[0-9]{0,10}(\.[0-9]{1,6})?([+-][0-9]{4})?")
_AGE = re.compile(r"([0-9]{3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def year_only(value: str, vr: str) -> str:
    """The year of a DA (as YYYY0101) or DT (as YYYY); empty for what is not a date."""
    value = value.strip()
    match = (_YEAR if vr == "DA" else _YEAR_OF_TIME).fullmatch(value)
    if match is None:
        return ""
    return f"{match[1]}0101" if vr == "DA" else match[1]


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
