"""A Word file: paragraphs and cells by heading and caption, properties, and every other part of the package by its content."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import docx
from docx.oxml.ns import qn

from tasks.report.publishing.reading import Sayings
from tasks.report.publishing.reading.package import parts


def read(content: bytes) -> Sayings:
    """What the document says."""
    found = Sayings()
    opened = docx.Document(io.BytesIO(content))
    section, block, tables = "before the first heading", "", iter(opened.tables)
    for element in opened.element.body.iterchildren():
        if element.tag == qn("w:tbl"):
            _table(next(tables), f"{section}{block}", found)
        elif element.tag == qn("w:p"):
            text = "".join(each.text or "" for each in element.iter(qn("w:t")))
            style = element.style or ""
            if style == "Heading1":
                section, block = text, ""
            if style == "Caption":
                block = f", {' '.join(text.split(' ')[:2])}"
            found.say(f"{section}{block}, paragraph", text)
            for picture in element.iter(qn("wp:docPr")):
                found.say(f"{section}, text for the figure", picture.get("descr", ""))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts(archive, found)
    return found


def _table(table: Any, place: str, found: Sayings) -> None:
    columns = len(table.columns)
    said = [cell.text for cell in table._cells]
    header = said[:columns]
    for number, text in enumerate(said):
        row, column = said[number - number % columns], header[number % columns]
        found.say(f"{place}, header" if number < columns else f"{place}, row {row!r}, column {column}", text)
