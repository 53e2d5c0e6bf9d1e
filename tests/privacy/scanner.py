"""Searches files of every kind that a night leaves, decoded, for planted identifiers.

It knows nothing of the code under test: it opens each file as its own reader would (pydicom, pyarrow, nibabel, zip, poppler, SQLite),
turns everything it finds into text, and looks for the identifiers in it, besides in the raw bytes in three encodings.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import re
import sqlite3
import subprocess
import unicodedata
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pypdf import PdfReader
from pypdf.generic import StreamObject

_WORD = re.compile(r"[^\W_]+")
_SEPARATORS = re.compile(r"[\s^=,;\\\x00]+")
#: From this length on an identifier is searched for anywhere; a shorter one only as a word of its own.
_ANYWHERE = 6


def plain(text: str) -> str:
    """Case and accents folded, component separators as spaces: `Müller^Ann` and `MULLER ANN` are the same."""
    if text.isascii():  # nothing to fold but its case
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFKD", text).casefold()
        marks = set(filter(unicodedata.combining, set(folded)))
        if marks:
            folded = folded.translate(dict.fromkeys(map(ord, marks)))
    return _SEPARATORS.sub(" ", folded).strip()


class Scanner:
    """Looks for a fixed set of identifiers."""

    def __init__(self, identifiers: Iterable[str]) -> None:
        values = {plain(value) for value in identifiers} - {""}
        self._long = sorted(value for value in values if len(value) >= _ANYWHERE)
        self._short = {value for value in values if len(value) < _ANYWHERE and not re.fullmatch(r"\d{1,3}|.", value)}

    def hits(self, text: str) -> set[str]:
        """The identifiers that stand in a text."""
        folded = plain(text)
        found = {value for value in self._long if value in folded}
        return found | (self._short & set(_WORD.findall(folded))) if self._short else found

    def search(self, root: Path) -> dict[str, set[str]]:
        """Every file below `root` (or `root` itself) that holds an identifier in its name or content."""
        paths = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
        found: dict[str, set[str]] = {}
        read: dict[object, set[str]] = {}
        for path in paths:
            name = str(path.relative_to(root)) if root.is_dir() else path.name
            key = tuple(path.suffixes[-2:]), sha256(path.read_bytes()).digest()
            if key not in read:  # what lies there twice is read once
                read[key] = {hit for text in texts(path) for hit in self.hits(text)}
            hits = self.hits(name) | read[key]
            if hits:
                found[name] = hits
        return found


def texts(path: Path) -> Iterator[str]:
    """All that a file says, by its kind."""
    content = path.read_bytes()
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".nii.gz") else path.suffix
    if suffix == ".dcm":
        yield from _dicom(content)
    elif suffix == ".parquet":
        yield from _parquet(path)
    elif suffix == ".nii.gz":
        yield from _raw(gzip.decompress(content)[:4096])
    elif suffix == ".pdf":
        yield from _pdf(path)
    elif suffix in {".docx", ".xlsx", ".zip"}:
        yield from _zip(content)
    elif content[:15] == b"SQLite format 3":
        yield from _sqlite(path)
    elif suffix in {".html", ".svg", ".xml"}:
        yield from _markup(content)
    elif suffix == ".png":
        yield from _picture(content)
    else:
        yield from _raw(content)


def _raw(content: bytes) -> Iterator[str]:
    yield content.decode("utf-8", "replace")
    yield content.decode("latin-1")
    for offset in (0, 1):
        yield content[offset:].decode("utf-16-le", "replace")
        yield content[offset:].decode("utf-16-be", "replace")


def _dicom(content: bytes) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be parsed is still searched for in the raw bytes below
        dataset = dcmread(io.BytesIO(content), force=True)
        pixels = dataset.pop("PixelData", None)
        said = [*_elements(dataset.file_meta), *_elements(dataset)]
    yield from said
    header = content.replace(bytes(pixels.value), b"") if pixels is not None and len(pixels.value) else content
    yield from _raw(header)


def _elements(dataset: Dataset) -> Iterator[str]:
    said = []
    for element in dataset.iterall():
        if element.VR != "SQ":
            value = element.value
            if isinstance(value, bytes):
                yield from _raw(value)
            else:
                said.append(
                    str(value) if not hasattr(value, "__iter__") or isinstance(value, str) else " \n ".join(map(str, value))
                )
    yield "\n".join(said)


def _parquet(path: Path) -> Iterator[str]:
    table = pq.read_table(path, partitioning=None)
    yield str(table.schema.to_string(show_field_metadata=True, show_schema_metadata=True))
    for column in table.columns:
        yield "\n".join(str(value) for value in column.to_pylist())


def _pdf(path: Path) -> Iterator[str]:
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    yield done.stdout.decode("utf-8", "replace")
    yield from pdf_texts(path.read_bytes())


def pdf_texts(content: bytes) -> Iterator[str]:
    """What a PDF says besides its pages as poppler reads them: properties, XMP, every string and stream unpacked, attachments."""
    reader = PdfReader(io.BytesIO(content))
    yield "\n".join(str(value) for value in (reader.metadata or {}).values())
    yield str(reader.xmp_metadata.rdf_root.toxml() if reader.xmp_metadata else "")
    for number in range(1, int(str(reader.trailer["/Size"]))):
        held = reader.get_object(number)
        if isinstance(held, StreamObject):
            data = held.get_data()
            yield from (data.decode("ascii"),) if data.isascii() and b"\0" not in data else _raw(data)
        yield str(held)
    yield from _raw(content)


def _markup(content: bytes) -> Iterator[str]:
    """A page with and without its tags, and what it holds as data URIs, unpacked."""
    text = content.decode("utf-8", "replace")
    yield html.unescape(text)
    yield html.unescape(re.sub(r"<[^>]+>", "", text))
    for kind, held in re.findall(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)", text):
        yield from _picture(base64.b64decode(held)) if kind == "image/png" else _markup(base64.b64decode(held))


def _picture(content: bytes) -> Iterator[str]:
    """The text chunks of a PNG, unpacked, and its raw bytes."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        yield "\n".join(f"{name} {value}" for name, value in picture.info.items())
    yield from _raw(content)


def _zip(content: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield archive.comment.decode("utf-8", "replace")
        for name in archive.namelist():
            yield name
            yield from _picture(archive.read(name)) if name.endswith(".png") else _markup(archive.read(name))


def _sqlite(path: Path) -> Iterator[str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield from _raw(value)
                    elif value is not None:
                        yield str(value)
    database.close()
