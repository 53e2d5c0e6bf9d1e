"""Whatever is changed in a report's folder, `verify` finds it and says where, also where the hashes were made to fit."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import openpyxl
import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import StreamObject

from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results, canonical
from tasks.report.publishing import verify as module
from tasks.report.publishing.manifest import MANIFEST, RESULTS, Manifest
from tasks.report.publishing.reading import differences, read
from tasks.report.publishing.verify import manifest_of, verify
from tasks.report.publishing.verify import whole as whole_files
from tests.tasks.report.made import bare, realistic, tampered
from tests.tasks.report.publishing.made_folders import (
    another_drawing,
    manifest_with,
    once,
    other_glyphs,
    rehashed,
    repacked,
    rewritten,
    whole,
)


@pytest.fixture(autouse=True)
def _made_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the faces again is deterministic (tests/tasks/report/test_faces.py), and so is reading them: here each is made and read once."""
    if "really" not in request.node.name:
        monkeypatch.setattr(module, "made_again", once)
        monkeypatch.setattr(module, "read", _read)


_read = cache(read)


def bad(files: dict[str, bytes]) -> list[str]:
    """What is wrong, as `path: sentence`."""
    return [f"{held.what}: {held.said}" for held in verify(files) if not held.ok]


@pytest.mark.parametrize("case", ["realistic", "nothing"])
def test_a_report_as_it_was_made_passes(case: str) -> None:
    files = whole(case)
    assert bad(files) == []
    assert {held.what for held in verify(files)} == set(files)


def test_a_report_really_made_again_passes() -> None:
    assert bad(whole("bare")) == []


