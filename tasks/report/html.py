"""The report as one self-contained HTML page: nothing is loaded from elsewhere, and all of it can be read without a script.

Its one script sorts tables; the page's policy names it by its SHA-256, so that no other can run.
"""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files

import jinja2
from markupsafe import Markup

from tasks.report.blocks import Block, Document, Figure
from tasks.report.numbers import Number, Part, Reference, Said, parts_of

#: Tables of so few rows are not sorted: they are cross tables and the like, whose rows have an order of their own.
_UNSORTED = 3


def render(document: Document) -> bytes:
    """The page's bytes; the same document gives the same."""
    script = _read("report.js")
    policy = f"sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}"
    return _template().render(document=document, script=Markup(script), script_hash=policy, unsorted=_UNSORTED).encode()  # noqa: S704  our own


@cache
def _read(name: str) -> str:
    return files("tasks.report").joinpath("templates", name).read_text("utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["kind"] = _kind
    environment.filters["said"] = _said
    environment.filters["value"] = _value
    return environment.from_string(_read("report.html"))


def _kind(block: Block) -> str:
    return type(block).__name__


def _said(said: Said) -> Markup:
    """Words, numbers and references; each number says where `results.json` has it."""
    return Markup().join(map(_part, parts_of(said)))


def _part(part: Part) -> Markup | str:
    if isinstance(part, Number):
        return Markup('<span data-at="{}">{}</span>').format(" ".join(part.at), part.text)
    if isinstance(part, Reference):
        return Markup('{}<a href="#{}">{}</a>{}').format(part.before, part.anchor, part.label, part.after) if str(part) else ""
    return part


def _value(cell: Said) -> Markup:
    """The attribute that a cell is sorted by: what the number is worth that it begins with; none where it begins with words."""
    first = parts_of(cell)[0]
    return (
        Markup(' data-value="{}"').format(repr(first.value))
        if isinstance(first, Number) and first.value is not None
        else Markup()
    )


def _data_uri(figure: Figure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg).decode()}"
