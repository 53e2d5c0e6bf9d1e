"""The report as PDF by Typst: tagged (PDF/UA-1), with bookmarks, and the same bytes for the same document on every machine."""

from __future__ import annotations

import json
import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from tasks.report.blocks import Block, Document, Figure, Items, Paragraph
from tasks.report.drawing import fonts


def render(document: Document) -> bytes:
    """The PDF's bytes. Text reaches Typst as data, so that no character of it can be markup."""
    with tempfile.TemporaryDirectory(prefix="safelight-report-") as name:
        folder = Path(name)
        sections = [
            {"title": section.title, "wide": section.wide, "blocks": [_block(block, folder) for block in section.blocks]}
            for section in document.sections
        ]
        content = {
            "title": document.title,
            "subtitle": document.subtitle,
            "notice": document.notice,
            "mark": document.mark,
            "language": document.language,
            "sections": sections,
        }
        (folder / "report.json").write_text(json.dumps(content, sort_keys=True), "utf-8")
        source = folder / "report.typ"
        source.write_text(files("tasks.report").joinpath("templates", "report.typ").read_text("utf-8"), "utf-8")
        made: bytes = typst.compile(
            source, font_paths=[fonts()], ignore_system_fonts=True, pdf_standards=["ua-1"], timestamp=0
        )  # fmt: skip
        return made


def _block(block: Block, folder: Path) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": str(block.text), "emphasis": block.emphasis}
    if isinstance(block, Items):
        return {"kind": "items", "items": list(map(str, block.items))}
    if isinstance(block, Figure):
        file = f"figure-{block.number}.svg"
        (folder / file).write_bytes(block.svg)
        return {
            "kind": "figure", "file": file, "caption": f"{block.caption}.", "alternative": block.alternative, "width": block.width,
        }  # fmt: skip
    return {
        "kind": "table",
        "caption": f"{block.caption}.",
        "header": list(block.header),
        "rows": [
            [_unbroken(str(cell)) if block.numeric[place] else str(cell) for place, cell in enumerate(row)] for row in block.rows
        ],
        "numeric": list(block.numeric),
        "widths": list(block.widths),
    }


def _unbroken(cell: str) -> str:
    """A number with its interval, so that no line ends inside the parentheses."""
    return _INTERVAL.sub(lambda found: found[0].replace("–", "\u2060–\u2060").replace(" ", "\u00a0"), cell)


#: What stands in parentheses and begins with a number.
_INTERVAL = re.compile(r"\([−+]?[\d∞][^)]*\)")
