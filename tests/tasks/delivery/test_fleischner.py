"""Each row of table 1 and each of its boundaries, held against a second transcription that shares nothing with the data file."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.delivery.fleischner import Nodule, Patient, advise, guideline, parse
from tasks.errors import ConfigurationError

ELIGIBLE = {"age_years": 60, "immunosuppressed": False, "known_cancer": False, "screening": False}

# Transcribed from MacMahon 2017, table 1, and not from the data file: months, and words that must be there.
NONE, OPTIONAL = ("No routine follow-up",), ("12 months", "optional")
SOLID = {
    ("single", "small", "low"): NONE,
    ("single", "small", "high"): OPTIONAL,
    ("single", "middle", "low"): ("6-12 months", "consider", "18-24 months"),
    ("single", "middle", "high"): ("6-12 months", "then CT at 18-24 months"),
    ("single", "large", "low"): ("onsider CT at 3 months", "PET/CT", "tissue sampling"),
    ("single", "large", "high"): ("onsider CT at 3 months", "PET/CT", "tissue sampling"),
    ("multiple", "small", "low"): NONE,
    ("multiple", "small", "high"): OPTIONAL,
    ("multiple", "middle", "low"): ("3-6 months", "consider", "18-24 months"),
    ("multiple", "middle", "high"): ("3-6 months", "then CT at 18-24 months"),
    ("multiple", "large", "low"): ("3-6 months", "consider", "18-24 months"),
    ("multiple", "large", "high"): ("3-6 months", "then CT at 18-24 months"),
}
SUBSOLID = {
    ("ground_glass", "single", "small"): NONE,
    ("ground_glass", "single", "large"): ("6-12 months", "every 2 years until 5 years"),
    ("part_solid", "single", "small"): NONE,
    ("part_solid", "single", "large"): ("3-6 months", "every year for 5 years", "below 6 mm"),
    ("ground_glass", "multiple", "small"): ("3-6 months", "2 and 4 years"),
    ("part_solid", "multiple", "small"): ("3-6 months", "2 and 4 years"),
    ("ground_glass", "multiple", "large"): ("3-6 months", "most suspicious"),
    ("part_solid", "multiple", "large"): ("3-6 months", "most suspicious"),
}
# Mean diameters (long and short axis) and volumes at every boundary, from both sides.
SOLID_SIZES: dict[str, list[dict[str, float]]] = {
    "small": [{"mm": 1.0}, {"mm": 5.0}, {"mm": 5.49}, {"mm3": 1.0}, {"mm3": 99.9}],
    "middle": [{"mm": 5.5}, {"mm": 6.0}, {"mm": 8.0}, {"mm": 8.49}, {"mm3": 100.0}, {"mm3": 250.0}],
    "large": [{"mm": 8.5}, {"mm": 9.0}, {"mm": 29.0}, {"mm3": 250.1}, {"mm3": 9000.0}],
}
SUBSOLID_SIZES = {"small": SOLID_SIZES["small"], "large": SOLID_SIZES["middle"] + SOLID_SIZES["large"]}


def nodule(kind: Any, size: dict[str, float]) -> Nodule:
    """A nodule of a mean diameter, with axes 1 mm apart, or of a volume."""
    if "mm" in size:
        return Nodule(kind, long_mm=round(size["mm"] + 0.5, 3), short_mm=round(size["mm"] - 0.5, 3) or 0.001)
    return Nodule(kind, volume_mm3=size["mm3"])


def several(kind: Any, number: str, size: dict[str, float]) -> list[Nodule]:
    """One nodule, or that and a smaller one."""
    smaller = {name: value * 0.5 if name == "mm3" else max(1.0, value * 0.5) for name, value in size.items()}
    return [nodule(kind, size)] if number == "single" else [nodule(kind, smaller), nodule(kind, size)]


@pytest.mark.parametrize(("row", "words"), SOLID.items(), ids=lambda value: "-".join(value) if isinstance(value, tuple) else "")
def test_solid_nodules(row: tuple[str, str, Any], words: tuple[str, ...]) -> None:
    number, band, risk = row
    for size in SOLID_SIZES[band]:
        advice = advise(several("solid", number, size), Patient(**ELIGIBLE, risk=risk))
        assert advice.recommendation is not None, (size, advice)
        assert all(word in advice.recommendation for word in words), (size, advice)
        assert ("consider" in advice.recommendation.lower()) == any("onsider" in word for word in words)


@pytest.mark.parametrize(
    ("row", "words"), SUBSOLID.items(), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
@pytest.mark.parametrize("risk", ["low", "high", None])
def test_subsolid_nodules_whatever_the_risk(row: tuple[Any, str, str], words: tuple[str, ...], risk: Any) -> None:
    kind, number, band = row
    for size in SUBSOLID_SIZES[band]:
        advice = advise(several(kind, number, size), Patient(**ELIGIBLE, risk=risk))
        assert advice.recommendation is not None, (size, advice)
        assert all(word in advice.recommendation for word in words), (size, advice)


def test_every_row_is_reached_by_these_tests_and_no_size_is_of_two_rows() -> None:
    reached = set()
    for kind, number, risk in itertools.product(("solid", "ground_glass", "part_solid"), ("single", "multiple"), ("low", "high")):
        for size in itertools.chain(*SOLID_SIZES.values()):
            advice = advise(several(kind, number, size), Patient(**ELIGIBLE, risk=risk))  # type: ignore[arg-type]
            assert advice.row is not None
            reached.add(advice.row)
    assert reached == {row.id for row in guideline().rows}


@given(
    st.decimals(min_value="0.1", max_value="60", places=3),
    st.decimals(min_value="0.1", max_value="60", places=3),
    st.sampled_from(["low", "high"]),
)
def test_any_measured_nodule_has_exactly_one_row(first: Any, second: Any, risk: Any) -> None:
    long, short = max(first, second), min(first, second)
    advice = advise([Nodule("solid", float(long), float(short))], Patient(**ELIGIBLE, risk=risk))
    rounded = int((long + short) / 2 + type(long)("0.5"))
    band = "small" if rounded < 6 else "middle" if rounded <= 8 else "large"
    assert advice.recommendation is not None
    assert all(word in advice.recommendation for word in SOLID["single", band, risk])


@pytest.mark.parametrize(("name", "value", "words"), [
    ("age_years", None, "age_years is not known"), ("age_years", 34, "younger than 35"), ("age_years", float("nan"), "not known"),
    ("immunosuppressed", None, "not known"), ("immunosuppressed", True, "immune"), ("known_cancer", None, "not known"),
    ("known_cancer", True, "cancer"), ("screening", None, "not known"), ("screening", True, "Lung-RADS"), ("risk", None, "risk"),
])  # fmt: skip
def test_what_is_missing_or_outside_of_the_guideline_gives_no_recommendation(name: str, value: Any, words: str) -> None:
    known: dict[str, Any] = ELIGIBLE | {"risk": "low"} | {name: value}
    advice = advise([Nodule("solid", 7, 7)], Patient(**known))
    assert advice.recommendation is None
    assert len(advice.why_not) == 1
    assert words in advice.why_not[0]


def test_patients_of_35_years_are_within() -> None:
    assert advise([Nodule("solid", 7, 7)], Patient(**ELIGIBLE | {"age_years": 35}, risk="low")).recommendation  # type: ignore[arg-type]


@pytest.mark.parametrize(("nodules", "words"), [
    ([], "no nodule"), ([Nodule(None, 7, 7)], "ground-glass is not known"), ([Nodule("solid", 7)], "neither both axes"),
    ([Nodule("solid", -1, -2)], "positive"), ([Nodule("solid", float("nan"), 5)], "positive"), ([Nodule("solid", 5, 7)], "short axis"),
    ([Nodule("solid", 8, 8, 260)], "different size bands"), ([Nodule("solid", 7, 7), Nodule("ground_glass", 7, 7)], "most suspicious"),
    ([Nodule("solid", 7, 7), Nodule("solid", volume_mm3=90)], "different ways"),
])  # fmt: skip
def test_nodules_that_are_not_enough(nodules: list[Nodule], words: str) -> None:
    advice = advise(nodules, Patient(**ELIGIBLE, risk="low"))  # type: ignore[arg-type]
    assert (advice.recommendation, advice.row) == (None, None)
    assert any(words in why for why in advice.why_not), advice


def test_diameter_and_volume_of_one_band_agree() -> None:
    assert advise([Nodule("solid", 7, 7, 180)], Patient(**ELIGIBLE, risk="low")).row == "solid-single-from_6_to_8-low"  # type: ignore[arg-type]


def test_a_table_that_is_not_whole_is_refused() -> None:
    content = guideline().model_dump(mode="json")
    assert parse(yaml.safe_dump(content)) == guideline()
    content["rows"] = [row for row in content["rows"] if row["band"] != "above_8"]
    with pytest.raises(ConfigurationError, match="E-DELIVER-GUIDELINE"):
        parse(yaml.safe_dump(content))


def test_the_file_names_its_source_and_whom_it_is_not_for() -> None:
    table = guideline()
    assert "Radiology 2017;284(1):228-243" in table.citation
    assert {entry.input for entry in table.not_for} == {"age_years", "immunosuppressed", "known_cancer", "screening"}
    assert table.guideline == "fleischner_2017"
