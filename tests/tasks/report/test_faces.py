"""All faces say the same numbers in the same order, twice the same bytes, and survive awkward content."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from tasks.evaluation.results import Results
from tasks.report.blocks import Figure, Section, Table
from tasks.report.csv import safe
from tasks.report.model_card import model_card
from tasks.report.render import faces
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES, cells, document, page, pdf_text, rendered, rows_of, tables
from tests.tasks.report.made_faces import workbook as workbook_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("case", CASES)
def test_the_html_has_every_cell_in_order(case: str) -> None:
    assert [[cell.text_content() for cell in row.iterchildren()] for row in page(case).iter("tr")] == cells(case)


@pytest.mark.parametrize("case", CASES)
def test_the_word_file_has_every_cell_in_order(case: str) -> None:
    opened = docx.Document(io.BytesIO(rendered(case)["report.docx"]))
    assert [[cell.text for cell in row.cells] for table in opened.tables for row in table.rows] == cells(case)


@pytest.mark.parametrize("case", CASES)
def test_the_workbook_has_every_cell_in_order(case: str) -> None:
    found = []
    for table in tables(case):
        sheet = workbook_of(case)[table.label]
        box = sheet.iter_rows(min_row=4, max_row=4 + len(table.rows), max_col=len(table.header), values_only=True)
        found += [[cell or "" for cell in row] for row in box]
    assert found == cells(case)


@pytest.mark.parametrize("case", CASES)
def test_the_csv_files_have_every_cell_in_order(case: str) -> None:
    marked = bool(document(case).mark)
    listed = rows_of(case, "tables/contents.csv")[1:]
    assert [row[1] for row in listed] == [table.label for table in tables(case)]
    found = [row[:-1] if marked else row for name, *_ in listed for row in rows_of(case, f"tables/{name}")]
    assert found == [[safe(cell) for cell in row] for table in tables(case) for row in (table.header, *table.rows)]
    assert {name for name in rendered(case) if name.startswith("tables/")} == {
        f"tables/{name}" for name in ("contents.csv", *(row[0] for row in listed))
    }


@pytest.mark.peer("pdftotext")
@pytest.mark.parametrize("case", CASES)
def test_the_pdfs_have_every_number_of_every_table_and_the_same_text(case: str) -> None:
    done, archival = (
        subprocess.run(["pdftotext", "-", "-"], input=rendered(case)[face], capture_output=True, check=True)
        for face in ("report.pdf", "report-archive.pdf")
    )
    assert done.stdout == archival.stdout
    text = Counter(done.stdout.decode().replace("\u2060", "").split())  # a thin space parts words, here and in the cells
    said = Counter(part for row in cells(case) for cell in row if re.match(r"\d", cell) for part in cell.split())
    assert said - text == Counter()
    assert said.total() > 10


@pytest.mark.parametrize("case", ["realistic", "awkward"])
def test_the_subgroup_tables_say_what_the_json_says(case: str) -> None:
    # Written here once more from the JSON alone, so that the report's own formatting is not its only judge.
    results = json.loads(getattr(made, case)().model_dump_json())
    expected = []
    for row in results["performance"]:
        if row["attribute"]:
            table = row["counts"]
            shown = [row["patients"], row["studies"], table["tp"], table["fn"], table["tn"], table["fp"]]
            written = [format(n, ",").replace(",", "\u202f") for n in shown]
            for name in ("auc", "sensitivity", "specificity", "ppv", "npv"):
                value = row[name]
                number = "{estimate:.3f} ({lower:.3f}–{upper:.3f})".format(**value) if value["status"] == "estimated" else None
                written.append(number or f"not estimable: {value['reason']}")
            expected.append(["withheld"] * 2 + ["–"] * 4 + ["withheld"] * 5 if row["suppressed"] else written)
    section = page(case).get_element_by_id("subgroup-tables").getparent()
    assert [
        [cell.text_content() for cell in row.iter("td")] for row in section.iter("tr") if row.find("td") is not None
    ] == expected


@pytest.mark.parametrize("case", CASES)
def test_captions_and_headings_are_the_same_in_all_faces(case: str) -> None:
    blocks = [block for section in document(case).sections for block in section.blocks if isinstance(block, (Table, Figure))]
    captions = [f"{block.label} {block.caption}." for block in blocks]
    headings = [section.title for section in document(case).sections]
    web = page(case)
    assert [" ".join(part.strip() for part in found.itertext()) for found in web.iter("figcaption")] == captions
    assert [re.sub(r"^\d+|#$", "", found.text_content()) for found in web.iter("h2")] == headings
    word = docx.Document(io.BytesIO(rendered(case)["report.docx"]))
    styled = {style: [p for p in word.paragraphs if p.style.name == style] for style in ("Caption", "Heading 1")}
    assert ["".join(text.text for text in p._p.iter(qn("w:t"))) for p in styled["Caption"]] == captions
    assert [p.text for p in styled["Heading 1"]] == headings
    flat = re.sub(r"\s+", "", pdf_text(case, "report.pdf"))
    assert [caption for caption in captions if re.sub(r"\s+", "", caption) not in flat] == []
    counted = [f"{table.label} {table.caption}." for table in tables(case)]
    book = workbook_of(case)
    assert [book[table.label]["A1"].value for table in tables(case)] == counted
    assert [f"{row[0].value} {row[1].value}" for row in book["Contents"].iter_rows(min_row=5)][:-1] == counted
    assert [f"{row[1]} {row[2]}." for row in rows_of(case, "tables/contents.csv")[1:]] == counted


@pytest.mark.parametrize("case", ["full", "measured", "awkward"])
def test_the_same_results_give_the_same_bytes(case: str) -> None:
    again = Results.model_validate_json(getattr(made, case)().model_dump_json())
    found = faces(again)
    assert found.pop("model-card.xml") == model_card(again)
    assert found == rendered(case)


def test_another_process_time_zone_and_locale_give_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "results.json"
    source.write_text(made.realistic().model_dump_json(), "utf-8")
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\n", "utf-8")
    program = (
        "import hashlib, sys; from pathlib import Path; from tasks.evaluation.results import read; from tasks.report.render import faces\n"
        "print(*(hashlib.sha256(face).hexdigest() for face in faces(read(Path(sys.argv[1]))).values()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo", "LC_ALL": "C", "MATPLOTLIBRC": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(source)], env=environment, cwd=ROOT, capture_output=True, check=True, text=True
    )
    expected = [*rendered("realistic").values(), model_card(made.realistic())]
    assert done.stdout.split() == [hashlib.sha256(face).hexdigest() for face in expected]


def test_markup_in_the_data_stays_text() -> None:
    face = rendered("awkward")
    assert face["report.html"].count(b"<script") == 1  # the page's own
    assert page("awkward").findtext(".//h1") == made.AWKWARD
    assert made.AWKWARD in {p.text for p in docx.Document(io.BytesIO(face["report.docx"])).paragraphs}
    for name in ("report.pdf", "report-archive.pdf"):
        information = PdfReader(io.BytesIO(face[name])).metadata
        assert information is not None
        assert information.title == made.AWKWARD
    assert workbook_of("awkward")["Contents"]["A1"].value == made.AWKWARD


def test_text_that_no_format_can_hold_becomes_plain() -> None:
    levels = {row[0] for row in cells("awkward")}
    plain = "Klinikum Köln · 横浜病院 right to left   tab ⚕ 😀"
    assert plain in levels
    assert plain in {element.text_content() for element in page("awkward").iter("th")}


def test_synthetic_data_are_called_so_on_every_page_of_every_face() -> None:
    face = rendered("realistic")
    (notice,) = page("realistic").find_class("notice")
    assert notice.text_content().startswith("SYNTHETIC DATA")
    for name in ("report.pdf", "report-archive.pdf"):
        assert all("SYNTHETIC DATA" in leaf.extract_text() for leaf in PdfReader(io.BytesIO(face[name])).pages)
    book = workbook_of("realistic")
    assert all(any("SYNTHETIC DATA" in str(row[0]) for row in sheet.iter_rows(max_row=3, values_only=True)) for sheet in book)
    assert all("SYNTHETIC DATA" in sheet.oddHeader.right.text for sheet in book)
    for name in (name for name in face if name.endswith(".csv")):
        assert {row[-1] for row in rows_of("realistic", name)[1:]} == {"SYNTHETIC DATA"}, name
    word = docx.Document(io.BytesIO(face["report.docx"]))
    assert any("SYNTHETIC DATA" in p.text for p in word.paragraphs)
    assert all(section.header.paragraphs[0].text == "SYNTHETIC DATA" for section in word.sections)


def test_real_data_are_not_called_synthetic() -> None:
    face = rendered("bare")
    assert b"SYNTHETIC" not in face["report.html"]
    assert "SYNTHETIC" not in PdfReader(io.BytesIO(face["report.pdf"])).pages[0].extract_text()
    assert [name for name in face if name.endswith(".csv") and b"SYNTHETIC" in face[name]] == []
    assert not any("SYNTHETIC" in str(cell) for sheet in workbook_of("bare") for row in sheet.values for cell in row)


def test_what_is_withheld_is_on_no_face() -> None:
    small = {"Small hospital", "Other small hospital"}
    for row in cells("awkward"):
        if row[0] in small:
            assert set(row[1:]) == {"withheld", "–"}
    assert [row for row in rows_of("awkward", "numbers.csv") if small & set(row)] == []
    for sheet in workbook_of("awkward"):
        for row in sheet.iter_rows(values_only=True):
            if row[0] in small:
                assert set(row[1:]) <= {"withheld", "–", None}
    assert [
        row.values() for row in page("awkward").iter("tr") if row[0].text_content() in small and row.xpath(".//@data-value")
    ] == []
    assert {cell for row in cells("nothing") if row[0] in {"F", "sex: F"} for cell in row[1:]} == {"withheld", "–"}


def test_sections_have_anchors_of_their_own() -> None:
    anchors = [section.anchor for section in document("realistic").sections]
    assert len(set(anchors)) == len(anchors)
    assert Section("indeterminate", "If every unread case were wrong", ()).anchor == "if-every-unread-case-were-wrong"


def test_captions_claim_no_more_than_is_drawn() -> None:
    captions = {
        case: [b.caption for s in document(case).sections for b in s.blocks if isinstance(b, Figure)]
        for case in (*CASES, "realistic")
    }
    assert captions["bare"] == ["Receiver operating characteristic of all cases"]
    assert captions["realistic"][2].startswith("Receiver operating characteristic by attribute")
    assert captions["nothing"] == ["From the archive to the analysis"]


def test_a_table_that_is_not_rectangular_is_refused() -> None:
    with pytest.raises(ValueError, match="not rectangular"):
        Table("A table", ("a", "b"), (("1",),), (False, True), (1, 1))
