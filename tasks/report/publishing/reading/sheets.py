"""A workbook (ECMA-376 SpreadsheetML): cells by sheet and address, and every part of the package by its content."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Any

from lxml import etree

from tasks.report.publishing.reading import Sayings
from tasks.report.publishing.reading.package import parts

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BOOK = "xl/workbook.xml"


def read(content: bytes) -> Sayings:
    """What the workbook says: text as text, numbers as they are stored."""
    found = Sayings()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        shared = _shared(archive.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else []
        links = etree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {each.get("Id"): posixpath.normpath(posixpath.join("/xl", each.get("Target"))).lstrip("/") for each in links}
        for sheet in etree.fromstring(archive.read(_BOOK)).iter(f"{_MAIN}sheet"):
            cells = etree.fromstring(archive.read(targets[sheet.get(_LINK)]))
            for cell in cells.iter(f"{_MAIN}c"):
                found.say(f"sheet {sheet.get('name')!r}, cell {cell.get('r')}", _value(cell, shared))
        parts(archive, found)
    return found


def _shared(content: bytes) -> list[str]:
    return [_text(each) for each in etree.fromstring(content).iter(f"{_MAIN}si")]


def _value(cell: Any, shared: list[str]) -> str:
    value = cell.findtext(f"{_MAIN}v") or ""
    if cell.get("t") == "s":
        return shared[int(value)]
    return _text(cell) if cell.get("t") == "inlineStr" else f"{cell.findtext(f'{_MAIN}f') or ''}{value}"


def _text(element: Any) -> str:
    return "".join(each.text or "" for each in element.iter(f"{_MAIN}t"))
