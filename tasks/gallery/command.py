"""The command `safelight gallery`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tasks.console import DONE, INCOMPLETE, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.gallery.members import listed, of_release, rows
from tasks.gallery.members import since as published_since
from tasks.gallery.page import Number, render
from tasks.gallery.pictures import missing, pictures
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.stage import Outcome


def gallery(
    lake: Annotated[str, typer.Option(help="The lake: a folder or an s3:// URL.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The page that is written.")] = Path("gallery.html"),
    release: Annotated[
        str | None, typer.Option(help="Only the members of this release, with their splits.", show_default=False)
    ] = None,
    studies: Annotated[
        Path | None,
        typer.Option(help="Only these studies: a file with the column StudyInstanceUID, or one key a line.", show_default=False),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only studies whose volumes were published since then: last evening, for a night.", show_default=False),
    ] = None,
) -> None:
    """Show every volume on one page: three middle planes, geometry, flags, and what was quarantined and why.

    The page stands alone: it loads nothing, and can be sent as one file. Exit code 1: a volume has no picture.

    Example: `safelight gallery --lake lake --out gallery.html`
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        wanted = listed(studies) if studies is not None else None
        if since is not None and wanted is not None:
            raise ConfigurationError("E-GALLERY-CHOICE")
        with boundary("gallery", errors):
            # not opened to be written: a path that is mistyped stays as it is
            zone = Lake(lake if "://" in lake else str(Path(lake).expanduser().absolute()))
            shown = rows(zone, wanted if since is None else published_since(zone, since))
            splits: dict[Number, str] = {}
            left_out: dict[str, int] = {}
            if release is not None:
                shown, splits, left_out = of_release(zone, release, shown)
            with progress("gallery", sum(bool(row["path"]) for row in shown)) as advance:
                found = pictures(zone, shown, lambda: advance("", Outcome("done")))
            title = f"Quality gallery: {release}" if release is not None else "Quality gallery"
            page = render(shown, found, title=title, base=_from(out, zone), splits=splits, left_out=left_out)
            try:
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_bytes(page)
            except OSError:
                raise ConfigurationError("E-GALLERY-OUTPUT", str(out)) from None
        without, held = missing(shown, found), sum(row["status"] == "quarantined" for row in shown)
        say(
            f"gallery: {len(shown) - held} volumes and images, {held} quarantined"
            + (f", {without} without a picture" if without else "")
            + f"; {len(page) / 1e6:.1f} MB in {out}"
        )
        raise typer.Exit(INCOMPLETE if without else DONE)


def _from(out: Path, lake: Lake) -> str | None:
    """Where the lake is from the page; None for an object store, or another drive."""
    if lake.root is None:
        return None
    try:
        return Path(os.path.relpath(lake.root.resolve(), out.absolute().parent.resolve())).as_posix()
    except ValueError:
        return None
