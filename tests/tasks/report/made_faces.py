"""The faces of the made-up results, rendered once for all tests, and what they say, read by other libraries."""

from __future__ import annotations

from functools import cache

from lxml import html

from tasks.report.blocks import Document, Table
from tasks.report.document import make
from tasks.report.render import faces_of
from tests.tasks.report import made

CASES = ("realistic", "full", "awkward", "bare", "nothing")


@cache
def document(case: str) -> Document:
    return make(getattr(made, case)())


@cache
def rendered(case: str) -> dict[str, bytes]:
    return faces_of(document(case))


def tables(case: str) -> list[Table]:
    return [block for section in document(case).sections for block in section.blocks if isinstance(block, Table)]


def cells(case: str) -> list[list[str]]:
    """Every row of every table, in order."""
    return [[str(cell) for cell in row] for table in tables(case) for row in (table.header, *table.rows)]


def page(case: str) -> html.HtmlElement:
    return html.document_fromstring(rendered(case)["report.html"].decode())
