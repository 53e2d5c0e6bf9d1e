"""The Word file has real styles, counted captions, texts for figures, and nothing about who made it or when."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn

from tasks.report.docx import render
from tests.tasks.report.made_faces import CASES, cells, document, rendered, tables
from tests.tasks.report.test_references import SENTENCE, referring


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


def fields(parent: Any) -> list[tuple[str, str]]:
    """The instruction of each field, and what it shows."""
    found: list[list[str]] = []
    inside = 0
    for run in parent.iter(qn("w:fldChar"), qn("w:instrText"), qn("w:t")):
        if run.tag == qn("w:fldChar"):
            kind = run.get(qn("w:fldCharType"))
            inside += {"begin": 1, "separate": 0, "end": -1}[kind]
            found += [["", ""]] if kind == "begin" else []
        elif inside:
            found[-1][run.tag == qn("w:t")] += run.text
    assert inside == 0
    return [(instruction.strip(), shown) for instruction, shown in found]


def bookmarks(word: Any) -> dict[str, str]:
    """Bookmark → the text in it; all are closed, and no name or number is used twice."""
    starts, ends = (list(word.element.iter(qn(f"w:bookmark{side}"))) for side in ("Start", "End"))
    numbers = [start.get(qn("w:id")) for start in starts]
    assert sorted(numbers) == sorted(end.get(qn("w:id")) for end in ends)
    assert len(set(numbers)) == len(numbers) == len({start.get(qn("w:name")) for start in starts})
    found = {}
    for start in starts:
        text, here = "", start
        while not (here.tag == qn("w:bookmarkEnd") and here.get(qn("w:id")) == start.get(qn("w:id"))):
            text += "".join(part.text for part in here.iter(qn("w:t")))
            here = here.getnext()
        assert re.fullmatch(r"_\w{1,39}", start.get(qn("w:name")))
        found[start.get(qn("w:name"))] = text
    return found


def test_captions_and_pages_are_counted_by_fields() -> None:
    word = opened("realistic")
    counted = [shown for instruction, shown in fields(word.element) if instruction.startswith("SEQ Table")]
    assert counted == [str(number) for number in range(1, len(tables("realistic")) + 1)]
    assert fields(word.sections[0].footer._element) == [("PAGE", "1")]


@pytest.mark.parametrize("case", CASES)
def test_the_table_of_contents_leads_to_every_heading(case: str) -> None:
    word, marks = opened(case), bookmarks(opened(case))
    (contents,) = [instruction for instruction, _ in fields(word.element) if instruction.startswith("TOC")]
    assert contents == 'TOC \\o "1-1" \\n \\h \\z'
    links = [paragraph.hyperlinks[0] for paragraph in word.paragraphs if paragraph.style.name == "toc 1"]
    assert [link.text for link in links] == [f"{n} {section.title}" for n, section in enumerate(document(case).sections, 1)]
    assert [marks[link.fragment] for link in links] == [section.title for section in document(case).sections]


def test_references_are_fields_that_show_what_they_refer_to() -> None:
    word = docx.Document(io.BytesIO(render(referring())))
    marks = bookmarks(word)
    shown = {instruction: text for instruction, text in fields(word.element) if instruction.startswith("REF")}
    assert shown == {"REF _Ref_table_1 \\h": "Table 1", "REF _Ref_figure_1 \\h": "Figure 1", "REF _Ref_section_2 \\r \\h": "2"}
    assert {name: marks[name] for name in ("_Ref_table_1", "_Ref_figure_1")} == {
        "_Ref_table_1": "Table 1",
        "_Ref_figure_1": "Figure 1",
    }
    assert marks["_Ref_section_2"] == "Second"
    assert SENTENCE in {paragraph.text for paragraph in word.paragraphs}
    assert word.tables[0].rows[1].cells[1].text == "see Figure 1"


def test_nothing_is_locked() -> None:
    with zipfile.ZipFile(io.BytesIO(rendered("realistic")["report.docx"])) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".xml"))
    assert not re.search(rb"documentProtection|writeProtection|<w:lock\b|<w:sdt\b|formProt\b", content)


def test_the_language_is_said() -> None:
    word = opened("realistic")
    assert {found.get(qn("w:val")) for found in word.styles.element.iter(qn("w:lang"))} == {"en-GB"}
    assert word.core_properties.language == "en"


def test_letters_are_set_by_styles_alone() -> None:
    word = opened("realistic")
    assert next(word.element.body.iter(qn("w:sz"), qn("w:color"), qn("w:rFonts"), qn("w:jc")), None) is None
    styles = {p.style.name for table in word.tables for row in table.rows for cell in row.cells for p in cell.paragraphs}
    assert styles == {"Table Text", "Table Number", "Wide Table Text", "Wide Table Number"}


@pytest.mark.peer("soffice", "pdftotext")
def test_another_word_processor_opens_it_and_shows_every_number(tmp_path: Path) -> None:
    (tmp_path / "report.docx").write_bytes(rendered("awkward")["report.docx"])
    command = ["soffice", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to", "pdf"]
    subprocess.run(
        [*command, "--outdir", str(tmp_path), str(tmp_path / "report.docx")], capture_output=True, check=True, timeout=120
    )
    done = subprocess.run(["pdftotext", str(tmp_path / "report.pdf"), "-"], capture_output=True, check=True)
    text = re.sub(
        r"–\s+", "–", done.stdout.decode()
    )  # where Word's letters are missing, others are wider, and lines end in intervals
    said = Counter(part for row in cells("awkward") for cell in row if re.match(r"\d", cell) for part in cell.split())
    assert said - Counter(text.split()) == Counter()
    assert said.total() > 1000
    pages = text.split("\f")
    wide = [page for page in pages if set(page.split()) >= {"Level", "Patients", "Sensitivity", "Specificity", "NPV"}]
    assert len(wide) >= 4  # the table of scanners says its header on each of its pages
    assert "Error" not in text  # what a reference becomes whose bookmark is not there


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
