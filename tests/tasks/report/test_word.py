"""The Word file has real styles, counted captions, texts for figures, and nothing about who made it or when."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import docx
import pytest
from docx.oxml.ns import qn

from tests.tasks.report.made_faces import CASES, document, rendered, tables


def opened(case: str) -> docx.document.Document:
    return docx.Document(io.BytesIO(rendered(case)["report.docx"]))


@pytest.mark.parametrize("case", CASES)
def test_headers_of_tables_repeat_and_rows_stay_whole(case: str) -> None:
    for table in opened(case).tables:
        first, *others = table._tbl.tr_lst
        assert first.trPr.find(qn("w:tblHeader")) is not None
        assert all(row.trPr.find(qn("w:tblHeader")) is None for row in others)
        assert all(row.trPr.find(qn("w:cantSplit")) is not None for row in table._tbl.tr_lst)


def test_figures_have_their_texts() -> None:
    texts = [shape._inline.docPr.get("descr") for shape in opened("realistic").inline_shapes]
    drawn = [block for section in document("realistic").sections for block in section.blocks if type(block).__name__ == "Figure"]
    assert texts == [block.alternative for block in drawn]


def test_captions_and_pages_are_counted_by_fields() -> None:
    word = opened("realistic")
    fields = [field.get(qn("w:instr")) for field in word.element.iter(qn("w:fldSimple"))]
    assert sum("SEQ Table" in field for field in fields) == len(tables("realistic"))
    assert any("PAGE" in field.get(qn("w:instr")) for field in word.sections[0].footer._element.iter(qn("w:fldSimple")))


def test_headings_count_themselves() -> None:
    word = opened("realistic")
    number = word.styles["Heading 1"].element.pPr.numPr.numId.val
    numbering = word.part.numbering_part.element
    (bound,) = [entry for entry in numbering.num_lst if entry.numId == number]
    lists = [child.get(qn("w:abstractNumId")) for child in numbering if child.tag == qn("w:abstractNum")]
    assert lists.count(str(bound.abstractNumId.val)) == 1
    order = [child.tag for child in numbering if child.tag in {qn("w:abstractNum"), qn("w:num")}]
    assert order == sorted(order, key=lambda tag: tag == qn("w:num"))


def test_wide_tables_lie_on_their_side() -> None:
    assert [section.page_width > section.page_height for section in opened("realistic").sections] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_no_person_and_no_time_is_in_its_properties() -> None:
    properties = opened("realistic").core_properties
    assert (properties.author, properties.last_modified_by, properties.comments) == ("", "", "")
    assert properties.title == document("realistic").title
    assert properties.created.replace(tzinfo=UTC) == properties.modified.replace(tzinfo=UTC) == datetime(1980, 1, 1, tzinfo=UTC)
    with zipfile.ZipFile(io.BytesIO(rendered("realistic")["report.docx"])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
