"""The second reader's panel: one HTML page a study, with a table of findings; it loads nothing, runs no script, and marks no image."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.delivery.served import Served
from tasks.delivery.statements import FirstRead


def panel(
    one: Served, entries: Sequence[Mapping[str, Any]], identity: Mapping[str, str], first_read: FirstRead, zone: tzinfo
) -> bytes:
    """A page's bytes; the same input gives the same.

    Args:
        one: the model.
        entries: of `tasks.delivery.finding_rows.said`.
        identity: what the hospital calls the study. Others wrote it: all is escaped.
        first_read: must be final.
        zone: of the time since when it is.
    """
    if first_read.state != "final":
        raise ValueError("a panel is for a study whose first read is final")
    style = files("tasks.delivery").joinpath("templates", "panel.css").read_text("utf-8")
    since = "" if first_read.since is None else datetime.fromtimestamp(first_read.since, zone).strftime("%Y-%m-%d %H:%M %Z")
    page = _template().render(
        style=Markup(style), style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),  # noqa: S704 - our own
        identity=identity, manifest=one.manifest, entries=entries, since=since, corrected=first_read.corrected,
        made_by=f"Safelight {version('safelight')}",
    )  # fmt: skip
    return page.encode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["number"] = lambda value, digits: f"{value:.{digits}f}"
    environment.filters["percent"] = lambda share: f"{100 * share:.3g}"
    return environment.from_string(files("tasks.delivery").joinpath("templates", "panel.html").read_text("utf-8"))
