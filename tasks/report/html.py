"""The report as one self-contained HTML page: nothing is loaded from elsewhere, nothing needs a script."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from tasks.report.blocks import Block, Document, Figure
from tasks.report.numbers import Number, Said, Text


def render(document: Document) -> bytes:
    """The page's bytes; the same document gives the same."""
    return _template().render(document=document).encode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["kind"] = _kind
    environment.filters["said"] = _said
    return environment.from_string(files("tasks.report").joinpath("templates", "report.html").read_text("utf-8"))


def _kind(block: Block) -> str:
    return type(block).__name__


def _said(said: Said) -> Markup:
    """Words and numbers; each number says where `results.json` has it."""
    parts = said.parts if isinstance(said, Text) else (said,)
    return Markup().join(
        Markup('<span data-at="{}">{}</span>').format(" ".join(part.at), part.text) if isinstance(part, Number) else part
        for part in parts
    )


def _data_uri(figure: Figure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg).decode()}"
