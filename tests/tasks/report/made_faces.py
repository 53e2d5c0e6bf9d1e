"""The faces of the made-up results, rendered once for all tests, and what they say, read by other libraries."""

from __future__ import annotations

import csv
import io
from functools import cache

import openpyxl
from lxml import html
from pypdf import PdfReader

from tasks.evaluation.results import canonical
from tasks.report.blocks import Document, Table
from tasks.report.document import make
from tasks.report.render import faces_of
from tests.once import once
from tests.tasks.report import made

#: What every face is held to; `realistic` has nothing that `full` has not.
CASES = ("full", "measured", "awkward", "bare", "nothing")


@cache
def document(case: str) -> Document:
    return once(f"document-{case}", lambda: make(getattr(made, case)()))


@cache
def rendered(case: str) -> dict[str, bytes]:
    return once(f"faces-{case}", lambda: faces_of(document(case), canonical(getattr(made, case)())))


def tables(case: str) -> list[Table]:
    return [block for section in document(case).sections for block in section.blocks if isinstance(block, Table)]


def cells(case: str) -> list[list[str]]:
    """Every row of every table, in order."""
    return [[str(cell) for cell in row] for table in tables(case) for row in (table.header, *table.rows)]


@cache
def page(case: str) -> html.HtmlElement:
    return html.document_fromstring(rendered(case)["report.html"].decode())


@cache
def workbook(case: str) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(rendered(case)["report.xlsx"]))


@cache
def pdf_text(case: str, name: str) -> str:
    return " ".join(leaf.extract_text() for leaf in PdfReader(io.BytesIO(rendered(case)[name])).pages)


def rows_of(case: str, name: str) -> list[list[str]]:
    """A CSV file's rows, its header first."""
    return list(csv.reader(io.StringIO(rendered(case)[name].decode(), newline="")))
