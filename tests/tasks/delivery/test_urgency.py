"""Which of the due studies is read first."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.delivery.urgency import BY_THE_HOUR_MINUTES, NEVER, Due, deadline, first_deadline, order, urgency
from tasks.inference.manifest import ServiceLevel, parse
from tests.tasks.delivery.made import finding, manifest

BERLIN = ZoneInfo("Europe/Berlin")
DUE = st.lists(
    st.builds(Due, st.text("0123456789", min_size=1, max_size=4), st.sampled_from("ab"), st.sampled_from([5.0, 15.0, NEVER]), st.floats(0, 1e9)),
    unique_by=lambda due: (due.study_key, due.model), max_size=20,
)  # fmt: skip


@given(DUE, st.randoms())
def test_the_order_is_strict_total_and_stable(due: list[Due], random: object) -> None:
    ordered = order(due)
    shuffled = list(due)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order(shuffled) == ordered
    for before, after in pairwise(ordered):
        assert (
            before.urgency <= after.urgency
        )  # no study of a less urgent class before one of a more urgent one, whatever their deadlines
        if before.urgency == after.urgency:
            assert before.deadline <= after.deadline


def test_the_most_urgent_finding_counts() -> None:
    both = parse(manifest("a", finding(level={"minutes": 60}), finding("embolism", level={"minutes": 15})), "a")
    assert urgency(both) == 15
    assert first_deadline(both, 1000.0, BERLIN) == 1000.0 + 15 * 60
    assert urgency(parse(manifest("a", finding(level={"by": "07:00"})), "a")) == BY_THE_HOUR_MINUTES
    assert urgency(parse(manifest("a", finding()), "a")) == NEVER
    assert first_deadline(parse(manifest("a", finding()), "a"), 0.0, BERLIN) == NEVER


@pytest.mark.parametrize(("complete", "late"), [
    ("2026-03-02 20:00", "2026-03-03 07:00"), ("2026-03-03 06:59", "2026-03-03 07:00"), ("2026-03-03 07:00", "2026-03-04 07:00"),
    ("2026-03-28 22:00", "2026-03-29 07:00"),  # the clocks go forward in that night
    ("2026-10-24 22:00", "2026-10-25 07:00"),  # and back in this one
])  # fmt: skip
def test_by_an_hour_is_the_next_such_hour_of_the_site(complete: str, late: str) -> None:
    level = ServiceLevel(by="07:00")
    moments = [datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() for text in (complete, late)]
    assert deadline(level, moments[0], BERLIN) == moments[1]


@given(st.floats(0, 4e9), st.sampled_from(["00:00", "02:30", "07:00", "23:59"]))
def test_an_hour_comes_within_a_day_and_a_change_of_clocks(complete: float, hour: str) -> None:
    wait = deadline(ServiceLevel(by=hour), complete, BERLIN) - complete
    assert 0 < wait <= 26 * 3600
