"""A PDF: lines by page, what is drawn, bookmarks, properties, XMP, attachments, and the texts that stand for figures."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from pypdf import PdfReader
from pypdf.generic import IndirectObject, StreamObject

from tasks.report.publishing.reading import Sayings

_STANDS_FOR = ("/Alt", "/ActualText")


def read(content: bytes) -> Sayings:
    """What the file says and shows. Lines are those that pypdf makes of the page."""
    found = Sayings()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    opened = PdfReader(io.BytesIO(content), strict=False)
    for name, value in (opened.metadata or {}).items():
        found.say(f"property {name}", str(value))
    if opened.xmp_metadata is not None:
        found.say("XMP", str(opened.xmp_metadata.rdf_root.toxml()))
    for number, page in enumerate(opened.pages, 1):
        for line, text in enumerate(page.extract_text().splitlines(), 1):
            found.say(f"page {number}, line {line}", text)
    for name, contents in opened.attachments.items():
        for attached in contents:
            found.say(f"attachment {name}", sha256(attached).hexdigest())
    for number, page in enumerate(opened.pages, 1):
        drawn = page.get_contents()
        found.say(f"page {number}, all that is drawn", sha256(drawn.get_data() if drawn is not None else b"").hexdigest())
    for place, kind, said in _objects(opened):
        found.say(f"object {place}, {kind}", said)
    return found


def _objects(opened: PdfReader) -> Iterator[tuple[str, str, str]]:
    """Everything that the file's trailer leads to: number of the object, kind, content."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("trailer", opened.trailer.get("/Root")), ("trailer", opened.trailer.get("/Info"))]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, IndirectObject):
            if value.idnum in seen:
                continue
            seen.add(value.idnum)
            place, value = str(value.idnum), value.get_object()
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in _STANDS_FOR:
                    yield place, f"text for a figure ({name[1:]})", str(inner)
                elif isinstance(inner, (dict, list, IndirectObject)):
                    waiting.append((place, inner))
                elif name != "/Length":
                    yield place, name, str(inner)
            if isinstance(value, StreamObject):
                yield place, "its content", sha256(value.get_data()).hexdigest()
        elif isinstance(value, list):
            waiting.extend((place, inner) for inner in value if isinstance(inner, (dict, list, IndirectObject)))
            yield place, "list", " ".join(str(inner) for inner in value if not isinstance(inner, (dict, list, IndirectObject)))
