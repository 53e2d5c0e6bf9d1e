"""Draws `docs/images/night.svg` from the code's own stages. `python -m tasks.night_picture [FILE]`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tasks.stage import COHORT_STAGES, NIGHT, STUDY_STAGES


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one stage is drawn: what it does, and what it leaves where."""

    does: str
    leaves: str
    zone: str


#: A stage that is missing here cannot be drawn: `picture` then raises KeyError.
LEGEND = {
    "pull": Drawn("C-FIND, C-MOVE, every instance", "vault/spool", "vault"),
    "deidentify": Drawn("PS3.15, Safe Harbor, a proof", "lake/dicom · vault/quarantine", "vault"),
    "volumes": Drawn("geometry with a certificate", "lake/volumes · tables", "lake"),
    "infer": Drawn("each model version, gates first", "predictions · boxes · outlines", "lake"),
    "deliver": Drawn("worklists, panels, service levels", "vault/worklist · lake/worklist", "vault"),
    "return": Drawn("SR, SEG, presentation states", "the PACS · lake/results", "vault"),
    "import": Drawn("the hospital's labels, new keys", "tables/reference · cohort", "vault"),
    "evaluate": Drawn("every subgroup, with intervals", "results/results.json", "lake"),
    "publish": Drawn("one document, three faces", "reports/ HTML PDF DOCX", "lake"),
}

_WIDTH, _HEIGHT, _GAP, _LEFT, _TOP = 200, 84, 34, 150, 62
_INK, _VAULT, _LAKE, _LINE = "#1c2733", "#fdeeee", "#eaf3fb", "#5b6b7b"


def picture() -> str:
    """The night as SVG: the stages that take study by study above, those that take all studies together below."""
    rows = (STUDY_STAGES, COHORT_STAGES)
    width = _LEFT + max(len(row) for row in rows) * (_WIDTH + _GAP) + 10
    height = _TOP + len(rows) * (_HEIGHT + 78)
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" fill="{_INK}">',
        "<title>The night</title>",
        f"<desc>{escape(' then '.join(NIGHT))}</desc>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="34" font-size="15">study by study: one is de-identified while the next is pulled</text>',
        f'<text x="{_LEFT}" y="{_TOP + _HEIGHT + 64}" font-size="15">then all of them together</text>',
        *_box(14, _TOP, 96, "PACS", "", "", "#f4f4f0"),
        _arrow(110, _LEFT, _TOP),
    ]
    for number, row in enumerate(rows):
        top = _TOP + number * (_HEIGHT + 78)
        for place, stage in enumerate(row):
            drawn = LEGEND[stage]
            left = _LEFT + place * (_WIDTH + _GAP)
            shapes += _box(left, top, _WIDTH, stage, drawn.does, drawn.leaves, _VAULT if drawn.zone == "vault" else _LAKE)
            if place:
                shapes.append(_arrow(left - _GAP, left, top))
    legend_top = height - 26
    for left, colour, said in (
        (_LEFT, _VAULT, "opens the vault (identified)"),
        (_LEFT + 240, _LAKE, "sees only the lake (de-identified)"),
    ):
        shapes.append(f'<rect x="{left}" y="{legend_top - 12}" width="16" height="16" rx="3" fill="{colour}" stroke="{_LINE}"/>')
        shapes.append(f'<text x="{left + 24}" y="{legend_top + 1}" font-size="13">{escape(said)}</text>')
    return "\n".join([*shapes, "</svg>"]) + "\n"


def _box(left: int, top: int, width: int, name: str, does: str, leaves: str, colour: str) -> list[str]:
    middle = left + width // 2
    lines = [
        f'<rect x="{left}" y="{top}" width="{width}" height="{_HEIGHT}" rx="8" fill="{colour}" stroke="{_LINE}" stroke-width="1.4"/>',
        f'<text x="{middle}" y="{top + (28 if does else 48)}" font-size="17" font-weight="600" text-anchor="middle">{escape(name)}</text>',
    ]
    if does:
        lines.append(f'<text x="{middle}" y="{top + 50}" font-size="11.5" text-anchor="middle">{escape(does)}</text>')
        lines.append(
            f'<text x="{middle}" y="{top + 70}" font-size="11" fill="{_LINE}" text-anchor="middle">→ {escape(leaves)}</text>'
        )
    return lines


def _arrow(start: int, end: int, top: int) -> str:
    middle = top + _HEIGHT // 2
    return f'<path d="M{start} {middle}H{end - 2}" stroke="{_LINE}" stroke-width="1.8" fill="none" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/night.svg").write_text(picture(), "utf-8")
