"""The report's tables as one workbook: a sheet a table, a list of them, and all numbers with their places; the same bytes for the same document."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import xlsxwriter

from tasks.report.blocks import Document, Table
from tasks.report.index import HEADER, entries, fields
from tasks.report.numbers import Said, numbers_in
from tasks.report.wording import elided

#: What a cell of a workbook can hold; longer texts are in all other faces.
_LONGEST: Final = 32_767
#: Rows of a sheet, from 0: the caption, a line below it, the names of its parts, the header.
_CAPTION, _BELOW, _PARTS, _HEADER = range(4)
#: Characters of a line of cells together, and of the narrowest and the widest of them.
_LINE, _NARROW, _WIDE = 120, 9, 60
_EPOCH: Final = datetime(1980, 1, 1)


def render(document: Document) -> bytes:
    """The workbook's bytes.

    On the left of each sheet stands the table as in all faces, as text; on its right, what can be reckoned with: the values of its numbers
    to sixteen digits, an interval's bounds in columns of their own. Nothing in it is a formula.
    """
    sink = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(sink, options)
    book.set_properties({"title": elided(document.title, 255), "keywords": document.mark, "created": _EPOCH})
    sheets = _Sheets(book, document)
    tables = [(section.title, block) for section in document.sections for block in section.blocks if isinstance(block, Table)]
    sheets.contents(tables)
    for _, table in tables:
        sheets.table(table)
    sheets.numbers()
    book.close()
    return sink.getvalue()


class _Sheets:
    """The sheets of one workbook, and how their cells look."""

    def __init__(self, book: Any, document: Document) -> None:
        self.book, self.document = book, document
        top = {"valign": "top", "text_wrap": True}
        head = {"bold": True, "bottom": 1, "bg_color": "#EEF4FA", "text_wrap": True, "valign": "bottom"}
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.bold = book.add_format({"bold": True})
        self.warning = book.add_format({"bold": True, "font_color": "#8A4200"})
        self.soft = book.add_format({"font_color": "#526170"})
        self.words, self.figures = book.add_format(top), book.add_format({**top, "align": "right"})
        self.value = book.add_format({"valign": "top"})
        self.heads = {False: book.add_format(head), True: book.add_format({**head, "align": "right"})}

    def contents(self, tables: Sequence[tuple[str, Table]]) -> None:
        """What the workbook has, with links."""
        sheet = self._sheet("Contents")
        self._text(sheet, 0, 0, self.document.title, self.title)
        self._text(sheet, 1, 0, self.document.subtitle, self.soft)
        self._text(sheet, 2, 0, self.document.notice, self.warning)
        for column, (name, width) in enumerate((("Table", 12), ("Caption", 80), ("Section", 40))):
            sheet.set_column(column, column, width)
            self._text(sheet, _HEADER, column, name, self.heads[False])
        for row, (section, table) in enumerate(tables, _HEADER + 1):
            sheet.write_url(row, 0, f"internal:'{table.label}'!A1", None, table.label)
            self._text(sheet, row, 1, f"{table.caption}.", self.words)
            self._text(sheet, row, 2, section, self.words)
        last = _HEADER + 1 + len(tables)
        sheet.write_url(last, 0, "internal:'Numbers'!A1", None, "Numbers")
        self._text(sheet, last, 1, "Every number of the report, with its places in results.json.", self.words)
        sheet.freeze_panes(_HEADER + 1, 0)

    def table(self, table: Table) -> None:
        """A table as in all faces, and its numbers beside it."""
        sheet = self._sheet(table.label)
        self._text(sheet, _CAPTION, 0, f"{table.label} {table.caption}.", self.bold)
        self._text(sheet, _BELOW, 0, self.document.mark, self.warning)
        columns = len(table.header)
        for column, (name, numeric, width) in enumerate(zip(table.header, table.numeric, table.widths, strict=True)):
            shown = max(_NARROW, min(_WIDE, _LINE * width / sum(table.widths)))
            sheet.set_column(column, column, shown)
            self._text(sheet, _HEADER, column, name, self.heads[numeric])
        for place, row in enumerate(table.rows, _HEADER + 1):
            for column, (cell, numeric) in enumerate(zip(row, table.numeric, strict=True)):
                self._text(sheet, place, column, str(cell), self.figures if numeric else self.words)
        values = _values(table)
        if values:
            self._text(sheet, _PARTS, 0, "As in the report", self.soft)
            self._text(sheet, _PARTS, columns + 1, "As numbers", self.soft)
            sheet.set_column(columns + 1, columns + len(values), 14)
        for column, (name, found) in enumerate(values, columns + 1):
            self._text(sheet, _HEADER, column, name, self.heads[True])
            for place, value in enumerate(found, _HEADER + 1):
                if value is not None:
                    sheet.write_number(place, column, value, self.value)
        last = _HEADER + len(table.rows)
        sheet.ignore_errors(
            {"number_stored_as_text": f"A{_HEADER + 2}:{xlsxwriter.utility.xl_col_to_name(columns - 1)}{last + 1}"}
        )
        sheet.freeze_panes(_HEADER + 1, 1)
        sheet.repeat_rows(_HEADER)
        sheet.print_area(0, 0, last, columns - 1)

    def numbers(self) -> None:
        """Every number, for whoever checks them."""
        sheet = self._sheet("Numbers")
        self._text(sheet, _CAPTION, 0, "Every number of the report, with its places in results.json.", self.bold)
        self._text(sheet, _BELOW, 0, self.document.mark, self.warning)
        row = _HEADER
        for column, (name, width) in enumerate(zip(HEADER, (18, 14, 6, 30, 20, 24, 11, 60, 14, 14, 14), strict=True)):
            sheet.set_column(column, column, width)
            self._text(sheet, _HEADER, column, name, self.heads[False])
        for row, entry in enumerate(entries(self.document), _HEADER + 1):
            for column, value in enumerate(fields(entry)):
                if isinstance(value, str):
                    self._text(sheet, row, column, value, None)
                elif value is not None:
                    sheet.write_number(row, column, value)
        sheet.ignore_errors({"number_stored_as_text": f"F{_HEADER + 2}:F{row + 1}"})
        sheet.autofilter(_HEADER, 0, row, len(HEADER) - 1)
        sheet.freeze_panes(_HEADER + 1, 0)
        sheet.repeat_rows(_HEADER)

    def _sheet(self, name: str) -> Any:
        sheet = self.book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_header(f"&R&B{self.document.mark}" if self.document.mark else "")
        sheet.set_footer("&C&P / &N")
        return sheet

    def _text(self, sheet: Any, row: int, column: int, said: str, look: Any) -> None:
        if said:
            sheet.write_string(row, column, elided(said, _LONGEST), look)


def _values(table: Table) -> list[tuple[str, list[float | None]]]:
    """The columns that can be reckoned with: a name, and a value for each row, None where a cell has no number or several."""
    made = []
    for column, name in enumerate(table.header):
        parts = zip(*(_only(row[column]) for row in table.rows), strict=True)
        for suffix, values in zip(("", ", lower", ", upper"), parts, strict=False):
            if any(value is not None for value in values):
                made.append((f"{name}{suffix}", list(values)))
    return made


def _only(cell: Said) -> tuple[float | None, float | None, float | None]:
    """The value and the bounds of a cell's one number."""
    found = list(numbers_in(cell))
    return (found[0].value, found[0].lower, found[0].upper) if len(found) == 1 else (None, None, None)
