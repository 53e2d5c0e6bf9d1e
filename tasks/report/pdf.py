"""The report as PDF by Typst: tagged (PDF/UA-1), with bookmarks, and the same bytes for the same document on every machine.

The archival form is PDF/A-3a as well, with `results.json` in it.
"""

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
from tasks.report.numbers import Reference, Said, parts_of

_ATTACHED = "results.json"


def render(document: Document, archive: bytes | None = None) -> bytes:
    """The PDF's bytes. Text reaches Typst as data, so that no character of it can be markup.

    Args:
        archive: the `results.json` to attach to an archival PDF. PDF/A asks for a date: it is 1980-01-01, as in all files that need one.
    """
    with tempfile.TemporaryDirectory(prefix="safelight-report-") as name:
        folder = Path(name)
        sections = [
            {
                "title": section.title,
                "wide": section.wide,
                "anchor": section.anchor,
                "blocks": [_block(block, folder) for block in section.blocks],
            }
            for section in document.sections
        ]
        content = {
            "title": document.title,
            "subtitle": document.subtitle,
            "notice": document.notice,
            "mark": document.mark,
            "language": document.language,
            "attached": _ATTACHED if archive is not None else "",
            "sections": sections,
        }
        if archive is not None:
            (folder / _ATTACHED).write_bytes(archive)
        (folder / "report.json").write_text(json.dumps(content, sort_keys=True), "utf-8")
        source = folder / "report.typ"
        source.write_text(files("tasks.report").joinpath("templates", "report.typ").read_text("utf-8"), "utf-8")
        made: bytes = typst.compile(
            source, font_paths=[fonts()], ignore_system_fonts=True, timestamp=0,
            pdf_standards=["ua-1"] if archive is None else ["ua-1", "a-3a"],
        )  # fmt: skip
        return made


def _block(block: Block, folder: Path) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": _said(block.text), "emphasis": block.emphasis}
    if isinstance(block, Items):
        return {"kind": "items", "items": list(map(_said, block.items))}
    counted = {"caption": f"{block.caption}.", "anchor": block.anchor}
    if isinstance(block, Figure):
        file = f"figure-{block.number}.svg"
        (folder / file).write_bytes(block.svg)
        return {"kind": "figure", "file": file, "alternative": block.alternative, "width": block.width, **counted}
    return {
        "kind": "table",
        "header": list(block.header),
        "rows": [[_said(cell, unbroken=numeric) for cell, numeric in zip(row, block.numeric, strict=True)] for row in block.rows],
        "numeric": list(block.numeric),
        "widths": list(block.widths),
        **counted,
    }


def _said(said: Said, *, unbroken: bool = False) -> str | list[str | dict[str, str]]:
    """Text; in parts where some of them are links. `unbroken`: no line ends inside the parentheses of a number with its interval."""
    written = str(said)
    if not any(isinstance(part, Reference) for part in parts_of(said)):
        return _unbroken(written) if unbroken else written
    return [
        {"before": part.before, "text": part.label or "", "after": part.after, "to": part.anchor}
        if isinstance(part, Reference)
        else str(part)
        for part in parts_of(said)
        if str(part)
    ]


def _unbroken(cell: str) -> str:
    """A number with its interval, so that no line ends inside the parentheses."""
    return _INTERVAL.sub(lambda found: found[0].replace("–", "\u2060–\u2060").replace(" ", "\u00a0"), cell)


#: What stands in parentheses and begins with a number.
_INTERVAL = re.compile(r"\([−+]?[\d∞][^)]*\)")
