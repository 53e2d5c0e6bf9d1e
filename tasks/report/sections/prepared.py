"""Tables that other parts of the software prepared for a report: a header, and rows of text."""

from __future__ import annotations

from tasks.changes.rows import Rows
from tasks.report.blocks import Block, Paragraph, Table


def table(caption: str, rows: Rows) -> Block:
    """As a table; columns of numbers are set to the right, and an empty table is a sentence."""
    header, lines = rows
    if not lines:
        return Paragraph(f"{caption}: none.")
    header = tuple(name.capitalize() or "What" for name in header)
    numeric = (False, *(all(_is_number(line[place]) for line in lines) for place in range(1, len(header))))
    widths = tuple(max(0.8, min(3.0, max(len(line[place]) for line in lines) / 12)) for place in range(len(header)))
    return Table(caption, header, tuple(tuple(line) for line in lines), numeric, widths)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in {"+", "-", "−"} or cell in {"", "withheld"}
