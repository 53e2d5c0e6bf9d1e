"""The report as PDF by Typst: tagged (PDF/UA-1), with bookmarks, and the same bytes for the same document."""

from __future__ import annotations

import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from tasks.report.document import Block, Document, Figure, Items, Paragraph


def render(document: Document) -> bytes:
    """The PDF's bytes. Text reaches Typst as data, so that no character of it can be markup."""
    with tempfile.TemporaryDirectory(prefix="safelight-report-") as name:
        folder = Path(name)
        sections = [
            {"title": section.title, "blocks": [_block(block, folder) for block in section.blocks]}
            for section in document.sections
        ]
        content = {
            "title": document.title,
            "subtitle": document.subtitle,
            "notice": document.notice,
            "running": "SYNTHETIC DATA" if document.notice else "",
            "language": document.language,
            "sections": sections,
        }
        (folder / "report.json").write_text(json.dumps(content, sort_keys=True), "utf-8")
        source = folder / "report.typ"
        source.write_text(files("tasks.report").joinpath("templates", "report.typ").read_text("utf-8"), "utf-8")
        made: bytes = typst.compile(source, pdf_standards=["ua-1"], timestamp=0)
        return made


def _unbroken(cell: str) -> str:
    """A number with its interval, so that no line ends inside the parentheses."""
    return cell.replace("–", "\u2060–\u2060")


def _block(block: Block, folder: Path) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": block.text, "emphasis": block.emphasis}
    if isinstance(block, Items):
        return {"kind": "items", "items": list(block.items)}
    if isinstance(block, Figure):
        (folder / f"{block.name}.svg").write_bytes(block.svg)
        drawn = {"file": f"{block.name}.svg", "caption": block.caption, "alternative": block.alternative, "width": block.width}
        return {"kind": "figure", **drawn}
    return {
        "kind": "table",
        "caption": block.caption,
        "header": list(block.header),
        "rows": [[_unbroken(cell) if block.numeric[place] else cell for place, cell in enumerate(row)] for row in block.rows],
        "numeric": list(block.numeric),
        "widths": list(block.widths or [1.0] * len(block.header)),
        "note": block.note,
    }
