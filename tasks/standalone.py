"""HTML pages that stand alone: nothing is loaded, every value is escaped, and the browser runs the page's own script and no other."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup


@cache
def part(package: str, name: str) -> str:
    """The text of a file in a package's folder `templates`."""
    return files(package).joinpath("templates", name).read_text("utf-8")


@cache
def template(package: str, name: str) -> jinja2.Template:
    """A template of a package: all values are escaped, an undefined name is an error. Filters: `data_uri`, `sentence`, `thousands`."""
    loader = jinja2.FunctionLoader(lambda wanted: part(package, wanted))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        loader=loader,
    )  # fmt: skip
    environment.filters["data_uri"] = data_uri
    environment.filters["sentence"] = sentence
    environment.filters["thousands"] = thousands
    return environment.get_template(name)


def source_hash(text: str) -> str:
    """The source expression that lets a policy (Content Security Policy level 3, section 2.3.1) allow this style or script alone."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def data_uri(picture: bytes, media_type: str = "image/webp") -> str:
    """A picture within the page."""
    return f"data:{media_type};base64," + base64.b64encode(picture).decode()


def sentence(text: str) -> Markup:
    """A sentence of the catalogue of reasons: what stands between back quotes is code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts))


def thousands(n: int) -> str:
    """`2,000`."""
    return f"{n:,}"
