"""What can be reckoned with, in CSV and workbook, is what results.json says, in full precision; and nothing in them is run."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from functools import reduce
from typing import Any

import openpyxl
import pytest

from tasks.report import csv as faces
from tasks.report import xlsx
from tasks.report.blocks import Document, Section, Table, numbered
from tasks.report.numbers import Number, numbers_in, text
from tests.tasks.report.made_faces import CASES, page, rendered, rows_of, tables, workbook

#: Form → what a number is worth, and its bounds, of the values that its places have. Written here once more, so that the report is not its only
#: judge. Of forms that are not here the report may give no value.
WORTH: dict[str, Callable[[list[Any]], list[Any]]] = {
    "sum": lambda values: [sum(values), None, None],
    "less": lambda values: [values[0] - values[1], None, None],
    "share": lambda values: [values[0] / sum(values[1:]) if sum(values[1:]) else None, None, None],
    "bounds": lambda values: values,
    "signed bounds": lambda values: values,
    "how many": lambda values: [len(values), None, None],
    **{
        form: lambda values: (
            [values[0][name] for name in ("estimate", "lower", "upper")]
            if isinstance(values[0], dict)
            else [values[0], None, None]
        )
        for form in ("estimate", "difference", "decimal", "signed", "general", "percent", "plain", "p", "minutes", "prevalence")
    },
}


def at(results: Any, pointer: str) -> Any:
    """What stands there (RFC 6901)."""
    return reduce(
        lambda value, step: value[int(step)] if isinstance(value, list) else value[step], pointer.split("/")[1:], results
    )


@pytest.mark.parametrize("case", CASES)
def test_every_number_of_the_index_is_worth_what_the_json_says(case: str) -> None:
    results = json.loads(rendered(case)["results.json"])
    rows = list(csv.DictReader(io.StringIO(rendered(case)["numbers.csv"].decode(), newline="")))
    assert len(rows) > 10
    for row in rows:
        values = [at(results, pointer) for pointer in row["Places in results.json"].split(" ")]
        found = [float(row[name]) if row[name] else None for name in ("Value", "Lower", "Upper")]
        wanted = WORTH.get(row["Form"], lambda _: [None] * 3)(values)
        assert found == [each if isinstance(each, (int, float)) else None for each in wanted], row


@pytest.mark.parametrize("case", CASES)
def test_every_number_says_about_what_it_is_worth(case: str) -> None:
    for row in csv.DictReader(io.StringIO(rendered(case)["numbers.csv"].decode(), newline="")):
        assert not (row["Value"] and row["Text"] == "–"), row
        if row["Value"] and not row["Text"].startswith("<"):
            written = row["Text"].replace("\u202f", "").replace("−", "-").partition(" ")[0]
            unit = 100 if written.endswith("%") else 1 / 60 if row["Text"].endswith(" h") else 1
            digits = written.rstrip("%").partition(".")[2]
            close = float(f"1e-{len(digits)}") * 0.50001 if row["Form"] != "general" else abs(float(written)) * 1e-3
            assert abs(float(row["Value"]) * unit - float(written.rstrip("%"))) <= close, row


@pytest.mark.parametrize("case", CASES)
def test_the_index_has_every_number_of_the_page_in_its_order(case: str) -> None:
    spans = [(span.text_content(), span.get("data-at")) for span in page(case).xpath("//main//span[@data-at]")]
    rows = rows_of(case, "numbers.csv")[1:]
    assert [(row[5], row[7]) for row in rows] == spans
    sheet = workbook(case)["Numbers"]
    assert [(row[5], row[7]) for row in sheet.iter_rows(min_row=5, values_only=True)] == spans


@pytest.mark.parametrize("case", CASES)
def test_beside_each_table_of_the_workbook_stand_its_values(case: str) -> None:
    for table in tables(case):
        sheet = workbook(case)[table.label]
        heads = [cell for cell in sheet[4] if cell.column > len(table.header) and cell.value]
        expected = []
        for column, name in enumerate(table.header):
            alone = [found[0] if len(found) == 1 else None for found in (list(numbers_in(row[column])) for row in table.rows)]
            for suffix, part in (("", "value"), (", lower", "lower"), (", upper", "upper")):
                values = [None if number is None else getattr(number, part) for number in alone]
                expected += [(f"{name}{suffix}", values)] if set(values) != {None} else []
        assert [head.value for head in heads] == [name for name, _ in expected]
        for head, (_, values) in zip(heads, expected, strict=True):
            written = [sheet.cell(4 + row, head.column).value for row in range(1, len(table.rows) + 1)]
            assert written == [
                None if value is None else pytest.approx(value, rel=2e-16) for value in values
            ]  # the format has sixteen digits


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "＝1+1", "a;=cmd|' /C calc'!A0", '=HYPERLINK("https://example.org")')


def _hostile() -> Document:
    negative = Number("+0.012 (−0.030 to +0.050)", "difference", ("/x",), 0.012, -0.03, 0.05)
    rows = (*((formula, formula) for formula in FORMULAS), ("mine", negative), ("both", text("=", negative)))
    table = Table("=Caption", ("=Head", "Value"), rows, (False, True), (1, 1))
    return Document("=Title", "=Subtitle", "", "", numbered((Section("s", "=Section", (table,)),)))


def test_no_word_of_a_csv_begins_a_formula_and_no_number_is_changed() -> None:
    made = faces.render(_hostile())
    assert set(made) == {"tables/01-caption.csv", "tables/contents.csv", "numbers.csv"}
    rows = list(csv.reader(io.StringIO(made["tables/01-caption.csv"].decode(), newline="")))
    assert rows[0] == ["'=Head", "Value"]
    assert [row[0] for row in rows[1:9]] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        " '=1+1",
        "'＝1+1",
        "a;'=cmd|' /C calc'!A0",
        f"'{FORMULAS[7]}",
    ]
    assert rows[9] == ["mine", "+0.012 (−0.030 to +0.050)"]
    assert rows[10] == ["both", "'=+0.012 (−0.030 to +0.050)"]
    for name in ("tables/contents.csv", "numbers.csv"):
        for row in csv.reader(io.StringIO(made[name].decode(), newline="")):
            assert [cell for cell in row if cell.startswith(("=", "@"))] == []


def test_nothing_in_a_workbook_is_a_formula_or_leads_outside() -> None:
    for content in (xlsx.render(_hostile()), rendered("awkward")["report.xlsx"]):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sheets = b"".join(archive.read(name) for name in archive.namelist() if name.startswith("xl/"))
            assert b"<f>" not in sheets
            assert b'Target="http' not in sheets
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_workbook_names_no_person_and_no_time() -> None:
    for case in CASES:
        properties = workbook(case).properties
        assert (properties.creator, properties.lastModifiedBy, properties.description) == (None, None, None)
        assert properties.created.year == properties.modified.year == 1980


def test_a_text_that_no_cell_can_hold_is_cut_in_its_middle() -> None:
    long = "a" * 40_000
    table = Table("Long", ("A", "B"), ((long, long),), (False, False), (1, 1))
    document = Document("T", "S", "", "", numbered((Section("s", "S", (table,)),)))
    cell = openpyxl.load_workbook(io.BytesIO(xlsx.render(document)))["Table 1"]["A5"].value
    assert len(cell) == 32_767
    assert "…" in cell
    assert long in faces.render(document)["tables/01-long.csv"].decode()
