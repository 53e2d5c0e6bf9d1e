"""The report as Word: real styles, captions, cross-references and repeated headers, for people who edit it.

The same document gives the same bytes.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import docx
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from tasks.report.blocks import Block, Document, Figure, Items, Paragraph, Table
from tasks.report.numbers import Reference, Said, parts_of
from tasks.report.word import (
    EPOCH,
    Bookmarks,
    add_contents,
    add_field,
    add_style,
    add_table_style,
    element,
    number_headings,
    set_language,
    without_times,
)

_SHORT_MM, _LONG_MM, _MARGIN_MM = 210, 297, 20
#: Points of the letters in tables, on pages upright and on their side.
_LETTERS = {False: ("Table", 8.5), True: ("Wide Table", 7)}
_TABLES = "Report Table"


def render(document: Document) -> bytes:
    """The file's bytes."""
    made = docx.Document()
    _styles(made)
    number_headings(made)
    set_language(made, document.language)
    _properties(made, document)
    _page(made.sections[0], wide=False)
    _running(made.sections[0], document)
    if document.notice:
        made.add_paragraph(document.notice, style="Intense Quote")
    made.add_heading(document.title, level=0)
    made.add_paragraph(document.subtitle, style="Subtitle")
    add_contents(made, [(f"_Toc_{number}", f"{number} {part.title}") for number, part in enumerate(document.sections, 1)])
    writer, wide = _Writer(made, document), False
    for number, part in enumerate(document.sections, 1):
        if part.wide != wide:
            wide = part.wide
            _page(made.add_section(WD_SECTION.NEW_PAGE), wide=wide)
        writer.marks.around(made.add_heading(part.title, level=1), f"_Toc_{number}", writer.headings[part.anchor])
        for block in part.blocks:
            writer.add(block, wide=wide)
    sink = io.BytesIO()
    made.save(sink)
    return without_times(sink.getvalue())


# ---- the whole file -------------------------------------------------------------------------------------------------------


def _styles(made: Any) -> None:
    made.styles["Normal"].font.name, made.styles["Normal"].font.size = "Calibri", Pt(10.5)
    made.styles["Caption"].font.size, made.styles["Caption"].font.color.rgb = Pt(9), RGBColor(0x33, 0x41, 0x4F)
    add_style(made, "toc 1", after=2)
    add_style(made, "Figure", after=4).paragraph_format.keep_with_next = True
    add_table_style(made, _TABLES)
    for name, size in _LETTERS.values():
        add_style(made, f"{name} Text", size=size, after=1)
        add_style(made, f"{name} Number", size=size, after=1).paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _properties(made: Any, document: Document) -> None:
    properties = made.core_properties
    properties.title, properties.author, properties.last_modified_by = document.title[:255], "", ""
    properties.created = properties.modified = datetime(*EPOCH)
    properties.language, properties.comments, properties.keywords, properties.revision = document.language, "", document.mark, 1


def _page(section: Any, *, wide: bool) -> None:
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    width, height = (_LONG_MM, _SHORT_MM) if wide else (_SHORT_MM, _LONG_MM)
    section.page_width, section.page_height = Mm(width), Mm(height)
    section.left_margin = section.right_margin = Mm(_MARGIN_MM)


def _running(section: Any, document: Document) -> None:
    """What stands on every page: what the data are, and the page's number. Later sections take it over."""
    above = section.header.paragraphs[0]
    above.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = above.add_run(document.mark)
    run.font.bold, run.font.size, run.font.color.rgb = True, Pt(9), RGBColor(0x8A, 0x42, 0x00)
    below = section.footer.paragraphs[0]
    below.alignment = WD_ALIGN_PARAGRAPH.CENTER
    add_field(below._p, "PAGE", "1")


# ---- blocks ---------------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes blocks, and knows the bookmarks of what they may refer to."""

    def __init__(self, made: Any, document: Document) -> None:
        self.made, self.marks = made, Bookmarks()
        self.headings = {part.anchor: f"_Ref_section_{number}" for number, part in enumerate(document.sections, 1)}
        self.styles = {style.name: style.style_id for style in made.styles}

    def add(self, block: Block, *, wide: bool) -> None:
        """One block, behind all others."""
        if isinstance(block, Paragraph):
            self._say(self.made.add_paragraph(style="Quote" if block.emphasis else None), block.text)
        elif isinstance(block, Items):
            for item in block.items:
                self._say(self.made.add_paragraph(style="List Bullet"), item)
        elif isinstance(block, Figure):
            picture = self.made.add_picture(io.BytesIO(block.png), width=Mm(_line(wide) * block.width))
            self.made.paragraphs[-1].style = "Figure"
            picture._inline.docPr.set("descr", block.alternative)  # python-docx has no public way to set alternative text
            self._caption("Figure", block)
        else:
            self._caption("Table", block)
            self._table(block, wide=wide)

    def _say(self, paragraph: Any, said: Said) -> None:
        """Text, and references as fields that Word keeps right when tables are added or removed."""
        for part in parts_of(said):
            if isinstance(part, Reference) and part.label:
                heading = self.headings.get(part.anchor)
                word, _, number = part.label.partition(" ")
                paragraph.add_run(f"{part.before}{word} " if heading else part.before)
                instruction = f"REF {heading} \\r \\h" if heading else f"REF {_mark(part.anchor)} \\h"
                add_field(paragraph._p, instruction, number if heading else part.label)
                paragraph.add_run(part.after)
            else:
                paragraph.add_run(str(part))

    def _caption(self, kind: str, block: Table | Figure) -> None:
        """A caption whose number is a field, so that Word renumbers it, and whose label is what cross-references show."""
        paragraph = self.made.add_paragraph(f"{kind} ", style="Caption")
        add_field(paragraph._p, f"SEQ {kind} \\* ARABIC", str(block.number))
        self.marks.around(paragraph, _mark(block.anchor))
        paragraph.add_run(f" {block.caption}.")
        paragraph.paragraph_format.keep_with_next = kind == "Table"

    def _table(self, block: Table, *, wide: bool) -> None:
        columns = len(block.header)
        table = self.made.add_table(rows=1 + len(block.rows), cols=columns, style=_TABLES)
        table.autofit = False
        widths = [Mm(_line(wide) * width / sum(block.widths)) for width in block.widths]
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        looks = [self.styles[f"{_LETTERS[wide][0]} {'Number' if numeric else 'Text'}"] for numeric in block.numeric]
        cells = table._cells  # all at once: going by rows takes time that grows with the square of the table
        for place, said in enumerate(cell for row in (block.header, *block.rows) for cell in row):
            cell, column = cells[place], place % columns
            cell.width = widths[column]
            paragraph = cell.paragraphs[0]
            paragraph._p.style = looks[column]
            self._say(paragraph, said)
        for number, row in enumerate(table._tbl.tr_lst):
            properties = row.get_or_add_trPr()
            properties.append(element("w:cantSplit"))
            if number == 0:
                properties.append(element("w:tblHeader"))
        look = table._tbl.tblPr.find(qn("w:tblLook"))
        look.set(qn("w:firstColumn"), "0")
        look.set(qn("w:val"), "0420")  # the same in bits: the first row, rows by turns
        table._tbl.tblPr.append(element("w:tblCaption", {"w:val": f"{block.label} {block.caption}."}))
        self.made.add_paragraph()


def _line(wide: bool) -> float:
    """Its length in mm."""
    return (_LONG_MM if wide else _SHORT_MM) - 2 * _MARGIN_MM


def _mark(anchor: str) -> str:
    """The bookmark of a table or figure."""
    return f"_Ref_{anchor.replace('-', '_')}"
