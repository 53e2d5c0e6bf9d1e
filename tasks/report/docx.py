"""The report as Word: real styles, captions and repeated table headers, for people who edit it; the same bytes for the same document."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from tasks.report.document import Block, Document, Figure, Items, Paragraph, Table

_LINE_MM = 170.0
#: Zip entries need a date; this is the earliest there is.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def render(document: Document) -> bytes:
    """The file's bytes."""
    made = docx.Document()
    section = made.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(20)
    made.styles["Normal"].font.name, made.styles["Normal"].font.size = "Calibri", Pt(10)
    _properties(made, document)
    if document.notice:
        made.add_paragraph(document.notice, style="Intense Quote")
    made.add_heading(document.title, level=0)
    made.add_paragraph(document.subtitle, style="Subtitle")
    numbers = {"Table": 0, "Figure": 0}
    for part in document.sections:
        made.add_heading(part.title, level=1)
        for block in part.blocks:
            _add(made, block, numbers)
    sink = io.BytesIO()
    made.save(sink)
    return _without_times(sink.getvalue())


def _properties(made: Any, document: Document) -> None:
    properties = made.core_properties
    properties.title, properties.author, properties.last_modified_by = document.title, "Safelight", "Safelight"
    properties.created = properties.modified = datetime(1980, 1, 1)
    properties.language, properties.comments, properties.revision = document.language, "", 1


def _add(made: Any, block: Block, numbers: dict[str, int]) -> None:
    if isinstance(block, Paragraph):
        made.add_paragraph(block.text, style="Quote" if block.emphasis else None)
    elif isinstance(block, Items):
        for item in block.items:
            made.add_paragraph(item, style="List Bullet")
    elif isinstance(block, Figure):
        picture = made.add_picture(io.BytesIO(block.png), width=Mm(_LINE_MM * block.width))
        picture._inline.docPr.set("descr", block.alternative)  # python-docx has no public way to set alternative text
        _caption(made, "Figure", block.caption, numbers)
    else:
        _caption(made, "Table", block.caption, numbers)
        _table(made, block)


def _caption(made: Any, kind: str, text: str, numbers: dict[str, int]) -> None:
    """A caption whose number is a field, so that Word renumbers it and cross-references find it."""
    numbers[kind] += 1
    paragraph = made.add_paragraph(f"{kind} ", style="Caption")
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), f" SEQ {kind} \\* ARABIC ")
    run, shown = OxmlElement("w:r"), OxmlElement("w:t")
    shown.text = str(numbers[kind])
    run.append(shown)
    field.append(run)
    paragraph._p.append(field)
    paragraph.add_run(f": {text}")
    paragraph.paragraph_format.keep_with_next = kind == "Table"


def _table(made: Any, block: Table) -> None:
    table = made.add_table(rows=1, cols=len(block.header), style="Light List Accent 1")
    table.autofit = False
    for cells, texts in [(table.rows[0].cells, block.header), *((table.add_row().cells, row) for row in block.rows)]:
        for place, (cell, text) in enumerate(zip(cells, texts, strict=True)):
            cell.text = text
            paragraph = cell.paragraphs[0]
            if block.numeric[place]:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            for run in paragraph.runs:
                run.font.size = Pt(8)
    header = OxmlElement("w:tblHeader")
    header.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(header)
    widths = block.widths or (1.0,) * len(block.header)
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Mm(_LINE_MM * width / sum(widths))
    made.add_paragraph(f"Not estimable: {block.note}." if block.note else "")


def _without_times(content: bytes) -> bytes:
    """The same archive with one fixed date for all its entries, in one order."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda entry: (entry != "[Content_Types].xml", entry)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return sink.getvalue()
