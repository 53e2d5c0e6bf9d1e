"""The card counts what the tables hold, says who is missing, and hides small cells so that they can't be worked out."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from itertools import product

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.deid.certificate.facts import Certificate
from tasks.lake import Lake
from tasks.release.about import About
from tasks.release.counting import ALL, Cell, Counted, hidden
from tasks.release.frozen import read
from tasks.release.people import thickness_band
from tests.tasks.release.conftest import SHARES, frozen
from tests.tasks.release.made import people


def cards(lake: Lake, version: str = "1.0.0") -> str:
    return lake.read(f"releases/chest/{version}/card.md").decode()


def table(card: str, title: str) -> dict[str, list[str]]:
    rows = re.search(rf"^### {title}\n\n(.+?)(?:\n\n|\Z)", card, re.MULTILINE | re.DOTALL)[1].splitlines()[2:]  # type: ignore[index]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {first: others for first, *others in cells}


def test_counts_are_those_of_pandas_over_the_releases_own_tables(lake: Lake) -> None:
    frozen(lake)
    made = read(lake, "chest", "1.0.0")
    volumes = pd.DataFrame(made.volumes).merge(
        pd.DataFrame(made.studies)[["StudyInstanceUID", "sex", "age_band", "race"]], on="StudyInstanceUID"
    )
    volumes["race"] = volumes["race"].fillna("unknown")
    for title, column in (("Sex", "sex"), ("Age in years", "age_band"), ("Race", "race"), ("Manufacturer", "Manufacturer")):
        shown = table(cards(lake), title)
        for level, place in product(sorted(volumes[column].unique()), (ALL, *SHARES)):
            part = volumes[(volumes[column] == level) & ((volumes["split"] == place) | (place == ALL))]
            said = f"{part['PatientID'].nunique()} / {part['StudyInstanceUID'].nunique()} / {len(part)}"
            assert shown[level][[ALL, *SHARES].index(place)] == (said if len(part) else "0")


def test_reference_labels_are_counted_for_every_finding(lake: Lake) -> None:
    frozen(lake)
    labels = pd.DataFrame(read(lake, "chest", "1.0.0").labels)
    shown = table(cards(lake), "Finding nodule")
    assert [shown[level][0].split(" / ")[1] for level in ("0", "1")] == [str((labels["label"] == n).sum()) for n in (0, 1)]
    assert shown["unknown"][0].startswith("5 / 5 /")


def test_who_is_missing_is_named(lake: Lake) -> None:
    frozen(lake, minimum_group=5)
    missing = cards(lake).partition("## Who is missing")[2]
    assert "- Race: not known for a volume or more of 11 of 20 patients." in missing
    assert "Black or African American (0)" in missing
    assert "- Age in years: fewer than 5 patients are 0-17 (0), 65-89 (0), 90+ (0)." in missing
    assert re.search(r"E-RELEASE-QUARANTINED \| .* \| 1 \| 1 \| 1 \|", missing)
    assert re.search(r"E-RELEASE-SHEARED \| .* \| 1 \| 1 \| 0 \|", missing)


def test_the_front_matter_is_yaml_and_what_nobody_said_is_marked(lake: Lake) -> None:
    frozen(lake)
    frozen(lake, version="2.0.0", about=About(licence="CC-BY-4.0", intended_use="Teaching | only", title="Chests"))
    blank, told = (yaml.safe_load(cards(lake, version).split("---")[1]) for version in ("1.0.0", "2.0.0"))
    assert (blank["license"], blank["size_categories"], blank["tags"]) == ("other", ["n<1K"], ["CT", "medical", "safelight"])
    assert (told["license"], told["pretty_name"]) == ("cc-by-4.0", "Chests")
    assert "## Intended use\n\n**Not stated**" in cards(lake)
    assert "## Intended use\n\nTeaching \\| only" in cards(lake, "2.0.0")
    assert "no certificate" in cards(lake)


def test_small_cells_are_hidden_where_asked_for(lake: Lake) -> None:
    people(lake, 1, 2, race="Asian")
    frozen(lake, small_cells=5)
    shown = table(cards(lake), "Race")
    assert shown["Asian"][0] == "<5"
    assert shown["unknown"][0] == "*"
    assert "of * of 20 patients" in cards(lake)
    assert "Asian (<5)" in cards(lake)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=5), st.integers(0, 6))
def test_no_line_of_a_table_has_one_hidden_cell_that_the_others_give_away(numbers: list[list[int]], minimum: int) -> None:
    columns = (ALL, "a", "b", "c")
    cells = {}
    for place, row in enumerate(numbers):
        split = [{f"{place}-{column}-{n}" for n in range(count)} for column, count in enumerate(row)]
        cells[f"level {place}"] = dict(zip(columns, (Cell(each) for each in (set().union(*split), *split)), strict=True))
    counted = Counted("x", columns, cells)
    away = hidden(counted, minimum)
    assert all((level, column) in away for level in cells for column in columns if 0 < counted.patients(level, column) < minimum)
    lines = [[(level, column) for column in columns] for level in cells] + [
        [(level, column) for level in cells] for column in columns
    ]
    for line in lines:
        inside = [place for place in line if place in away]
        assert len(inside) != 1 or all(not counted.patients(*place) for place in line if place not in away)
    assert minimum > 1 or not away


@pytest.mark.parametrize(
    ("mm", "band"), [(0.5, "up to 1 mm"), (1.0, "up to 1 mm"), (1.25, "1 to 1.5 mm"), (2.5, "1.5 to 2.5 mm"), (5.1, "over 5 mm")]
)
def test_bands_of_thickness_hold_their_upper_edge(mm: float, band: str) -> None:
    assert thickness_band(mm) == band


def test_the_certificate_of_the_lake_is_quoted(lake: Lake) -> None:
    said = {
        "profile": "safe_harbor", "edition": "2026d", "version": "0.1.0", "methods": [["113100", "Basic Profile"]], "release": "ab" * 32,
        "released_at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert set(said) <= {field.name for field in fields(Certificate)}
    with lake.publication("certificate", "release", "f") as publication:
        publication.write("reports/certificate.json", json.dumps(said).encode())
        publication.commit()
    frozen(lake)
    told = cards(lake).partition("## De-identification")[2].partition("## ")[0]
    assert "Profile safe\\_harbor, PS3.15 Table E.1-1 of edition 2026d" in told
    assert "Basic Profile (113100)" in told
    assert "abababababab" in told
