"""The report's tables as CSV, a file each, with a list of them; and the index of all numbers."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from tasks.report.blocks import Document, Table
from tasks.report.index import HEADER, entries, fields
from tasks.report.numbers import Number, Said, parts_of

FOLDER: Final = "tables"
#: The names that `render` gives to tables, so that a table which a later report does not have can be told from other files.
NAMES: Final = re.compile(r"\d{2,}-[a-z0-9-]+\.csv")
#: What a spreadsheet may take for the beginning of a formula: at the beginning, or behind a semicolon, which parts cells in many countries.
_FORMULA: Final = re.compile(r"(^|;)(\s*)(?=[=+\-@＝＋－＠])")
_LONGEST_NAME = 60


def render(document: Document) -> dict[str, bytes]:
    """File name → content: `tables/01-….csv` and so on, `tables/contents.csv`, `numbers.csv`.

    UTF-8 without a byte order mark, LF, fields quoted where they need it (RFC 4180). Cells say what they say in all faces. Words that a
    spreadsheet would run as a formula have an apostrophe before it (OWASP, CSV Injection); numbers never need one. Tables of
    synthetic data say so in a last column.
    """
    made, names = {}, []
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                name = f"{block.number:02d}-{_slug(block.caption)}.csv"
                names.append((name, block.label, block.caption, section.name, section.title))
                made[f"{FOLDER}/{name}"] = _file(document, block.header, (map(safe, row) for row in block.rows))
    contents = (tuple(map(safe, row)) for row in names)
    made[f"{FOLDER}/contents.csv"] = _file(document, ("File", "Table", "Caption", "Section", "Heading"), contents)
    made["numbers.csv"] = _file(document, HEADER, (_entry(fields(entry)) for entry in entries(document)))
    return made


def safe(cell: Said) -> str:
    """A cell's text, which no spreadsheet runs. What consists of numbers alone is left as it is: their signs are no formulas."""
    if all(isinstance(part, Number) for part in parts_of(cell)):
        return str(cell)
    return _FORMULA.sub(r"\1\2'", str(cell))


def _entry(row: Sequence[str | int | float | None]) -> tuple[str, ...]:
    """The text of a number is one; names and headers are words."""
    return tuple(
        cell
        if column == "Text" and isinstance(cell, str)
        else safe(cell)
        if isinstance(cell, str)
        else ""
        if cell is None
        else repr(cell)
        for column, cell in zip(HEADER, row, strict=True)
    )


def _file(document: Document, header: Sequence[str], rows: Iterable[Iterable[str]]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*map(safe, header), *(["Data"] if document.mark else [])])
    writer.writerows([*row, *([document.mark] if document.mark else [])] for row in rows)
    return sink.getvalue().encode()


def _slug(caption: str) -> str:
    plain = unicodedata.normalize("NFKD", caption).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_NAME].strip("-") or "table"
