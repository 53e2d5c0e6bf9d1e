"""The report as Word: real styles, captions and repeated table headers, for people who edit it; the same bytes for the same document."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import docx
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from tasks.report.blocks import Block, Document, Figure, Items, Paragraph, Table

_SHORT_MM, _LONG_MM, _MARGIN_MM = 210, 297, 20
#: Zip entries need a date; this is the earliest there is.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def render(document: Document) -> bytes:
    """The file's bytes."""
    made = docx.Document()
    made.styles["Normal"].font.name, made.styles["Normal"].font.size = "Calibri", Pt(10.5)
    made.styles["Caption"].font.size, made.styles["Caption"].font.color.rgb = Pt(9), RGBColor(0x33, 0x41, 0x4F)
    _number_headings(made)
    _properties(made, document)
    _page(made.sections[0], wide=False)
    _running(made.sections[0], document)
    if document.notice:
        made.add_paragraph(document.notice, style="Intense Quote")
    made.add_heading(document.title, level=0)
    made.add_paragraph(document.subtitle, style="Subtitle")
    wide = False
    for part in document.sections:
        if part.wide != wide:
            wide = part.wide
            _page(made.add_section(WD_SECTION.NEW_PAGE), wide=wide)
        made.add_heading(part.title, level=1)
        for block in part.blocks:
            _add(made, block, wide=wide)
    sink = io.BytesIO()
    made.save(sink)
    return _without_times(sink.getvalue())


# ---- the whole file -------------------------------------------------------------------------------------------------------


def _properties(made: Any, document: Document) -> None:
    properties = made.core_properties
    properties.title, properties.author, properties.last_modified_by = document.title[:255], "", ""
    properties.created = properties.modified = datetime(*_EPOCH)
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
    _field(below, "PAGE", "1")


def _number_headings(made: Any) -> None:
    """Headings count themselves, by a list of their own that the style `Heading 1` is bound to."""
    numbering = made.part.numbering_part.element
    # Lists must stand before their uses in the file, and the template has some of both.
    numbering.insert(0, _element("w:abstractNum", {"w:abstractNumId": "90"}, [
        _element("w:multiLevelType", {"w:val": "singleLevel"}),
        _element("w:lvl", {"w:ilvl": "0"}, [
            _element("w:start", {"w:val": "1"}), _element("w:numFmt", {"w:val": "decimal"}), _element("w:pStyle", {"w:val": "Heading1"}),
            _element("w:suff", {"w:val": "space"}), _element("w:lvlText", {"w:val": "%1"}), _element("w:lvlJc", {"w:val": "left"}),
        ]),
    ]))  # fmt: skip
    numbering.append(_element("w:num", {"w:numId": "90"}, [_element("w:abstractNumId", {"w:val": "90"})]))
    style = made.styles["Heading 1"].element.get_or_add_pPr()
    style._insert_numPr(_element("w:numPr", {}, [_element("w:numId", {"w:val": "90"})]))


def _element(name: str, attributes: dict[str, str], children: list[Any] | None = None) -> Any:
    made = OxmlElement(name)
    for key, value in attributes.items():
        made.set(qn(key), value)
    for child in children or ():
        made.append(child)
    return made


def _without_times(content: bytes) -> bytes:
    """The same archive with one fixed date for all its entries, in one order."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda entry: (entry != "[Content_Types].xml", entry)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return sink.getvalue()


# ---- blocks ---------------------------------------------------------------------------------------------------------------


def _add(made: Any, block: Block, *, wide: bool) -> None:
    if isinstance(block, Paragraph):
        made.add_paragraph(str(block.text), style="Quote" if block.emphasis else None)
    elif isinstance(block, Items):
        for item in block.items:
            made.add_paragraph(str(item), style="List Bullet")
    elif isinstance(block, Figure):
        line = (_LONG_MM if wide else _SHORT_MM) - 2 * _MARGIN_MM
        picture = made.add_picture(io.BytesIO(block.png), width=Mm(line * block.width))
        made.paragraphs[-1].paragraph_format.keep_with_next = True
        picture._inline.docPr.set("descr", block.alternative)  # python-docx has no public way to set alternative text
        _caption(made, "Figure", block)
    else:
        _caption(made, "Table", block)
        _table(made, block, wide=wide)


def _caption(made: Any, kind: str, block: Table | Figure) -> None:
    """A caption whose number is a field, so that Word renumbers it and cross-references find it."""
    paragraph = made.add_paragraph(f"{kind} ", style="Caption")
    _field(paragraph, f"SEQ {kind} \\* ARABIC", str(block.number))
    paragraph.add_run(f" {block.caption}.")
    paragraph.paragraph_format.keep_with_next = kind == "Table"


def _field(paragraph: Any, instruction: str, shown: str) -> None:
    text = OxmlElement("w:t")
    text.text = shown
    paragraph._p.append(_element("w:fldSimple", {"w:instr": f" {instruction} "}, [_element("w:r", {}, [text])]))


def _table(made: Any, block: Table, *, wide: bool) -> None:
    columns = len(block.header)
    table = made.add_table(rows=1 + len(block.rows), cols=columns, style="Light Shading")
    table.autofit = False
    line = (_LONG_MM if wide else _SHORT_MM) - 2 * _MARGIN_MM
    widths = [Mm(line * width / sum(block.widths)) for width in block.widths]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    cells = table._cells  # all at once: going by rows takes time that grows with the square of the table
    for place, text in enumerate(cell for row in (block.header, *block.rows) for cell in row):
        cell, column = cells[place], place % columns
        cell.width = widths[column]
        paragraph = cell.paragraphs[0]
        paragraph.paragraph_format.space_after = Pt(1)
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT if block.numeric[column] else None
        paragraph.add_run(str(text)).font.size = Pt(7.5 if wide else 8.5)
    for number, row in enumerate(table._tbl.tr_lst):
        properties = row.get_or_add_trPr()
        properties.append(_element("w:cantSplit", {}))
        if number == 0:
            properties.append(_element("w:tblHeader", {}))
    table._tbl.tblPr.append(_element("w:tblCaption", {"w:val": f"{block.label} {block.caption}."}))
    made.add_paragraph()
