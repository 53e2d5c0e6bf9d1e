"""Both PDFs hold to PDF/UA-1, and the archival one to PDF/A-3a with its results in it, as far as a program can tell."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf

from tests.tasks.report.made_faces import CASES, rendered, tables
from tests.tasks.report.matterhorn import archival_failures, attributes, elements, failures

PDFS = ("report.pdf", "report-archive.pdf")


def opened(case: str, name: str = "report-archive.pdf") -> Pdf:
    return pikepdf.open(io.BytesIO(rendered(case)[name]))


@pytest.mark.parametrize("name", PDFS)
@pytest.mark.parametrize("case", ["realistic", "awkward", "nothing"])
def test_no_failure_condition_of_pdf_ua_holds(case: str, name: str) -> None:
    assert failures(opened(case, name)) == set()


@pytest.mark.parametrize("case", CASES)
def test_the_archival_file_holds_the_results_to_the_byte(case: str) -> None:
    pdf = opened(case)
    assert archival_failures(pdf) == set()
    assert list(pdf.attachments) == ["results.json"]
    (attached,) = pdf.attachments.values()
    assert attached.get_file().read_bytes() == rendered(case)["results.json"]
    assert attached.get_file().mime_type == "application/json"
    (related,) = pdf.Root.AF
    assert related.AFRelationship == Name.Data
    assert str(related.UF) == "results.json"


def test_the_other_file_holds_nothing_and_says_no_date() -> None:
    pdf = opened("realistic", "report.pdf")
    assert len(pdf.attachments) == 0
    assert not {"/CreationDate", "/ModDate"} & set(pdf.docinfo.keys())
    assert archival_failures(pdf) == {"6.6.4", "6.2.3"}


def test_the_only_date_of_the_archival_file_is_that_of_all_files() -> None:
    pdf = opened("realistic")
    assert {str(pdf.docinfo[key]) for key in ("/CreationDate", "/ModDate")} == {"D:19800101000000Z"}
    assert set(pdf.docinfo.keys()) == {"/Title", "/Creator", "/Keywords", "/CreationDate", "/ModDate"}


@pytest.mark.parametrize("name", PDFS)
def test_headers_of_columns_say_so_and_their_cells_name_them(name: str) -> None:
    pdf = opened("realistic", name)
    found = list(elements(pdf))
    heads = [element for kind, element, _ in found if kind == "TH"]
    assert len(heads) == sum(len(table.header) for table in tables("realistic"))
    assert {str(attributes(head)["/Scope"]) for head in heads} == {"/Column"}
    known = {str(head.ID) for head in heads}
    cells = [element for kind, element, _ in found if kind == "TD"]
    assert all({str(each) for each in attributes(cell)["/Headers"]} <= known for cell in cells)
    assert len(cells) == sum(len(table.header) * len(table.rows) for table in tables("realistic"))


def test_text_at_the_top_level_is_in_paragraphs() -> None:
    pdf = opened("realistic")
    assert {kind for kind, _, above in elements(pdf) if above == "Document"} == {"P", "TOC", "H1", "L", "Table", "Div"}


# ---- the checks see what they are for ------------------------------------------------------------------------------------


def first(pdf: Pdf, wanted: str) -> Any:
    return next(element for kind, element, _ in elements(pdf) if kind == wanted)


def _metadata(pdf: Pdf, key: str) -> None:
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as found:
        del found[key]


def _drawn(pdf: Pdf, content: bytes) -> None:
    pdf.pages[0].contents_add(pdf.make_stream(content))


def _unembedded(pdf: Pdf) -> None:
    for each in pdf.objects:
        if isinstance(each, Dictionary):
            for name in ("/FontFile", "/FontFile2", "/FontFile3"):
                if name in each:
                    del each[name]


#: Number → what brings the condition about.
SABOTAGE: dict[str, Callable[[Pdf], object]] = {
    "01-003": lambda pdf: _drawn(pdf, b"/P <</MCID 0>> BDC /Artifact BMC 0 0 9 9 re f EMC EMC"),
    "01-004": lambda pdf: _drawn(pdf, b"/Artifact BMC /P <</MCID 0>> BDC 0 0 9 9 re f EMC EMC"),
    "01-005": lambda pdf: _drawn(pdf, b"0 0 9 9 re f"),
    "01-007": lambda pdf: pdf.Root.MarkInfo.__setitem__("/Suspects", True),
    "02-001": lambda pdf: first(pdf, "P").__setitem__("/S", Name("/Invented")),
    "06-001": lambda pdf: pdf.Root.__delitem__("/Metadata"),
    "06-002": lambda pdf: _metadata(pdf, "pdfuaid:part"),
    "06-003": lambda pdf: _metadata(pdf, "dc:title"),
    "07-001": lambda pdf: pdf.Root.ViewerPreferences.__delitem__("/DisplayDocTitle"),
    "07-002": lambda pdf: pdf.Root.ViewerPreferences.__setitem__("/DisplayDocTitle", False),
    "09-004": lambda pdf: first(pdf, "TD").__setitem__("/S", Name.P),
    "09-005": lambda pdf: first(pdf, "LBody").__setitem__("/S", Name.P),
    "09-006": lambda pdf: first(pdf, "TOCI").__setitem__("/S", Name.P),
    "11-006": lambda pdf: pdf.Root.__delitem__("/Lang"),
    "13-004": lambda pdf: next(e for k, e, _ in elements(pdf) if k == "Figure" and "/Alt" in e).__delitem__("/Alt"),
    "14-002": lambda pdf: first(pdf, "H1").__setitem__("/S", Name.H2),
    "15-003": lambda pdf: (first(pdf, "TH").__setitem__("/A", Array()), first(pdf, "TH").__delitem__("/ID")),
    "28-008": lambda pdf: pdf.pages[0].obj.__delitem__("/Tabs"),
    "28-009": lambda pdf: pdf.pages[0].obj.__setitem__("/Tabs", Name.R),
    "28-011": lambda pdf: first(pdf, "Link").__setitem__("/K", Array()),
    "28-012": lambda pdf: pdf.pages[0].Annots[0].__delitem__("/Contents"),
    "31-009": _unembedded,
    "ISO 14289-1, 7.1": lambda pdf: pdf.Root.MarkInfo.__setitem__("/Marked", False),
}


@pytest.mark.parametrize("number", SABOTAGE)
def test_each_condition_is_seen(number: str) -> None:
    pdf = opened("realistic", "report.pdf")
    SABOTAGE[number](pdf)
    assert failures(pdf) == {number}


@pytest.mark.parametrize(
    ("clause", "broken"),
    [
        ("6.6.4", lambda pdf: _metadata(pdf, "pdfaid:part")),
        ("6.2.3", lambda pdf: pdf.Root.__delitem__("/OutputIntents")),
        ("6.5.1", lambda pdf: pdf.Root.__setitem__("/OpenAction", Dictionary(S=Name.JavaScript, JS="app.beep(0)"))),
        ("6.8", lambda pdf: pdf.Root.AF[0].__delitem__("/AFRelationship")),
    ],
)
def test_each_lack_of_the_archival_file_is_seen(clause: str, broken: Callable[[Pdf], object]) -> None:
    pdf = opened("realistic")
    broken(pdf)
    assert archival_failures(pdf) == {clause}
