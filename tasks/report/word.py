"""What Word has and python-docx has no name for: fields, bookmarks, counted headings, a table of contents, one date for a whole file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt

#: Zip entries need a date; this is the earliest there is.
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
#: How Word calls languages: it wants a country.
_LANGUAGES: Final = {"en": "en-GB"}


def element(name: str, attributes: dict[str, str] | None = None, children: Sequence[Any] = ()) -> Any:
    """An XML element of the prefix `w`."""
    made = OxmlElement(name)
    for key, value in (attributes or {}).items():
        made.set(qn(key), value)
    made.extend(children)
    return made


# ---- fields and bookmarks -------------------------------------------------------------------------------------------------


def add_field(parent: Any, instruction: str, shown: str) -> None:
    """Append a field to a paragraph's or a link's element, and what it shows until Word works it out anew."""
    parent.extend([*_before(instruction), _run(shown), _mark("end")])


def _before(instruction: str) -> list[Any]:
    said = element("w:instrText", {"xml:space": "preserve"})
    said.text = f" {instruction} "
    return [_mark("begin"), element("w:r", children=[said]), _mark("separate")]


def _mark(kind: str) -> Any:
    return element("w:r", children=[element("w:fldChar", {"w:fldCharType": kind})])


def _run(said: str) -> Any:
    text = element("w:t", {"xml:space": "preserve"})
    text.text = said
    return element("w:r", children=[text])


class Bookmarks:
    """Bookmarks of one document, counted as Word wants it. Their names begin with `_`, so that Word lists them nowhere."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def around(self, paragraph: Any, *names: str) -> None:
        """Put all that a paragraph has so far into bookmarks."""
        for name in names:
            number = str(next(self._numbers))
            content = [child for child in paragraph._p if child.tag != qn("w:pPr")]
            content[0].addprevious(element("w:bookmarkStart", {"w:id": number, "w:name": name}))
            paragraph._p.append(element("w:bookmarkEnd", {"w:id": number}))


def add_contents(document: Any, entries: Sequence[tuple[str, str]]) -> None:
    """A table of contents: a field over the headings, filled with links, each a bookmark and its text.

    It names no pages, which only Word knows: so it is right before anybody lets Word update it, and stays so.
    """
    for place, (bookmark, said) in enumerate(entries):
        paragraph = document.add_paragraph(style="toc 1")._p
        if place == 0:
            paragraph.extend(_before('TOC \\o "1-1" \\n \\h \\z'))
        paragraph.append(element("w:hyperlink", {"w:anchor": bookmark, "w:history": "1"}, [_run(said)]))
        if place == len(entries) - 1:
            paragraph.append(_mark("end"))


# ---- the whole file -------------------------------------------------------------------------------------------------------


def add_style(document: Any, name: str, *, size: float | None = None, after: float = 0, based: str = "Normal") -> Any:
    """A paragraph style; sizes and distances in points."""
    made = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    made.base_style = document.styles[based]
    made.font.size = Pt(size) if size else None
    made.paragraph_format.space_after = Pt(after)
    return made


def add_table_style(document: Any, name: str) -> None:
    """A table style: a line below the header, fine ones between rows, every other row shaded, narrow margins."""
    line = {"w:val": "single", "w:space": "0"}
    margins = [element(f"w:{side}", {"w:w": "45", "w:type": "dxa"}) for side in ("left", "right")]
    look = [
        element("w:tblStyleRowBandSize", {"w:val": "1"}),
        element(
            "w:tblBorders",
            children=[element(f"w:{side}", line | {"w:sz": "4", "w:color": "D5DDE5"}) for side in ("bottom", "insideH")],
        ),
        element("w:tblCellMar", children=margins),
    ]
    below = element("w:tcBorders", children=[element("w:bottom", line | {"w:sz": "8", "w:color": "526170"})])
    shade = element("w:shd", {"w:val": "clear", "w:color": "auto", "w:fill": "F5F8FB"})
    bold = element("w:rPr", children=[element("w:b")])
    head = element("w:tcPr", children=[below, element("w:vAlign", {"w:val": "bottom"})])
    document.styles.element.append(element("w:style", {"w:type": "table", "w:customStyle": "1", "w:styleId": name.replace(" ", "")}, [
        element("w:name", {"w:val": name}), element("w:basedOn", {"w:val": "TableNormal"}), element("w:tblPr", children=look),
        element("w:tblStylePr", {"w:type": "firstRow"}, [bold, head]),
        element("w:tblStylePr", {"w:type": "band2Horz"}, [element("w:tcPr", children=[shade])]),
    ]))  # fmt: skip


def set_language(document: Any, language: str) -> None:
    """The language that Word checks the spelling in and reads aloud."""
    written = _LANGUAGES.get(language, language)
    for found in document.styles.element.iter(qn("w:lang")):
        found.set(qn("w:val"), written)
    for found in document.settings.element.iter(qn("w:themeFontLang")):
        found.set(qn("w:val"), written)


def number_headings(document: Any) -> None:
    """Headings count themselves, by a list of their own that the style `Heading 1` is bound to."""
    numbering = document.part.numbering_part.element
    # Lists must stand before their uses in the file, and the template has some of both.
    numbering.insert(0, element("w:abstractNum", {"w:abstractNumId": "90"}, [
        element("w:multiLevelType", {"w:val": "singleLevel"}),
        element("w:lvl", {"w:ilvl": "0"}, [
            element("w:start", {"w:val": "1"}), element("w:numFmt", {"w:val": "decimal"}), element("w:pStyle", {"w:val": "Heading1"}),
            element("w:suff", {"w:val": "space"}), element("w:lvlText", {"w:val": "%1"}), element("w:lvlJc", {"w:val": "left"}),
        ]),
    ]))  # fmt: skip
    numbering.append(element("w:num", {"w:numId": "90"}, [element("w:abstractNumId", {"w:val": "90"})]))
    style = document.styles["Heading 1"].element.get_or_add_pPr()
    style._insert_numPr(element("w:numPr", {}, [element("w:numId", {"w:val": "90"})]))


def without_times(content: bytes) -> bytes:
    """The same archive with one fixed date for all its entries, in one order."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda entry: (entry != "[Content_Types].xml", entry)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return sink.getvalue()
