"""When a PACS may be asked for studies: windows of the week such as `mon-fri 20:00-06:00`, by the site's wall clock.

The wall clock decides, and nothing else: a moment is open if the date and time that a clock on the site's wall shows then lie
in a window. So where daylight saving begins, a window that lies wholly in the hour that is left out does not open that day, and
where it ends, the hour that comes twice is open twice. A window that crosses midnight belongs to the day on which it begins:
`fri 20:00-06:00` ends on Saturday.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:(?P<days>[a-z, -]+?) +)?(?P<begin>\d{1,2}:\d{2}) *- *(?P<end>\d{1,2}:\d{2})")
_NOT_SO = (
    "holds what is no window of hours: write 20:00-06:00 for every day, or with days mon-fri 20:00-06:00 or sat,sun 00:00-24:00; "
    "days are mon tue wed thu fri sat sun, hours go from 00:00 to 24:00, begin and end differ"
)
_DAY_MINUTES = 24 * 60
#: A window of one weekday may miss a week, where the clock leaves it out; nothing leaves it out for three.
_HORIZON = timedelta(days=22)


@dataclass(frozen=True, slots=True)
class Window:
    """Days of the week (0 is Monday) on which it begins; begin and end in minutes after midnight, an end before the begin on the next day."""

    days: frozenset[int]
    begin: int
    end: int

    def holds(self, day: int, minute: int) -> bool:
        """Whether a clock that shows this weekday and minute of the day is in the window."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """Windows that are added up, in a time zone; without any window it is always open."""

    windows: tuple[Window, ...]
    zone: tzinfo

    @classmethod
    def parse(cls, windows: Iterable[str], zone: tzinfo) -> AllowedHours:
        """Read windows as the configuration file has them.

        Args:
            windows: each `[DAYS] HH:MM-HH:MM`; DAYS are days and ranges of days with commas between (`mon-thu,sat`).
            zone: the site's time zone.

        Raises:
            ValueError: with the sentence that says how to write it.
        """
        return cls(tuple(_window(text) for text in windows), zone)

    def is_open(self, at: float) -> bool:
        """Whether work may begin at a time (seconds since the epoch)."""
        shown = self._shown(math.floor(at))
        minute = shown.hour * 60 + shown.minute
        return not self.windows or any(window.holds(shown.weekday(), minute) for window in self.windows)

    def opens_at(self, at: float) -> float | None:
        """When work may begin next, at or after a time, in seconds since the epoch: `at` itself when it is open.

        None where no window opens in three weeks: one that the clock leaves out.
        """
        if self.is_open(at):
            return at
        second = math.floor(at)
        last = second + _HORIZON.total_seconds()
        while second < last:
            second = self._next_change(second)
            if self.is_open(second):
                return float(second)
        return None

    def _next_change(self, second: int) -> int:
        """The next second at which a window may open: a window's begin, midnight, or the moment at which the clock is put on or back."""
        shown = self._shown(second).replace(tzinfo=None)
        midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0)
        marks = [midnight + timedelta(minutes=window.begin) for window in self.windows] + [midnight + timedelta(days=1)]
        mark = min(mark for mark in marks if mark > shown)
        there = second + round((mark - shown).total_seconds())
        if self._offset(there) == self._offset(second):
            return there
        before, after = second, there  # the clock is put on or back in between: find out when
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == self._offset(second):
                before = middle
            else:
                after = middle
        return after

    def _shown(self, second: int) -> datetime:
        return datetime.fromtimestamp(second, self.zone)

    def _offset(self, second: int) -> timedelta | None:
        return self._shown(second).utcoffset()


def _window(text: str) -> Window:
    parts = _WINDOW.fullmatch(text.strip().lower())
    if parts is None:
        raise ValueError(_NOT_SO)
    begin, end = _minutes(parts["begin"]), _minutes(parts["end"])
    if begin in {end, _DAY_MINUTES}:
        raise ValueError(_NOT_SO)
    return Window(_days(parts["days"]), begin, end)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > _DAY_MINUTES:
        raise ValueError(_NOT_SO)
    return found


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found = set[int]()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS or part.endswith("-"):
            raise ValueError(_NOT_SO)
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if begin <= end else end + 8)}
    return frozenset(found)
