"""Failure conditions of PDF/UA-1 that a program can find, by their numbers in the Matterhorn Protocol 1.1 (PDF Association), with pikepdf.

Not all of them: those of what reports have, which are text, headings, lists, tables, figures and links. Besides, what PDF/A-3a asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

_STANDARD = {
    "Document", "Part", "Art", "Sect", "Div", "BlockQuote", "Caption", "TOC", "TOCI", "Index", "NonStruct", "Private", "P", "H",
    "H1", "H2", "H3", "H4", "H5", "H6", "L", "LI", "Lbl", "LBody", "Table", "TR", "TH", "TD", "THead", "TBody", "TFoot", "Span",
    "Quote", "Note", "Reference", "BibEntry", "Code", "Link", "Annot", "Ruby", "RB", "RT", "RP", "Warichu", "WT", "WP",
    "Figure", "Formula", "Form",
}  # fmt: skip
#: Element → what may stand in it (ISO 32000-1, tables 333, 336 and 337), and what it may stand in.
_CHILDREN = {
    "TOC": {"TOC", "TOCI", "Caption"}, "TOCI": {"Lbl", "Reference", "NonStruct", "P", "TOC"}, "L": {"LI", "Caption", "L"}, "LI": {"Lbl", "LBody"},
    "Table": {"TR", "THead", "TBody", "TFoot", "Caption"}, "THead": {"TR"}, "TBody": {"TR"}, "TFoot": {"TR"}, "TR": {"TH", "TD"},
}  # fmt: skip
_PARENTS = {
    "TOCI": {"TOC"}, "LI": {"L"}, "LBody": {"LI"}, "TR": {"Table", "THead", "TBody", "TFoot"}, "TH": {"TR"}, "TD": {"TR"},
    "THead": {"Table"}, "TBody": {"Table"}, "TFoot": {"Table"},
}  # fmt: skip
_SYNTAX = {"T": "09-004", "L": "09-005", "TOC": "09-006"}
#: Operators that put something on the page: text, paths, pictures, shadings, inline pictures.
_PAINT = {"Tj", "TJ", "'", '"', "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "Do", "sh", "INLINE IMAGE"}


def failures(pdf: Pdf) -> set[str]:
    """The numbers of the conditions that hold."""
    return {number for check in (_metadata, _structure, _content, _annotations, _fonts) for number in check(pdf)}


# ---- the document --------------------------------------------------------------------------------------------------------


def _metadata(pdf: Pdf) -> Iterator[str]:
    root = pdf.Root
    if "/Metadata" not in root:
        yield "06-001"
        return
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as found:
        if found.get("pdfuaid:part") != "1":
            yield "06-002"
        if not found.get("dc:title"):
            yield "06-003"
    display = root.get("/ViewerPreferences", Dictionary()).get("/DisplayDocTitle")
    yield from {None: ["07-001"], False: ["07-002"]}.get(display, [])
    if not str(root.get("/Lang", "")):
        yield "11-006"
    marks = root.get("/MarkInfo", Dictionary())
    if not marks.get("/Marked", False):
        yield "ISO 14289-1, 7.1"
    if marks.get("/Suspects", False):
        yield "01-007"
    if pdf.is_encrypted:
        yield "26-001"


# ---- the tree of structure ------------------------------------------------------------------------------------------------


def elements(pdf: Pdf) -> Iterator[tuple[str, Any, str]]:
    """Type, element and the type of the element above, in reading order; types are mapped to standard ones."""
    root = pdf.Root.StructTreeRoot
    roles = {name.removeprefix("/"): str(role).removeprefix("/") for name, role in root.get("/RoleMap", Dictionary()).items()}

    def walk(above: Any, kind: str) -> Iterator[tuple[str, Any, str]]:
        children = above.get("/K", Array())
        for child in children if isinstance(children, Array) else [children]:
            if isinstance(child, Dictionary) and "/S" in child:
                name = str(child.S).removeprefix("/")
                mapped = roles.get(name, name)
                yield mapped, child, kind
                yield from walk(child, mapped)

    yield from walk(root, "")


def attributes(element: Any) -> dict[str, Any]:
    """All attributes of an element."""
    found = element.get("/A", Array())
    return {name: value for owner in (found if isinstance(found, Array) else [found]) for name, value in owner.items()}


def _structure(pdf: Pdf) -> Iterator[str]:
    levels = [0]
    for kind, element, above in elements(pdf):
        if kind not in _STANDARD:
            yield "02-001"
        family = "TOC" if "TOC" in (kind + above) else "L" if kind.startswith("L") or above.startswith("L") else "T"
        if (above in _CHILDREN and kind not in _CHILDREN[above]) or (kind in _PARENTS and above not in _PARENTS[kind]):
            yield _SYNTAX[family]
        if kind == "Figure" and not str(element.get("/Alt", element.get("/ActualText", ""))):
            yield "13-004"
        if kind == "TH" and "/Scope" not in attributes(element) and "/ID" not in element:
            yield "15-003"
        if kind[:1] == "H" and kind[1:].isdecimal():
            levels.append(int(kind[1:]))
    if levels[1:2] not in ([], [1]):
        yield "14-002"
    if any(after > before + 1 for before, after in pairwise(levels[1:])):
        yield "14-003"


# ---- pages ---------------------------------------------------------------------------------------------------------------


def _content(pdf: Pdf) -> Iterator[str]:
    for page in pdf.pages:
        open_marks: list[str] = []
        for instruction in pikepdf.parse_content_stream(page):
            operator = str(instruction.operator)
            if operator in {"BDC", "BMC"}:
                kind = "artifact" if instruction.operands[0] == Name.Artifact else "tagged" if operator == "BDC" else ""
                if kind == "artifact" and "tagged" in open_marks:
                    yield "01-003"
                if kind == "tagged" and "artifact" in open_marks:
                    yield "01-004"
                open_marks.append(kind)
            elif operator == "EMC":
                open_marks.pop()
            elif operator in _PAINT and not {"artifact", "tagged"} & set(open_marks):
                yield "01-005"


def _annotations(pdf: Pdf) -> Iterator[str]:
    linked = {
        part.Obj.objgen if part.Obj.is_indirect else id(part)
        for kind, element, _ in elements(pdf)
        if kind == "Link"
        for part in (element.K if isinstance(element.K, Array) else [element.K])
        if isinstance(part, Dictionary) and part.get("/Type") == Name.OBJR
    }
    found = [(page, note) for page in pdf.pages for note in page.get("/Annots", Array())]
    for page, note in found:
        if "/Tabs" not in page:
            yield "28-008"
        elif page.Tabs != Name.S:
            yield "28-009"
        if note.Subtype == Name.Link and not str(note.get("/Contents", "")):
            yield "28-012"
        if note.Subtype == Name.Link and "/StructParent" not in note:
            yield "28-011"
    if sum(note.Subtype == Name.Link for _, note in found) > len(linked):
        yield "28-011"


def _fonts(pdf: Pdf) -> Iterator[str]:
    for font in (each for each in pdf.objects if isinstance(each, Dictionary) and each.get("/Type") == Name.Font):
        for own in font.get("/DescendantFonts", Array([font])):
            if (
                not {"/FontFile", "/FontFile2", "/FontFile3"} & set(own.get("/FontDescriptor", Dictionary()).keys())
                and font.Subtype != Name.Type3
            ):
                yield "31-009"
        if font.Subtype == Name.Type0 and "/ToUnicode" not in font:
            yield "31-027"


# ---- PDF/A-3a ------------------------------------------------------------------------------------------------------------


def archival_failures(pdf: Pdf) -> set[str]:
    """What ISO 19005-3 at level A asks for and is not there; each by the number of its clause."""
    found = set()
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
        if (metadata.get("pdfaid:part"), metadata.get("pdfaid:conformance")) != ("3", "A"):
            found.add("6.6.4")
    if not any(
        intent.get("/S") == Name.GTS_PDFA1 and "/DestOutputProfile" in intent
        for intent in pdf.Root.get("/OutputIntents", Array())
    ):
        found.add("6.2.3")
    if "/ID" not in pdf.trailer or pdf.is_encrypted:
        found.add("6.1.3")
    if {"/OpenAction", "/AA"} & set(pdf.Root.keys()) or "/JavaScript" in pdf.Root.get("/Names", Dictionary()):
        found.add("6.5.1")
    related = [each.objgen for each in pdf.Root.get("/AF", Array()) if each.is_indirect]
    for file in pdf.attachments.values():
        specification = file.obj
        if not {"/F", "/UF", "/EF", "/AFRelationship"} <= set(specification.keys()) or "/Subtype" not in specification.EF.F:
            found.add("6.8")
        if specification.is_indirect and specification.objgen not in related:
            found.add("6.8")
    return found
