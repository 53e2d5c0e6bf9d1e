"""The PDF is tagged, titled, has bookmarks, and keeps everything on its pages."""

from __future__ import annotations

import io
import re
import subprocess
from typing import Any

import pytest
from lxml import html
from pypdf import PdfReader

from tests.tasks.report.made_faces import CASES, document, rendered, tables


def reader(case: str) -> PdfReader:
    return PdfReader(io.BytesIO(rendered(case)["report.pdf"]))


@pytest.mark.parametrize("case", CASES)
def test_the_pdf_claims_pdf_ua_and_is_tagged_titled_and_in_a_language(case: str) -> None:
    opened = reader(case)
    root: Any = opened.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert opened.metadata is not None
    assert opened.metadata.title == document(case).title
    assert b"pdfuaid:part" in root["/Metadata"].get_data()


@pytest.mark.parametrize("case", CASES)
def test_bookmarks_are_the_sections(case: str) -> None:
    found = [entry.title for entry in reader(case).outline if not isinstance(entry, list)]
    assert found == [f"{number} {section.title}" for number, section in enumerate(document(case).sections, 1)]


def test_no_person_no_time_and_no_machine_is_in_its_properties() -> None:
    opened = reader("realistic")
    assert opened.metadata is not None
    assert set(opened.metadata) <= {"/Title", "/Creator", "/Keywords"}
    assert b"CreateDate" not in opened.trailer["/Root"]["/Metadata"].get_data()  # type: ignore[index]


def test_letters_come_with_the_file_and_not_from_the_machine() -> None:
    names = {font for leaf in reader("realistic").pages for font in re.findall(r"/BaseFont': '/([^']+)", str(_fonts(leaf)))}
    assert names
    assert all("DejaVuSans" in name for name in names)


def _fonts(leaf: Any) -> list[Any]:
    return [dict(font.get_object()) for font in leaf["/Resources"]["/Font"].values()]


def _tags(element: Any, found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    for child in element.get("/K", []) if isinstance(element.get("/K"), list) else [element.get("/K")]:
        child = child.get_object() if hasattr(child, "get_object") else child  # noqa: PLW2901
        if isinstance(child, dict) and "/S" in child:
            found.setdefault(child["/S"], []).append(child)
            _tags(child, found)
    return found


@pytest.mark.parametrize("case", ["realistic", "awkward"])
def test_tables_and_figures_are_tagged(case: str) -> None:
    root: Any = reader(case).trailer["/Root"]
    found = _tags(root["/StructTreeRoot"], {})
    assert len(found["/Table"]) == len(tables(case))
    assert len(found["/TH"]) == sum(len(table.header) for table in tables(case))
    assert len(found["/TR"]) == sum(1 + len(table.rows) for table in tables(case))
    drawn = [block for section in document(case).sections for block in section.blocks if type(block).__name__ == "Figure"]
    assert sorted(tag["/Alt"] for tag in found["/Figure"] if "/Alt" in tag) == sorted(block.alternative for block in drawn)


@pytest.mark.peer("pdftotext")
@pytest.mark.parametrize("case", CASES)
def test_no_word_leaves_its_page(case: str) -> None:
    done = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=rendered(case)["report.pdf"], capture_output=True, check=True)
    seen = 0
    for leaf in html.document_fromstring(done.stdout).iter("page"):
        width, height = float(leaf.get("width")), float(leaf.get("height"))
        for word in leaf.iter("word"):
            seen += 1
            left, right, top, bottom = (float(word.get(side)) for side in ("xmin", "xmax", "ymin", "ymax"))
            assert 40 < left < right < width - 40, word.text
            assert 20 < top < bottom < height - 20, word.text
    assert seen > 300


def test_a_table_of_several_pages_says_its_header_on_each() -> None:
    sideways = [leaf.extract_text() for leaf in reader("awkward").pages if leaf.mediabox.width > leaf.mediabox.height]
    assert len(sideways) >= 4
    headers = (
        {"Level", "Patients", "Sensitivity", "Specificity", "NPV"},
        {"Level", "AUC", "difference", "Holm"},
        {"Attribute", "Measure"},
    )
    assert all(any(set(text.replace(",", "").split()) >= header for header in headers) for text in sideways)


def test_only_wide_tables_lie_on_their_side() -> None:
    sideways = [leaf.mediabox.width > leaf.mediabox.height for leaf in reader("realistic").pages]
    assert sideways.count(True) == 2  # differences, and the subgroup tables
    assert not sideways[0]
    assert not any(leaf.mediabox.width > leaf.mediabox.height for leaf in reader("bare").pages)
