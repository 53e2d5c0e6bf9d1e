"""All faces say the same numbers in the same order, twice the same bytes, and survive awkward content."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from tasks.evaluation.results import Results
from tasks.report.blocks import Figure, Section, Table
from tasks.report.render import faces
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES, cells, document, page, rendered

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("case", CASES)
def test_the_html_has_every_cell_in_order(case: str) -> None:
    assert [[cell.text_content() for cell in row.iterchildren()] for row in page(case).iter("tr")] == cells(case)


@pytest.mark.parametrize("case", CASES)
def test_the_word_file_has_every_cell_in_order(case: str) -> None:
    opened = docx.Document(io.BytesIO(rendered(case)["report.docx"]))
    assert [[cell.text for cell in row.cells] for table in opened.tables for row in table.rows] == cells(case)


@pytest.mark.peer("pdftotext")
@pytest.mark.parametrize("case", CASES)
def test_the_pdf_has_every_number_of_every_table(case: str) -> None:
    done = subprocess.run(["pdftotext", "-", "-"], input=rendered(case)["report.pdf"], capture_output=True, check=True)
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
    text = " ".join(leaf.extract_text() for leaf in PdfReader(io.BytesIO(rendered(case)["report.pdf"])).pages)
    flat = re.sub(r"\s+", "", text)
    assert [caption for caption in captions if re.sub(r"\s+", "", caption) not in flat] == []


@pytest.mark.parametrize("case", CASES)
def test_the_same_results_give_the_same_bytes_within_ten_seconds(case: str) -> None:
    again = Results.model_validate_json(getattr(made, case)().model_dump_json())
    began = time.process_time()  # this process's own: how busy the machine is besides is not what is tested
    assert faces(again) == rendered(case)
    assert time.process_time() - began < 10


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
    assert done.stdout.split() == [hashlib.sha256(face).hexdigest() for face in rendered("realistic").values()]


def test_markup_in_the_data_stays_text() -> None:
    face = rendered("awkward")
    assert b"<script" not in face["report.html"]
    assert page("awkward").findtext(".//h1") == made.AWKWARD
    assert made.AWKWARD in {p.text for p in docx.Document(io.BytesIO(face["report.docx"])).paragraphs}
    information = PdfReader(io.BytesIO(face["report.pdf"])).metadata
    assert information is not None
    assert information.title == made.AWKWARD


def test_text_that_no_format_can_hold_becomes_plain() -> None:
    levels = {row[0] for row in cells("awkward")}
    plain = "Klinikum Köln · 横浜病院 right to left   tab ⚕ 😀"
    assert plain in levels
    assert plain in {element.text_content() for element in page("awkward").iter("th")}


def test_synthetic_data_are_called_so_on_every_page_of_every_face() -> None:
    face = rendered("realistic")
    (notice,) = page("realistic").find_class("notice")
    assert notice.text_content().startswith("SYNTHETIC DATA")
    assert all("SYNTHETIC DATA" in leaf.extract_text() for leaf in PdfReader(io.BytesIO(face["report.pdf"])).pages)
    word = docx.Document(io.BytesIO(face["report.docx"]))
    assert any("SYNTHETIC DATA" in p.text for p in word.paragraphs)
    assert all(section.header.paragraphs[0].text == "SYNTHETIC DATA" for section in word.sections)


def test_real_data_are_not_called_synthetic() -> None:
    face = rendered("bare")
    assert b"SYNTHETIC" not in face["report.html"]
    assert "SYNTHETIC" not in PdfReader(io.BytesIO(face["report.pdf"])).pages[0].extract_text()


def test_what_is_withheld_is_on_no_face() -> None:
    for row in cells("awkward"):
        if row[0] in {"Small hospital", "Other small hospital"}:
            assert set(row[1:]) == {"withheld", "–"}
    assert {cell for row in cells("nothing") if row[0] in {"F", "sex: F"} for cell in row[1:]} == {"withheld", "–"}


def test_sections_have_anchors_of_their_own() -> None:
    anchors = [section.anchor for section in document("realistic").sections]
    assert len(set(anchors)) == len(anchors)
    assert Section("indeterminate", "If every unread case were wrong", ()).anchor == "if-every-unread-case-were-wrong"


def test_captions_claim_no_more_than_is_drawn() -> None:
    captions = {case: [b.caption for s in document(case).sections for b in s.blocks if isinstance(b, Figure)] for case in CASES}
    assert captions["bare"] == ["Receiver operating characteristic of all cases"]
    assert captions["realistic"][2].startswith("Receiver operating characteristic by attribute")
    assert captions["nothing"] == ["From the archive to the analysis"]


def test_a_table_that_is_not_rectangular_is_refused() -> None:
    with pytest.raises(ValueError, match="not rectangular"):
        Table("A table", ("a", "b"), (("1",),), (False, True), (1, 1))
