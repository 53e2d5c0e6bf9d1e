"""A place in a worklist: monotone in the score, total, stable."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.delivery.priority import band_of, beside_operating_point, is_calibrated, priority, require
from tasks.delivery.worklist import Entry, in_order
from tasks.errors import ConfigurationError
from tasks.inference.manifest import Finding, parse
from tasks.ledger import Study
from tests.tasks.delivery.made import BANDS, finding, manifest

UNIT = st.floats(0, 1)
CALIBRATED, BARE = (Finding.model_validate(finding(bands=bands)) for bands in (BANDS, ()))


@given(UNIT, UNIT, UNIT)
def test_a_higher_score_never_has_a_lower_priority(threshold: float, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert beside_operating_point(low, threshold) <= beside_operating_point(high, threshold)
    assert 0 <= beside_operating_point(first, threshold) <= 1
    assert (beside_operating_point(first, threshold) >= 0.5) == (first >= threshold)
    places = [priority({"nodule": CALIBRATED}, {"nodule": score}, calibrated=True) for score in (low, high)]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0].value <= places[1].value


@pytest.mark.parametrize(
    ("score", "name"), [(0.0, "low"), (0.2999, "low"), (0.3, "middle"), (0.79, "middle"), (0.8, "high"), (1.0, "high")]
)
def test_the_band_of_a_score(score: float, name: str) -> None:
    band = band_of(CALIBRATED, score)
    assert band is not None
    assert band.name == name
    assert band_of(BARE, score) is None


def test_the_most_urgent_finding_gives_the_place_and_no_score_gives_none() -> None:
    findings = {"nodule": CALIBRATED, "embolism": CALIBRATED}
    found = priority(findings, {"nodule": 0.1, "embolism": 0.9}, calibrated=True)
    assert found is not None
    assert (found.value, found.band and found.band.name) == (0.75, "high")
    assert priority(findings, {}, calibrated=True) is None


def test_one_finding_without_bands_makes_the_list_compare_with_operating_points() -> None:
    both = [parse(manifest("a", finding(bands=BANDS)), "a"), parse(manifest("b", finding()), "b")]
    assert is_calibrated(both[:1])
    assert not is_calibrated(both)
    place = priority({"nodule": CALIBRATED}, {"nodule": 0.5}, calibrated=False)
    assert place is not None
    assert place.value == 0.5  # at its operating point; the middle of its band would be 0.3


@pytest.mark.parametrize(
    "probabilities",
    [
        [(0.0, 0.1), (0.5, 0.9), (0.2, 0.95)],
        [(0.0, 0.2), (0.1, 0.15), (0.5, 0.9)],
        [(0.1, 0.0), (0.2, 0.3), (0.3, 0.4)],
        [(0, 0.1), (0.2, 0.3), (0.3, 1.4)],
    ],
)
def test_bands_that_would_turn_the_order_round_are_refused(probabilities: list[tuple[float, float]]) -> None:
    wrong = [band | {"probability": list(given)} for band, given in zip(BANDS, probabilities, strict=True)]
    with pytest.raises(ConfigurationError, match="E-DELIVER-BANDS"):
        require(parse(manifest("a", finding(bands=wrong)), "a"))
    require(parse(manifest("a", finding(bands=BANDS)), "a"))


ENTRIES = st.lists(
    st.builds(
        lambda key, score, at: Entry(
            Study(f"2.25.{key}", "SL-A", "", "", "", "", "", {}, ""), "read",
            None if score is None else priority({"nodule": CALIBRATED}, {"nodule": score}, calibrated=True), "", at,
        ),
        st.integers(0, 10**6), st.none() | UNIT, st.none() | st.floats(0, 1e9),
    ),
    unique_by=lambda entry: entry.study.study_key, max_size=12,
)  # fmt: skip


@given(ENTRIES, st.randoms(), st.sampled_from(["last", "first"]))
def test_the_order_is_total_stable_and_strict(entries: list[Entry], random: object, unread: str) -> None:
    ordered = in_order(entries, unread=unread)  # type: ignore[arg-type]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert in_order(shuffled, unread=unread) == ordered  # type: ignore[arg-type]
    assert sorted(each.study.study_key for each in ordered) == sorted(each.study.study_key for each in entries)
    for before, after in pairwise(ordered):
        if before.priority is None or after.priority is None:
            misplaced = after if unread == "last" else before
            assert misplaced.priority is None
        else:
            assert before.priority.value >= after.priority.value
        if (before.priority and before.priority.value) == (after.priority and after.priority.value):
            waited = [float("inf") if each.complete_at is None else each.complete_at for each in (before, after)]
            assert waited[0] <= waited[1]
            assert waited[0] < waited[1] or before.study.study_key < after.study.study_key
