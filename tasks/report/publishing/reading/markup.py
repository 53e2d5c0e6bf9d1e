"""A page of HTML: words by heading and block, cells by row and column, figures by their drawing and the text that stands for it."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from lxml import html

from tasks.report.publishing.reading import Sayings

_WORDS = {"h1": "title", "h2": "heading", "p": "paragraph", "li": "item", "figcaption": "caption", "title": "title of the window"}


def read(content: bytes) -> Sayings:
    """What the page says, and where each of its numbers says that it comes from."""
    found = Sayings()
    section, block = "head", ""
    root = html.document_fromstring(content, parser=html.HTMLParser(encoding="utf-8"))
    for element in root.iter():
        tag, text = element.tag, _words(element)
        if tag in {"h1", "h2"}:
            section, block = re.sub(r"^\d+|#$", "", text), ""
        if tag == "figure":
            block = next((f", {_words(label)}" for label in element.iter() if label.get("class") == "label"), "")
        if tag in _WORDS:
            found.say(f"{section}{block}, {_WORDS[tag]}", text)
        elif tag == "td" or (tag == "th" and element.get("scope") == "row"):
            found.say(f"{section}{block}, {_cell(element)}", text)
        elif tag == "th":
            found.say(f"{section}{block}, header of column {_place(element)}", text)
        elif tag == "meta":
            found.say(f"head, {element.get('name') or element.get('http-equiv') or 'charset'}", element.get("content", ""))
        elif tag == "img":
            found.say(f"{section}{block}, text for the figure", element.get("alt", ""))
            found.say(f"{section}{block}, drawing", sha256(element.get("src", "").encode()).hexdigest())
        if element.get("data-at") is not None:
            found.say(f"{section}{block}, source of a number", element.get("data-at"))
    return found


def _words(element: Any) -> str:
    return " ".join(element.text_content().split(" ")) if isinstance(element.tag, str) else ""


def _place(cell: Any) -> int:
    return 1 + sum(1 for _ in cell.itersiblings(preceding=True))


def _cell(cell: Any) -> str:
    """`row F, column AUC`."""
    row, number = cell.getparent(), _place(cell)
    table = next(cell.iterancestors("table"))
    header = [_words(each) for each in table.iter("th") if each.get("scope") == "col"]
    return f"row {_words(row[0])!r}, column {header[number - 1] if number <= len(header) else number}"