def swapped(path: str, old: str, new: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        content = files[path]
        assert old.encode() in content
        return files | {path: content.replace(old.encode(), new.encode(), 1)}

    return change


def in_a_cell(files: dict[str, bytes]) -> dict[str, bytes]:
    changed, n = re.subn(rb'(<td[^>]*><span data-at="[^"]*">0\.)692 \(', rb"\g<1>992 (", files["report.html"], count=1)
    assert n == 1
    return files | {"report.html": changed}


def in_word(part: str, old: str, new: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def entry(name: str, content: bytes) -> bytes:
        if name != part:
            return content
        assert old.encode() in content
        return new.encode().join(content.rsplit(old.encode(), 1))

    return lambda files: files | {"report.docx": repacked(files["report.docx"], entry)}


def another_word_picture(files: dict[str, bytes]) -> dict[str, bytes]:
    def entry(name: str, content: bytes) -> bytes:
        return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:] if name == "word/media/image2.png" else content

    return files | {"report.docx": repacked(files["report.docx"], entry)}


def another_web_figure(files: dict[str, bytes]) -> dict[str, bytes]:
    page = files["report.html"].decode()
    (first, *_) = re.findall(r"base64,([^\"]+)", page)
    drawing = base64.b64decode(first)
    assert b"#0b5cad" in drawing
    changed = base64.b64encode(drawing.replace(b"#0b5cad", b"#b3540e", 1)).decode()
    return files | {"report.html": page.replace(first, changed).encode()}


def attached(writer: PdfWriter) -> None:
    writer.add_attachment("x.json", b"{}")


def in_pdf(change: Callable[..., None]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: files | {"report.pdf": rewritten(files["report.pdf"], change)}


def in_workbook(files: dict[str, bytes]) -> dict[str, bytes]:
    """True positives of all cases, in whichever sheet they come first."""
    changed = False

    def entry(name: str, content: bytes) -> bytes:
        nonlocal changed
        if changed or not name.startswith("xl/worksheets/"):
            return content
        content, n = re.subn(rb'(<c r="F5" s="\d+"><v>)92(</v>)', rb"\g<1>29\g<2>", content, count=1)
        changed = n == 1
        return content

    workbook = repacked(files["report.xlsx"], entry)
    assert changed
    return files | {"report.xlsx": workbook}


def in_csv(files: dict[str, bytes]) -> dict[str, bytes]:
    path = next(path for path in files if "performance-by-sex" in path)
    changed, n = re.subn(rb"0\.\d+( \(0\.\d+\xe2\x80\x930\.\d+\),)", rb"0.992\g<1>", files[path], count=2)
    assert n == 2
    return files | {path: changed}


def another_attachment(files: dict[str, bytes]) -> dict[str, bytes]:
    """The PDF of results that say one thing otherwise, with that attached: only it differs."""
    pdf = files["report-archive.pdf"]
    opened = PdfReader(io.BytesIO(pdf))
    assert list(opened.attachments) == [RESULTS]

    def change(writer: PdfWriter) -> None:
        for held in writer._objects:
            each = held.get_object() if held is not None else None
            if isinstance(each, StreamObject) and each.get("/Type") == "/EmbeddedFile":
                each.set_data(each.get_data().replace(b'"minimum_cases": 5', b'"minimum_cases": 1'))

    return files | {"report-archive.pdf": rewritten(pdf, change)}


AREA, AUTHOR = 'alt="ROC curve of all cases: area ', ("<dc:creator></dc:creator>", "<dc:creator>x</dc:creator>")
VIEWPORT = '<meta name="viewport"'
TAMPERED = {
    "a digit in a cell of the page": (in_a_cell, r"column \w+: '0\.992 \(.*' instead of '0\.692 \("),
    "a digit in a sentence of the page": (swapped("report.html", ">0.692 (", ">0.992 ("), r"paragraph.*: '.*0\.992 \(.*' instead of '.*0\.692 \("),
    "a source of a number": (swapped("report.html", "/performance/0/auc", "/performance/1/auc"), "source of a number.*performance/1/auc"),
    "a word of the page": (swapped("report.html", "Demonstration only. Not for clinical use.", "For clinical use."), "paragraph: .*For clinical use"),
    "the text for a figure": (swapped("report.html", f"{AREA}0.", f"{AREA}1."), "text for the figure: .*area 1"),
    "a figure of the page": (another_web_figure, "drawing: another content"),
    "a property of the page": (swapped("report.html", VIEWPORT, f'<meta name="author" content="x">{VIEWPORT}'), "author: 'x' instead of nothing"),
    "the page's policy": (swapped("report.html", "default-src 'none'", "default-src 'self'"), "Content-Security-Policy"),
    "a comment in the page": (swapped("report.html", "</body>", "<!-- x --></body>"), "other bytes from byte"),
    "a digit in a cell of Word": (in_word("word/document.xml", ">0.692 (", ">0.992 ("), r"row .*, column .*: '0\.992 \(.*' instead of '0\.692 \("),
    "the author of the Word file": (in_word("docProps/core.xml", *AUTHOR), "property creator: 'x' instead of ''"),
    "a figure of Word": (another_word_picture, "part word/media/image2.png: "),
    "a number in the workbook": (in_workbook, r"sheet 'Table \d+', cell F5: '29' instead of '92'"),
    "a cell of a table as CSV": (in_csv, r"line \d+ \(.*\), column Sensitivity: '0\.992"),
    "a number of the list": (swapped("numbers.csv", "0.692", "0.992"), "line .*column Text: '0.992"),
    "what is attached to the archival PDF": (another_attachment, "attachment results.json: another content instead of another content"),
    "the title of the PDF": (in_pdf(lambda writer: writer.add_metadata({"/Title": "Another"})), "property /Title: 'Another' instead of"),
    "an attachment of the PDF": (in_pdf(attached), "attachment x.json: another content instead of nothing"),
    "two glyphs of the PDF": (in_pdf(other_glyphs), r"page 1, line \d+: '.*' instead of '"),
    "a drawing of the PDF": (in_pdf(another_drawing), "page 1, all that is drawn: another content"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_a_face_that_was_tampered_with_is_found_also_where_the_hashes_fit(what: str) -> None:
    change, place = TAMPERED[what]
    case = "bare" if "PDF" in what else "realistic"
    files = change(whole(case))
    (path,) = (path for path, content in files.items() if content != whole(case)[path])
    assert not whole_files(files, manifest_of(files))
    lines = bad(rehashed(files))
    assert any(re.search(place, line) and line.startswith(f"{path}: E-REPORT-FACE") for line in lines), lines
    assert {line.partition(":")[0] for line in lines} == {path}


def test_a_changed_file_is_said_to_be_another_than_the_manifest_names_and_where() -> None:
    lines = bad(in_a_cell(whole()))
    assert [line.partition(" (")[0].split(": ")[:2] for line in lines] == [
        ["report.html", "E-REPORT-CHANGED"],
        ["report.html", "E-REPORT-FACE"],
    ]


@pytest.mark.parametrize("path", ["report.html", "report.pdf", "report.docx", RESULTS])
def test_a_file_that_is_missing_is_found(path: str) -> None:
    files = whole()
    del files[path]
    assert any(line.startswith(f"{path}: E-REPORT-CHANGED") and "it is missing" in line for line in bad(files))


def test_a_face_that_was_left_out_with_its_line_in_the_manifest_is_found() -> None:
    files = whole()
    del files["report.docx"]
    assert [line.partition(" ")[0] for line in bad(rehashed(files))] == ["report.docx:"]


def test_a_file_too_many_is_found_also_where_the_manifest_names_it() -> None:
    files = whole() | {"notes.txt": b"x"}
    assert any("notes.txt: E-REPORT-CHANGED" in line and "does not name it" in line for line in bad(files))
    assert any("notes.txt: E-REPORT-FACE" in line for line in bad(rehashed(files)))


def test_results_whose_rates_do_not_follow_are_found_with_all_hashes_right() -> None:
    results = tampered(sensitivity=0.999)
    files = rehashed(whole() | {RESULTS: canonical(results)}, results)
    assert any(line.startswith(f"{RESULTS}: E-REPORT-MISMATCH") and "sensitivity" in line for line in bad(files))


def test_other_results_under_the_old_faces_are_found_in_each_face() -> None:
    results = bare().model_copy(update={"title": "Another evaluation"})
    lines = bad(rehashed(whole("bare") | {RESULTS: canonical(results)}, results))
    for path in ("report.html", "report.pdf", "report-archive.pdf", "report.docx", "report.xlsx"):
        assert any(line.startswith(f"{path}: E-REPORT-FACE") and "Another evaluation" in line for line in lines)


@pytest.mark.parametrize(
    ("fact", "value"), [("plan_sha256", "0" * 64), ("weights_sha256", "0" * 64), ("model_version", "9"), ("synthetic", False)]
)
def test_a_manifest_that_says_something_else_of_the_results_is_found(fact: str, value: object) -> None:
    assert any(
        line.startswith(f"{MANIFEST}: E-REPORT-FACE") and fact in line for line in bad(manifest_with(whole(), **{fact: value}))
    )


def test_a_manifest_that_is_laid_out_otherwise_is_found() -> None:
    files = whole()
    files[MANIFEST] = json.dumps(json.loads(files[MANIFEST])).encode()
    assert any(line.startswith(f"{MANIFEST}: E-REPORT-CHANGED") for line in bad(files))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"schema_name": "safelight-report-0"}'])
def test_a_folder_without_a_manifest_of_ours_is_no_report(content: bytes | None) -> None:
    files = whole() | ({MANIFEST: content} if content is not None else {})
    if content is None:
        del files[MANIFEST]
    with pytest.raises(ConfigurationError, match="E-REPORT-FOLDER"):
        verify(files)


def test_a_face_that_is_not_of_its_kind_is_said_to_be_unreadable() -> None:
    for path in ("report.pdf", "report.docx"):
        lines = bad(rehashed(whole() | {path: b"x"}))
        assert any(f"{path} cannot be read" in line for line in lines), lines


def test_what_other_versions_packed_is_held_by_what_it_says() -> None:
    """The same parts, compressed less: what another zlib gives. It passes where the manifest names another one, and never a changed word."""
    files = whole()
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(files["report.docx"])) as old,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry, old.read(entry), compresslevel=1)
    packed = rehashed(files | {"report.docx": sink.getvalue()})
    assert any("other bytes" in line for line in bad(packed)), "with the same programs it would be the same bytes"
    theirs = Manifest.model_validate_json(packed[MANIFEST]).made_with | {"zlib": "0.9"}
    packed = manifest_with(packed, made_with=theirs)
    assert bad(packed) == []
    (line,) = (held for held in verify(packed) if held.what == "report.docx")
    assert line.said.endswith(f"packed by zlib 0.9 (here {zlib.ZLIB_RUNTIME_VERSION})")
    changed = in_word("word/document.xml", ">0.692 (", ">0.992 (")(packed)
    assert any("0.992" in line for line in bad(manifest_with(rehashed(changed), made_with=theirs)))


def test_a_workbook_is_read_by_its_cells() -> None:
    def book(value: float, word: str) -> bytes:
        made, sink = openpyxl.Workbook(), io.BytesIO()
        sheet = made.active
        assert sheet is not None
        sheet.title, sheet["A1"], sheet["B2"] = "Table 1", word, value
        made.save(sink)
        return sink.getvalue()

    found = list(differences(read("x.xlsx", book(0.5, "withheld")), read("x.xlsx", book(0.25, "shown"))))
    assert ("sheet 'Table 1', cell A1", "withheld", "shown") in found
    assert ("sheet 'Table 1', cell B2", "0.5", "0.25") in found


def test_comma_separated_values_are_read_by_line_and_column() -> None:
    found = list(differences(read("x.csv", b"level,auc\nF,0.9\n"), read("x.csv", b"level,auc\nF,0.8\nM,0.7\n")))
    assert found == [
        ("line 2 (F), column auc", "0.9", "0.8"),
        ("line 3 (M), column level", None, "M"),
        ("line 3 (M), column auc", None, "0.7"),
    ]


def test_the_manifest_is_the_same_for_the_same_results_and_names_every_file() -> None:
    again = Results.model_validate_json(whole("bare")[RESULTS])
    assert once(again, whole("bare")[RESULTS]) == whole("bare")
    said = json.loads(whole()[MANIFEST])
    assert {file["path"] for file in said["files"]} == set(whole()) - {MANIFEST}
    assert said["results_sha256"] == next(file["sha256"] for file in said["files"] if file["path"] == RESULTS)
    assert (said["plan_sha256"], said["weights_sha256"]) == (
        realistic().provenance.plan_sha256,
        realistic().provenance.weights_sha256,
    )
