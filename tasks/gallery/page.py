"""The gallery as one HTML page that stands alone: it loads nothing, works from a disk, and without a script is a plain list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from urllib.parse import quote

from markupsafe import Markup

from tasks.gallery.facts import BANDS, Row, card, reason
from tasks.standalone import part, source_hash, template

_PACKAGE = "tasks.gallery"

#: A volume: SeriesInstanceUID and volume_index.
Number = tuple[str, int]


def render(
    rows: Sequence[Row], pictures: Mapping[Number, bytes], *, title: str = "Quality gallery", base: str | None = None,
    splits: Mapping[Number, str] | None = None, left_out: Mapping[str, int] | None = None,
) -> bytes:  # fmt: skip
    """The page's bytes; the same input gives the same.

    Every value of a row is text that someone else wrote: all is escaped, and the page's policy lets the browser run its own script alone.

    Args:
        rows: by the names of the contract `volumes`; a column that is missing counts as null. They are shown in this order.
        pictures: WebP by (SeriesInstanceUID, volume_index); a file without one says so on its card.
        base: where the lake is from the page, as a relative path (`..`); None where a link cannot lead there.
        splits: of a release, by (SeriesInstanceUID, volume_index).
        left_out: of a release, how many volumes and parts were left out for which reason.
    """
    told = splits or {}
    cards = [card(row, told.get((row["SeriesInstanceUID"], row["volume_index"]), "")) for row in rows]
    style, script = part(_PACKAGE, "gallery.css"), part(_PACKAGE, "gallery.js")
    page = template(_PACKAGE, "gallery.html").render(
        title=title, link=_link, counts=_counts(rows), cards=cards, pictures=pictures, base=base, bands=BANDS,
        style=Markup(style), style_hash=source_hash(style), script=Markup(script), script_hash=source_hash(script),  # noqa: S704 - our own files
        left_out=[(code, reason(code)[0], n) for code, n in (left_out or {}).items()],
        made_by=f"Made by Safelight {version('safelight')} from the table volumes.",
    )  # fmt: skip
    return page.encode()


def _counts(rows: Sequence[Row]) -> str:
    held = sum(row.get("status") == "quarantined" for row in rows)
    parts = [
        f"{len(rows) - held:,} volumes and images", f"{held:,} quarantined",
        f"{len({row['SeriesInstanceUID'] for row in rows}):,} series", f"{len({row['StudyInstanceUID'] for row in rows}):,} studies",
        f"{len({row['PatientID'] for row in rows}):,} patients",
    ]  # fmt: skip
    return " · ".join(parts)


def _link(path: str, base: str) -> str:
    """A path of the lake from the page; it begins with a dot, so that no text can make another scheme of it."""
    return quote(f"./{base}/{path}" if base else f"./{path}")
