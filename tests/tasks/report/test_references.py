"""A text names a table, a figure or a section by what it is called; the report puts the number in, and every face a link."""

from __future__ import annotations

import io

import pytest
from lxml import html as parser
from pypdf import PdfReader

from tasks.report import csv, html, pdf
from tasks.report.blocks import Document, Figure, Items, Paragraph, Section, Table, numbered
from tasks.report.document import SECTIONS
from tasks.report.numbers import Reference, text
from tests.tasks.report.made_faces import CASES, document

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
DRAWN = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
SENTENCE = "As Table 1 shows (see section 2)."


def referring() -> Document:
    """Forward, backward, from a cell, and to what is not there."""
    first = Section("first", "First", (
        Paragraph(text("As ", Reference("counts"), " shows", Reference("second", " (see ", ")"), ".")),
        Items((text("Nothing", Reference("unknown", ", as in ", " and so on"), "."),)),
    ))  # fmt: skip
    table = Table(
        "Counts", ("What", "Where"), (("a", text("see ", Reference("picture"))),), (False, False), (1, 1), name="counts"
    )
    second = Section("second", "Second", (table, Figure("A square", "A black square.", DRAWN, PIXEL, name="picture")))
    return Document("Title", "Subtitle", "", "", numbered((first, second)))


def test_numbers_are_put_in_and_what_is_not_there_is_not_mentioned() -> None:
    first, second = referring().sections
    sentence, items = first.blocks
    assert isinstance(sentence, Paragraph)
    assert str(sentence.text) == SENTENCE
    assert isinstance(items, Items)
    assert str(items.items[0]) == "Nothing."
    assert isinstance(second.blocks[0], Table)
    assert str(second.blocks[0].rows[0][1]) == "see Figure 1"


def test_html_links_lead_there() -> None:
    page = parser.document_fromstring(html.render(referring()).decode())
    links = {link.text_content(): link.get("href") for link in page.xpath("//main//p//a | //main//td//a")}
    assert links == {"Table 1": "#table-1", "section 2": "#second", "Figure 1": "#figure-1"}
    for target in links.values():
        page.get_element_by_id(target.removeprefix("#"))
    assert SENTENCE in [paragraph.text_content() for paragraph in page.iter("p")]


def test_pdf_links_lead_there_and_are_described() -> None:
    opened = PdfReader(io.BytesIO(pdf.render(referring())))
    text_ = " ".join(opened.pages[0].extract_text().split())
    assert SENTENCE in text_
    links = [found.get_object() for found in opened.pages[0].get("/Annots", [])]
    assert len(links) == 2 + 3  # the contents, and these
    assert all(link["/Subtype"] == "/Link" and link.get("/Contents") for link in links)


def test_csv_says_the_text() -> None:
    assert csv.render(referring())["tables/01-counts.csv"] == b"What,Where\na,see Figure 1\n"


def test_a_reference_without_its_number_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no number yet"):
        str(text("see ", Reference("counts")))


def test_two_of_the_same_name_are_refused() -> None:
    table = Table("T", ("a",), (("1",),), (False,), (1,), name="same")
    with pytest.raises(ValueError, match="the same name"):
        numbered((Section("one", "One", (table, table)),))


def test_every_reference_of_the_reports_leads_somewhere_in_one_of_them() -> None:
    named, known = set(), set(SECTIONS)
    for case in CASES:
        for block in (block for section in document(case).sections for block in section.blocks):
            if isinstance(block, (Table, Figure)):
                known.add(block.name)
            said = (
                [block.text] if isinstance(block, Paragraph)
                else block.items if isinstance(block, Items)
                else [cell for row in block.rows for cell in row] if isinstance(block, Table) else []
            )  # fmt: skip
            named |= {part.name for each in said for part in text(each).parts if isinstance(part, Reference)}
    assert named - known == set()
