"""All faces say the same numbers in the same order, twice the same bytes, and survive awkward content."""

from __future__ import annotations

import io
import re
import subprocess
from functools import cache
from html.parser import HTMLParser

import docx
import pytest
from pypdf import PdfReader

from tasks.report.document import Document, Table, make
from tasks.report.render import faces
from tests.tasks.report.made import AWKWARD, awkward, realistic

CASES = {"realistic": realistic, "awkward": awkward}


@cache
def made(case: str) -> tuple[Document, dict[str, bytes]]:
    results = CASES[case]()
    return make(results), faces(results)


def cells(document: Document) -> list[str]:
    """Every cell of every table, in order."""
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    return [cell for table in tables for row in (table.header, *table.rows) for cell in row]


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attributes) -> None:
        if tag in {"td", "th"}:
            self.found.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1] += data


@pytest.mark.parametrize("case", CASES)
def test_the_html_has_every_cell_in_order(case: str) -> None:
    document, face = made(case)
    parser = Cells()
    parser.feed(face["report.html"].decode())
    assert parser.found == cells(document)


@pytest.mark.parametrize("case", CASES)
def test_the_word_file_has_every_cell_in_order(case: str) -> None:
    document, face = made(case)
    opened = docx.Document(io.BytesIO(face["report.docx"]))
    assert [cell.text for table in opened.tables for row in table.rows for cell in row.cells] == cells(document)
    assert [paragraph.text for paragraph in opened.paragraphs if paragraph.style.name == "Heading 1"] == [
        s.title for s in document.sections
    ]


@pytest.mark.peer("pdftotext")
@pytest.mark.parametrize("case", CASES)
def test_the_pdf_has_every_number_of_every_table(case: str) -> None:
    document, face = made(case)
    done = subprocess.run(["pdftotext", "-", "-"], input=face["report.pdf"], capture_output=True, check=True)
    text = re.sub(r"[\s\u2060\u202f]+", "", done.stdout.decode())
    # an estimate and its interval may stand on two lines of a cell, with other cells' lines between them in the text
    numbers = [part.replace("\u202f", "") for cell in cells(document) if re.match(r"\d", cell) for part in cell.split(" ")]
    assert len(numbers) > 40
    assert [number for number in numbers if number not in text] == []


@pytest.mark.parametrize("case", CASES)
def test_the_same_results_give_the_same_bytes(case: str) -> None:
    assert faces(CASES[case]()) == made(case)[1]


def test_the_pdf_is_tagged_titled_and_has_bookmarks() -> None:
    document, face = made("realistic")
    reader = PdfReader(io.BytesIO(face["report.pdf"]))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == document.title
    assert [entry.title.split(maxsplit=1)[-1] for entry in reader.outline if not isinstance(entry, list)] == [
        s.title for s in document.sections
    ]
    assert b"pdfuaid:part" in face["report.pdf"] or "pdfuaid" in str(reader.xmp_metadata.rdf_root.toxml())


@pytest.mark.parametrize("case", CASES)
def test_the_html_loads_nothing_and_runs_nothing(case: str) -> None:
    page = made(case)[1]["report.html"].decode()
    assert not re.search(r"<script|<link|<iframe|\son\w+=|@import|url\(", page)
    assert set(re.findall(r'(?:src|href)="([^"#]{0,5})', page)) <= {"data:", ""}


def test_markup_in_the_data_stays_text() -> None:
    face = made("awkward")[1]
    assert "<script>alert" not in face["report.html"].decode()
    assert AWKWARD in {p.text for p in docx.Document(io.BytesIO(face["report.docx"])).paragraphs}
    assert PdfReader(io.BytesIO(face["report.pdf"])).metadata.title == AWKWARD


def test_synthetic_data_are_called_so_on_every_face() -> None:
    face = made("realistic")[1]
    assert "SYNTHETIC DATA" in face["report.html"].decode()
    assert "SYNTHETIC DATA" in PdfReader(io.BytesIO(face["report.pdf"])).pages[0].extract_text()
    assert any("SYNTHETIC DATA" in p.text for p in docx.Document(io.BytesIO(face["report.docx"])).paragraphs)


def test_every_figure_states_its_finding_for_those_who_do_not_see_it() -> None:
    page = made("realistic")[1]["report.html"].decode()
    alternatives = re.findall(r'alt="([^"]*)"', page)
    assert len(alternatives) == 3
    assert any("Wholly below the overall estimate" in text and "thick" in text for text in alternatives)
