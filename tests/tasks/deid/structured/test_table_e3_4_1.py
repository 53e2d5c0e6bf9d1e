"""Every row of PS3.15 Table E.3.4-1, under the basic profile and under each of its options. The oracle is the table's text."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from tasks.deid.structured.concepts import EDITION, OPTIONS, rows
from tasks.deid.structured.content import clean_content
from tests.tasks.deid.structured.making import PLANTED, Answers, code, item, tree

TEXT = files("configs").joinpath("standards", f"{EDITION}.csv").read_text("utf-8")
ROWS = list(csv.DictReader(TEXT.splitlines()))
CASES = [(row, option) for row in ROWS for option in ("", *(name for name in OPTIONS if row[name]))]
ORIGINALS = ("Zwiebelturm", "1964-02-29", "29.02.1964", "19640229", "113355", "1.3.6.1.4.1.99999.5.5", "GEHEIM", "77.25")
RELEASED = {"DATE": "19640101", "DATETIME": "1964", "TEXT": "CT CHEST"}


def test_the_table_is_read_whole() -> None:
    assert len(ROWS) == len(rows()) == 214
    assert {name for row in ROWS for name in row if row[name] in ("K", "C")} == set(OPTIONS)


@pytest.mark.parametrize(
    ("row", "option"), CASES, ids=[f"{row['code']}-{row['value_type']}-{option or 'basic'}" for row, option in CASES]
)
def test_a_planted_value_meets_its_rows_code(row: dict[str, str], option: str) -> None:
    kind = row["value_type"]
    inside = item("TEXT", code("121022"), TextValue="below Zwiebelturm")
    planted = item(kind, code(row["code"], row["scheme"]), inside, **PLANTED[kind])
    dataset = tree(item("CONTAINER", code("121070"), planted))
    before = str(dataset.ContentSequence[0].ContentSequence[0])
    audit = clean_content(dataset, options=frozenset({option} - {""}), transforms=Answers())
    section = dataset.ContentSequence[0]
    granted = row[option] if option else ""
    if not granted and row["basic"] == "X":
        assert "ContentSequence" not in section
        assert "Zwiebelturm" not in str(dataset)
        assert [n for (_, rule, action), n in audit.items() if (rule, action) == ("E.3.4-1", "remove")] == [1]
        return
    left = section.ContentSequence[0]
    assert "ContentSequence" not in left, "an accession number below is X, whatever stands above it"
    values = {element.keyword: element.value for element in left if element.keyword in PLANTED[kind]}
    assert values.keys() == PLANTED[kind].keys()
    (value,) = values.values()
    said = str(left)
    if granted == "K":
        kept = [original for original in ORIGINALS if original in before and original in str(value)]
        assert kept or kind in ("CODE", "CONTAINER"), said
        assert kind != "CODE" or value[0].CodeMeaning == "Unknown"
        return
    assert not [original for original in ORIGINALS if original in said], said
    assert value not in ("", None, [])
    if granted == "C":
        assert str(value) == RELEASED.get(kind, "000000")
    elif kind == "TEXT":
        assert value == "REMOVED"
    elif kind == "PNAME":
        assert value == ("SL-AAAAAAAAAAAA" if row["code"] == "121029" else "REMOVED")


def test_an_option_that_a_row_does_not_have_changes_nothing() -> None:
    for row in ROWS:
        foreign = frozenset(name for name in OPTIONS if not row[name])
        kind = row["value_type"]
        ends = []
        for options in (frozenset[str](), foreign):
            dataset = tree(item(kind, code(row["code"], row["scheme"]), **PLANTED[kind]))
            clean_content(dataset, options=options, transforms=Answers())
            ends.append(dataset)
        assert ends[0] == ends[1], row["code"]


def test_a_row_that_is_lost_from_the_table_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {key: row for key, row in rows().items() if key[1] != "121342"}
    dataset = tree(item("IMAGE", code("121342"), **PLANTED["IMAGE"]))
    monkeypatch.setattr("tasks.deid.structured.concepts.rows", lambda: fewer)
    clean_content(dataset, options=frozenset(), transforms=Answers())
    assert len(dataset.ContentSequence) == 1, "Dose Image is X"
