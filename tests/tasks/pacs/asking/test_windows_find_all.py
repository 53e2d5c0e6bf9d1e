"""Whatever a PACS's limit is, and however it tells of it: all studies are found, or it is said that some may not be."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.errors import SafelightError
from tasks.pacs.asking.windows import Dated, Window, Windows

TODAY = date(2024, 6, 1)


@dataclass(frozen=True)
class Study:
    """A study as a PACS holds it."""

    day: date | None
    second: int | None


@dataclass
class Limited:
    """A made-up PACS that gives at most `limit` answers, others at each query: the worst that a fixed limit can be."""

    studies: Mapping[str, Study]
    limit: int
    says_so: bool = False
    timeless: str = "never"  # when a study without a value is in a range: never, open (to the left, as text compares), always
    overlooks: str = ""
    seed: int = 0
    queries: list[Window] = field(default_factory=list)

    def __call__(self, window: Window) -> Mapping[str, Dated]:
        self.queries.append(window)
        fitting = [uid for uid, study in self.studies.items() if self._fits(window, study)]
        if len(fitting) > self.limit and self.says_so:
            raise SafelightError("E-PULL-FIND-FAILED", "STUDY level, status 0xA700")
        random.Random(self.seed + len(self.queries)).shuffle(fitting)
        return {uid: self.studies[uid] for uid in fitting[: self.limit]}

    def _fits(self, window: Window, study: Study) -> bool:
        days = self._in(study.day, window.first, window.last) if window.study_date and self.overlooks != "date" else True
        if not window.study_time or self.overlooks in {"date", "time"}:
            return days
        return days and self._in(study.second, window.since or None, window.until if window.until < 86_399 else None)

    def _in(self, value: object, first: object, last: object) -> bool:
        if value is None:
            return self.timeless == "always" or (self.timeless == "open" and first is None)
        return (first is None or value >= first) and (last is None or value <= last)  # type: ignore[operator]


DAYS = st.one_of(st.integers(0, 40), st.integers(20, 22)).map(lambda n: date(2024, 1, 1) + timedelta(n))
SECONDS = st.one_of(st.integers(0, 86_399), st.integers(43_199, 43_202))
ROOTS = st.sampled_from([
    Window(), Window(date(2024, 1, 10)), Window(None, date(2024, 1, 25)), Window(date(2024, 1, 5), date(2024, 2, 5)),
    Window(date(2024, 1, 22), date(2024, 1, 22)),
])  # fmt: skip


def studies(days: st.SearchStrategy[date | None], seconds: st.SearchStrategy[int | None]) -> st.SearchStrategy[dict[str, Study]]:
    made = st.lists(st.builds(Study, days, seconds), max_size=120)
    return made.map(lambda rows: {f"1.2.{number}": row for number, row in enumerate(rows)})


def wanted(pacs: Limited, root: Window) -> set[str]:
    return {uid for uid, study in pacs.studies.items() if root.place(study)}


@settings(max_examples=300, deadline=None)
@given(studies(DAYS, SECONDS), st.integers(0, 30), st.booleans(), ROOTS, st.integers(0, 9))
def test_all_are_found_or_doubted_whatever_the_limit(
    made: dict[str, Study], above: int, says_so: bool, root: Window, seed: int
) -> None:
    pacs = Limited(made, 5 + above, says_so, seed=seed)
    windows = Windows(pacs, 5, TODAY)
    crowded = {(s.day, s.second) for s in made.values() if sum(o == s for o in made.values()) > pacs.limit}
    if says_so and crowded:  # no window is small enough for these
        with suppress(SafelightError):  # unless they are outside
            windows.all(root)
        return
    found = windows.all(root)
    assert windows.doubts or wanted(pacs, root) <= found.keys()
    if not any(sum(o == s for o in made.values()) >= 5 for s in made.values()):
        assert windows.doubts == 0
    assert len(pacs.queries) < 100 * (1 + len(made))


@settings(max_examples=300, deadline=None)
@given(
    studies(st.one_of(st.none(), DAYS), st.one_of(st.none(), SECONDS)), st.integers(0, 30), st.booleans(),
    st.sampled_from(["never", "open", "always"]), ROOTS, st.integers(0, 9),
)  # fmt: skip
@example({f"1.2.{n}": Study(date(2024, 1, n) if n else None, None) for n in range(6)}, 0, False, "never", Window(), 1)
def test_studies_without_date_or_time_are_found_doubted_or_told_of(
    made: dict[str, Study], above: int, says_so: bool, timeless: str, root: Window, seed: int
) -> None:
    pacs = Limited(made, 5 + above, says_so, timeless, seed=seed)
    windows = Windows(pacs, 5, TODAY)
    try:
        found = windows.all(root)
    except SafelightError:
        return
    shown_if_unlimited = {uid for uid, study in made.items() if pacs._fits(root, study)}
    # Answers whose number is by chance the limit: all that have a date, or on a day that is split all that have a time too.
    exactly = any(
        pacs.limit
        == sum(window.place(study) is True and (not window.is_day or study.second is not None) for study in made.values())
        for window in [root, *(w for w in pacs.queries if w.is_day and w.is_whole_day)]
    )
    assert shown_if_unlimited <= found.keys() or windows.doubts or windows.blind or exactly


@pytest.mark.parametrize("overlooked", ["date", "time"])
@settings(max_examples=100, deadline=None)
@given(made=studies(DAYS, SECONDS), above=st.integers(0, 30), root=ROOTS, seed=st.integers(0, 9))
def test_a_pacs_that_overlooks_a_key_is_doubted_and_does_not_keep_us_busy(
    overlooked: str, made: dict[str, Study], above: int, root: Window, seed: int
) -> None:
    pacs = Limited(made, 5 + above, overlooks=overlooked, seed=seed)
    windows = Windows(pacs, 5, TODAY)
    found = windows.all(root)
    assert windows.doubts or wanted(pacs, root) <= found.keys()
    assert len(pacs.queries) < 100 * (1 + len(made))


def test_an_unlimited_pacs_is_asked_three_times() -> None:
    made = {f"1.{n}": Study(date(2024, 1, 1) + timedelta(n % 300), n) for n in range(10_000)}
    pacs = Limited(made, 10**9)
    windows = Windows(pacs, 50, TODAY)
    assert windows.all(Window()).keys() == made.keys()
    assert (len(pacs.queries), windows.doubts, windows.blind) == (3, 0, 0)


def test_a_pacs_that_never_cuts_is_asked_once() -> None:
    pacs = Limited({f"1.{n}": Study(None, None) for n in range(10_000)}, 10**9)
    assert len(Windows(pacs, 0, TODAY).all(Window())) == 10_000
    assert len(pacs.queries) == 1


def test_the_answer_that_a_broken_argument_would_believe() -> None:
    """A cut answer and one half that is as large: without asking the other half, the cut would not be seen."""
    made = {f"1.{n}": Study(date(2024, 1, 1 + n // 100), 60 * (n % 100)) for n in range(300)}
    pacs = Limited(made, 100)
    windows = Windows(pacs, 50, TODAY)
    assert windows.all(Window(date(2024, 1, 1), date(2024, 1, 3))).keys() == made.keys()
    assert windows.doubts == 0


def test_a_single_second_with_too_many_studies_is_a_doubt() -> None:
    windows = Windows(Limited({f"1.{n}": Study(date(2024, 1, 1), 7) for n in range(200)}, 100), 50, TODAY)
    assert 100 <= len(windows.all(Window())) < 200
    assert windows.doubts > 0


def test_a_single_second_that_fails_is_an_error() -> None:
    pacs = Limited({f"1.{n}": Study(date(2024, 1, 1), 7) for n in range(200)}, 100, says_so=True)
    with pytest.raises(SafelightError, match="E-PULL-FIND-FAILED"):
        Windows(pacs, 50, TODAY).all(Window())


def test_a_pacs_that_fails_whatever_is_asked_is_given_up_soon() -> None:
    pacs = Limited({"1.2": Study(date(2024, 1, 1), 7)}, -1, says_so=True)
    with pytest.raises(SafelightError, match="E-PULL-FIND-FAILED"):
        Windows(pacs, 50, TODAY).all(Window())
    assert len(pacs.queries) < 200


def test_a_study_without_a_time_on_a_crowded_day_is_kept_and_no_doubt_where_the_pacs_gives_more() -> None:
    made = {f"1.{n}": Study(date(2024, 1, 1 + n // 80), n if n % 80 else None) for n in range(240)}
    pacs = Limited(made, 10**9)
    windows = Windows(pacs, 50, TODAY)
    day = Window(date(2024, 1, 2), date(2024, 1, 2))
    assert windows.all(day).keys() == wanted(pacs, day)
    assert windows.doubts == 0
    limited = Windows(Limited(made, 80), 50, TODAY)
    assert limited.all(day).keys() == wanted(pacs, day)
    assert limited.doubts == 1


@pytest.mark.parametrize(
    ("window", "day", "time"),
    [
        (Window(), "", ""),
        (Window(date(2024, 1, 1)), "20240101-", ""),
        (Window(None, date(2024, 1, 1)), "-20240101", ""),
        (Window(date(2024, 1, 1), date(2024, 1, 2)), "20240101-20240102", ""),
        (Window(date(2024, 1, 1), date(2024, 1, 1)), "20240101", ""),
        (Window(date(2024, 1, 1), date(2024, 1, 1), 0, 43_199), "20240101", "-115959.999999"),
        (Window(date(2024, 1, 1), date(2024, 1, 1), 43_200, 86_399), "20240101", "120000-"),
        (Window(date(2024, 1, 1), date(2024, 1, 1), 61, 3_661), "20240101", "000101-010101.999999"),
    ],
)
def test_keys_are_as_the_standard_has_them(window: Window, day: str, time: str) -> None:
    assert (window.study_date, window.study_time) == (day, time)
