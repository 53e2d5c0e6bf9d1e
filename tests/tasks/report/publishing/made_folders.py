"""Report folders of the made-up results, made once for all tests, and ways to tamper with them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ByteStringObject, ContentStream, NameObject, StreamObject, TextStringObject

from tasks.evaluation.results import Results
from tasks.report.material import Material
from tasks.report.publishing.manifest import MANIFEST, RESULTS, describe
from tasks.report.render import files as made_again
from tests.once import once as shared
from tests.tasks.report import made

_made: dict[tuple[object, ...], dict[str, bytes]] = {}


def once(results: Results, content: bytes | None = None, material: Material | None = None) -> dict[str, bytes]:
    """`tasks.report.render.files`, remembered."""
    key = results.model_dump_json(), content, tuple(sorted((material or Material()).files().items()))
    if key not in _made:
        _made[key] = made_again(results, content, material)
    return dict(_made[key])


@cache
def _of(case: str) -> dict[str, bytes]:
    return shared(f"folder-{case}", lambda: once(getattr(made, case)()))


def whole(case: str = "realistic") -> dict[str, bytes]:
    """A report's folder as it should be."""
    return dict(_of(case))


def rehashed(files: dict[str, bytes], results: Results | None = None) -> dict[str, bytes]:
    """The folder with a manifest that fits: whoever changes a face can do that, too."""
    inside = {path: content for path, content in files.items() if path != MANIFEST}
    read = results or Results.model_validate_json(inside[RESULTS])
    return inside | {MANIFEST: describe(read, inside).to_json()}


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A ZIP archive with its entries changed, packed as before."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry, change(entry.filename, old.read(entry)))
    return sink.getvalue()


def rewritten(content: bytes, change: Callable[[PdfWriter], None]) -> bytes:
    """A PDF as pypdf writes it after a change."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    change(writer)
    sink = io.BytesIO()
    writer.write(sink)
    return sink.getvalue()


def another_drawing(writer: PdfWriter) -> None:
    """Move all of the first page by a point: no word of it changes."""
    drawn = writer.pages[0].get_contents()
    assert drawn is not None
    _draw(writer, b"q 1 0 0 1 1 0 cm\n" + drawn.get_data() + b"\nQ")


def other_glyphs(writer: PdfWriter) -> None:
    """Exchange two glyphs of the first page's longest line, as an editor of PDF files would."""
    page = writer.pages[0]
    content = ContentStream(page["/Contents"], writer)
    texts = [
        (operands[0] if operator == b"TJ" else operands, place)
        for operands, operator in content.operations
        if operator in {b"TJ", b"Tj"}
        for place, text in enumerate(operands[0] if operator == b"TJ" else operands)
        if isinstance(text, (ByteStringObject, TextStringObject))
    ]
    row, place = max(texts, key=lambda each: len(each[0][each[1]].original_bytes))
    glyphs = row[place].original_bytes
    codes = [glyphs[start : start + 2] for start in range(0, len(glyphs), 2)]
    other = next(number for number, code in enumerate(codes) if code != codes[0])
    codes[0], codes[other] = codes[other], codes[0]
    row[place] = ByteStringObject(b"".join(codes))
    _draw(writer, content.get_data())


def _draw(writer: PdfWriter, data: bytes) -> None:
    drawn = StreamObject()
    drawn.set_data(data)
    writer.pages[0][NameObject("/Contents")] = writer._add_object(drawn)


def manifest_with(files: dict[str, bytes], **change: object) -> dict[str, bytes]:
    """The folder with other facts in its manifest, written canonically."""
    said = json.loads(files[MANIFEST]) | change
    return files | {MANIFEST: (json.dumps(said, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()}
