"""Whatever a report is made of, unpacked: no date finer than a year, no time of day, no host, user or path, and no small cell."""

from __future__ import annotations

import base64
import io
import re
import socket
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from pypdf import PdfWriter

from tasks.report.publishing.archive import Archive
from tasks.report.publishing.index import refresh
from tasks.report.render import files
from tests.privacy.scanner import Scanner, texts
from tests.tasks.report.made import bare, nothing
from tests.tasks.report.publishing.made_folders import repacked, rewritten, whole

pytestmark = pytest.mark.peer("pdftotext")

YEAR = 2031
CHECKLISTS = Path(__file__).parents[2] / "configs" / "checklists"
#: Dates and times as people, DICOM (DA, DT), XML, PDF and web servers write them. Addresses of name spaces
#: have years.
_NAMES = re.compile(r"(?:https?|urn):[^\s\"'<>)]+")
_FINE = re.compile(
    r"""(?<![\w.])(?:
        (?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?![^\WT])
        | (?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|1[0-2])[-/.](?:19|20)\d\d(?!\w)
        | (?:D:)?(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6})?(?![\w.])
        | (?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\w.:])
        | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+\d{1,2},?\s+(?:19|20)\d\d
        | \d{1,2}\.?\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+(?:19|20)\d\d
    )""",
    re.VERBOSE,
)


@cache
def known() -> re.Pattern[str]:
    """Dates that are nobody's: that of ZIP packages, the editions that checklists are of, and the plan's seed, which looks like one."""
    lists = "".join(path.read_text("utf-8") for path in CHECKLISTS.glob("*.yaml"))
    return re.compile("|".join(map(re.escape, ["1980-01-01T00:00:00Z", str(bare().provenance.seed), *_FINE.findall(lists)])))


def fine_dates(folder: Path) -> dict[str, list[str]]:
    """Dates and times in every file of a folder, unpacked."""
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        hits = [hit for text in readable(path) for hit in _FINE.findall(known().sub("", _NAMES.sub("", text)))]
        if hits:
            found[str(path.relative_to(folder))] = hits[:5]
    return found


def readable(path: Path) -> Iterator[str]:
    """What can be read: raw bytes of packed files, taken for text, say anything by chance."""
    for text in texts(path):
        if (
            text.isascii()
            or sum(letter == "\ufffd" or (letter < " " and letter not in "\t\n\r") for letter in text) < len(text) / 100
        ):
            yield text


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_an_archive_of_reports_has_no_date_finer_than_a_year(tmp_path: Path) -> None:
    archive = Archive.open(str(tmp_path / "archive"))
    archive.publish(whole("realistic"), YEAR)
    refresh(archive)
    assert fine_dates(tmp_path / "archive") == {}


def in_core(name: str, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        return repacked(content, lambda entry, inside: inside.replace(old, new, 1) if entry == name else inside)

    return change


def in_svg(content: bytes) -> bytes:
    page = content.decode()
    (first, *_) = re.findall(r"base64,([^\"]+)", page)
    drawing = base64.b64decode(first).replace(b"</metadata>", b"<dc:date>2026-11-26T10:00:00</dc:date></metadata>").replace(
        b"</svg>", b"<desc>2026-11-26</desc></svg>"
    )  # fmt: skip
    return page.replace(first, base64.b64encode(drawing).decode()).encode()


def in_png(content: bytes) -> bytes:
    """A compressed text chunk in the first picture of the Word file."""

    def change(name: str, inside: bytes) -> bytes:
        if not name.endswith(".png"):
            return inside
        body = b"Creation Time\0\0" + zlib.compress(b"2026-11-26 10:00:00")
        chunk = len(body).to_bytes(4, "big") + b"zTXt" + body + zlib.crc32(b"zTXt" + body).to_bytes(4, "big")
        return inside[:33] + chunk + inside[33:]

    return repacked(content, change)


def in_pdf_stream(content: bytes) -> bytes:
    return rewritten(content, attach)


def attach(writer: PdfWriter) -> None:
    writer.add_attachment("when.txt", b"read on 20261126 " * 50)


LEAKS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a property of Word": ("report.docx", in_core("docProps/core.xml", b"1980-01-01T00:00:00Z", b"2026-11-26T10:00:00Z")),
    "a property of the workbook": ("report.xlsx", in_core("docProps/core.xml", b"<dc:", b"<dc:x>26.11.2026</dc:x><dc:")),
    "a property of the PDF": ("report.pdf", lambda content: rewritten(content, lambda pdf: pdf.add_metadata({"/CreationDate": "D:20261126100000"}))),
    "an attachment of the PDF": ("report.pdf", in_pdf_stream),
    "a drawing in the page": ("report.html", in_svg),
    "a picture in Word": ("report.docx", in_png),
    "a cell as CSV": ("numbers.csv", lambda content: content + b"x,26 Nov 2026\n"),
    "a comment in the page": ("report.html", lambda content: content + b"<!-- made 10:42:13 -->"),
}  # fmt: skip


@pytest.mark.parametrize("place", LEAKS)
def test_a_date_in_any_corner_would_be_seen(place: str, tmp_path: Path) -> None:
    name, leak = LEAKS[place]
    clean = whole("bare")[name]
    assert fine_dates(put(tmp_path, {name: clean})) == {}
    assert set(fine_dates(put(tmp_path, {name: leak(clean)}))) == {name}


def test_no_user_host_or_path_is_in_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {"user": "quillfeather", "home": "zephyrhome", "place": "zephyrplace", "scratch": "zephyrscratch"}
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME"):
        monkeypatch.setenv(name, planted["user"])
    for variable, name in (("HOME", "home"), ("TMPDIR", "scratch")):
        (tmp_path / planted[name]).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / planted[name]))
    (tmp_path / planted["place"]).mkdir()
    monkeypatch.chdir(tmp_path / planted["place"])
    monkeypatch.setattr("tempfile.tempdir", None)
    archive = Archive.open("archive")
    archive.publish(files(bare()), YEAR)
    refresh(archive)
    host = socket.gethostname()
    scanner = Scanner([*planted.values(), *([host] if len(host) >= 6 else []), str(tmp_path)])
    assert scanner.search(Path("archive")) == {}


def test_small_cells_are_in_no_file() -> None:
    """Nothing is known of a cohort that is withheld but that it is: of four patients, no count and no rate is anywhere."""
    made = whole("nothing")
    assert nothing().overall().suppressed
    assert b'"studies": 4' not in made["results.json"]
    word = zipfile.ZipFile(io.BytesIO(made["report.docx"])).read("word/document.xml").decode()
    said = re.sub(r"<[^>]+>", " ", made["report.html"].decode().partition("<main")[2]) + re.sub(r"<[^>]+>", " ", word)
    assert not re.search(r"0\.\d{3}\s*\(", said)
