"""Windows of days and seconds, split until no answer of the PACS can have been cut off.

A PACS may give at most so many answers to a query and say nothing of the rest, or end the query with another status than success.
What its limit is, it does not tell. `Windows` finds out whether an answer is whole from answers alone:

Let M(W) be the studies that match window W, and A(W) what the PACS answers. Assumed is that one limit L holds for all of these
queries: |A(W)| = min(|M(W)|, L), and that L is at least `believed`, the setting `find_limit`. (Of answers that ended well, the
largest so far also shows a size that L has; a smaller answer cannot have been cut.)

1. An answer with fewer studies than that is whole, since a cut one has L.
2. W is split into halves that no study lies in at once. If both have studies and every study of their answers is in A(W), A(W) is
   whole, and so are the halves. For suppose that A(W) was cut: it has L studies, and there are more. If a half was cut too, its
   answer has L, with at least one more in the other half: more than A(W) can hold. If neither was, they hold all of M(W) between
   them, more than L: more than A(W) can hold. If A(W) is whole and a half was cut, that half alone has L, and the same follows.
3. Otherwise each half is looked at in the same way. A half without an answer is whole by 1. Days are split to the single day, a
   day by StudyTime to the second.

This holds for studies that a half can match. A study without StudyTime need not match any range of a day that was split, and one
without StudyDate none at all (PS3.4 C.2.2.2.5). They are kept where an answer shows them. Where one is shown by an answer that may
have been cut, others may be missing: that is a *doubt*. Where the answer was cut and shows none, the window is *blind*: that is no
evidence of a loss, but it is counted and told. (If the limit is by chance the very number of the studies that have a date, or on a
day that is split a time, 2. takes the answer for whole.)

Doubts are also: a second with more studies than are believed, and a PACS that overlooks the date or the time of the query, so that
nothing can be proven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from tasks.errors import SafelightError

_DAY = 86_400
_ONE = timedelta(days=1)
#: Where a window with an open end is first split, if no answer says where the studies are.
_EARLY = date(1970, 1, 1)


class Dated(Protocol):
    """A study of an answer: its day and its second of the day, None where it gives none that can be read."""

    @property
    def day(self) -> date | None:
        """StudyDate."""
        ...

    @property
    def second(self) -> int | None:
        """StudyTime."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """Days from `first` to `last`, both inclusive, None for an open end; within a single day seconds `since` to `until`."""

    first: date | None = None
    last: date | None = None
    since: int = 0
    until: int = _DAY - 1

    @property
    def study_date(self) -> str:
        """The key for StudyDate (PS3.4 C.2.2.2.5): `A-B`, `A-`, `-B`, a single day, or empty for any."""
        if self.first and self.first == self.last:
            return _da(self.first)
        return "-".join(_da(day) if day else "" for day in (self.first, self.last)) if self.first or self.last else ""

    @property
    def study_time(self) -> str:
        """The key for StudyTime. A day's first and last window have an open end: there some PACSs show studies without a time."""
        if self.is_whole_day:
            return ""
        until = "" if self.until == _DAY - 1 else f"{_tm(self.until)}.999999"
        return f"{_tm(self.since) if self.since else ''}-{until}"

    @property
    def is_whole_day(self) -> bool:
        """Whether it is not split by seconds."""
        return self.until - self.since == _DAY - 1

    @property
    def is_day(self) -> bool:
        """Whether it lies within a single day."""
        return self.first is not None and self.first == self.last

    def place(self, study: Dated) -> bool | None:
        """Whether a study lies in the window; None where it does not say."""
        if self.is_whole_day and self.first is None and self.last is None:
            return True if study.day is not None else None
        if study.day is None:
            return None
        if (self.first and study.day < self.first) or (self.last and study.day > self.last):
            return False
        if self.is_whole_day:
            return True
        return None if study.second is None else self.since <= study.second <= self.until

    def halves(self, studies: Mapping[str, Dated], today: date) -> tuple[Window, Window] | None:
        """Two windows that make up this one, split where the studies of an answer have their middle; None for a single second."""
        inside = [study for study in studies.values() if self.place(study)]
        if self.is_day:
            if self.since == self.until:
                return None
            seconds = sorted(study.second for study in inside if study.second is not None)
            middle = seconds[len(seconds) // 2] if seconds else (self.since + self.until + 1) // 2
            # Never at a full minute where it can be helped: `1200` lies after 115959.999999 and before 120000, if text is compared.
            middle += middle % 60 == 0
            middle = min(max(middle, self.since + 1), self.until)
            return Window(self.first, self.last, self.since, middle - 1), Window(self.first, self.last, middle, self.until)
        if self.last == date.min or self.first == date.max:
            return None
        days = sorted(study.day for study in inside if study.day is not None)
        day = days[len(days) // 2] if days else self._middle(today)
        day = max(day, self.first + _ONE if self.first else date.min + _ONE)
        day = min(day, self.last or date.max)
        return Window(self.first, day - _ONE), Window(day, self.last)

    def _middle(self, today: date) -> date:
        first = self.first or (_EARLY if self.last is None or self.last > _EARLY else date.min)
        last = self.last or (today if self.first is None or self.first < today else date.max)
        return first + (last - first) // 2 + _ONE if last > first else first


@dataclass
class Windows:
    """Asks for all studies of a window. `ask` sends one query and returns its studies by UID; it raises E-PULL-FIND-FAILED.

    Args:
        believed: an answer with fewer studies than this is whole; 0 for a PACS that never cuts.
        today: splits windows with an open end.
    """

    ask: Callable[[Window], Mapping[str, Dated]]
    believed: int
    today: date
    #: How many windows have, or may have, studies that no answer showed.
    doubts: int = 0
    #: How many windows were cut in which a study without StudyDate or StudyTime would not have been seen.
    blind: int = 0
    _largest: int = 0
    _suspect: list[int] = field(default_factory=list)

    def all(self, window: Window) -> dict[str, Dated]:
        """Every study of the window that an answer showed, also those without a date or time. Adds to `doubts` and `blind`.

        Raises:
            SafelightError: E-PULL-FIND-FAILED where a query for the smallest window did not end with success, and all of `ask`.
        """
        found: dict[str, Dated] = {}
        self._suspect = []
        self._resolve(window, self._asked(window, found), found)
        self._look_wider(window)
        self.doubts += sum(1 for size in self._suspect if not self._is_whole(size))
        return found

    def _resolve(self, window: Window, answer: Mapping[str, Dated] | None, found: dict[str, Dated]) -> set[str]:
        """Split until the studies of a window are known, all of them or with a doubt; returns their UIDs."""
        known = set(answer or ())
        if answer is not None:
            if self._is_whole(len(answer)):
                return known
            if self._overlooked(window, answer) or (window != Window() and not any(map(window.place, answer.values()))):
                self.doubts += 1
                return known
        halves = window.halves(answer or {}, self.today)
        if halves is None:
            self.doubts += 1
            return known
        parts = [self._asked(half, found) for half in halves]
        within = {uid for part in parts if part is not None for uid in part}
        if any(part is not None and self._overlooked(half, part) for half, part in zip(halves, parts, strict=True)):
            self.doubts += 1
            return known | within
        if answer is None or not within <= answer.keys() or not self._both_hold(halves, parts):
            within = set().union(*(self._resolve(half, part, found) for half, part in zip(halves, parts, strict=True)))
        if answer is not None and known - within:
            self._suspect.append(len(answer))
        elif (answer is None or not within <= known) and (window == Window() or (window.is_day and window.is_whole_day)):
            self.blind += 1
        return known | within

    def _look_wider(self, window: Window) -> None:
        """Where studies were shown that match no range, see whether the PACS gives more answers at once than that one had."""
        for days in (1, 8, 64):
            sizes = [size for size in self._suspect if not self._is_whole(size)]
            if not sizes or window == Window():
                return
            first, last = window.first and window.first - timedelta(days), window.last and window.last + timedelta(days)
            if self._asked(Window(first, last), {}) is None:
                return

    def _asked(self, window: Window, found: dict[str, Dated]) -> Mapping[str, Dated] | None:
        """The answer for a window, which is added to `found`; None where it did not end with success and can be split."""
        try:
            answer = self.ask(window)
        except SafelightError as error:
            if error.code != "E-PULL-FIND-FAILED" or window.halves({}, self.today) is None:
                raise
            return None
        self._largest = max(self._largest, len(answer))
        found.update(answer)
        return answer

    def _is_whole(self, size: int) -> bool:
        return self.believed == 0 or size < max(self.believed, self._largest)

    @staticmethod
    def _overlooked(window: Window, answer: Mapping[str, Dated]) -> bool:
        """Whether the PACS shows what it was not asked for."""
        return any(window.place(study) is False for study in answer.values())

    @staticmethod
    def _both_hold(halves: tuple[Window, Window], parts: list[Mapping[str, Dated] | None]) -> bool:
        return all(
            part is not None and any(half.place(study) for study in part.values())
            for half, part in zip(halves, parts, strict=True)
        )


def _da(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _tm(second: int) -> str:
    return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
