"""All faces of one report, and the folder that they make."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results, canonical
from tasks.report import csv, docx, html, pdf, xlsx
from tasks.report.blocks import Document
from tasks.report.checks import check, check_document
from tasks.report.document import make
from tasks.report.material import IMAGES, KEY_IMAGE, PARTS, Material
from tasks.report.material import MANIFEST as MODEL
from tasks.report.model_card import model_card
from tasks.report.publishing.manifest import MANIFEST, describe


def faces(results: Results, content: bytes | None = None, material: Material | None = None) -> dict[str, bytes]:
    """Path → content of every file of the report, `/` between folders.

    Args:
        content: the `results.json` that the results were read from, which is handed on as it is; their canonical JSON where there is none.
        material: what stands beside the results; it becomes a part of the folder.

    Raises:
        SafelightError: E-REPORT-MISMATCH where the results contradict themselves, or the document says another number than they do;
            E-REPORT-MATERIAL or E-REPORT-MODEL-CARD where what stands beside them is about others.
        ValueError: `content` says something else than the results.
    """
    check(results)
    if content is not None and Results.model_validate_json(content) != results:
        raise ValueError("the results.json to hand on is not that of the results")
    beside, given = material or Material(), canonical(results) if content is None else content
    beside.belongs_to(given)
    document = make(results, beside)
    check_document(document, results)
    return faces_of(document, given) | {"model-card.xml": _card(results, beside)} | beside.files()


def _card(results: Results, material: Material) -> bytes:
    from tasks.inference.manifest import parse

    return model_card(results, None if material.manifest is None else parse(material.manifest, MODEL))


def faces_of(document: Document, content: bytes) -> dict[str, bytes]:
    """Path → content, of a document that `tasks.report.document.make` made of checked results.

    Args:
        content: their `results.json`.
    """
    return {
        "report.html": html.render(document),
        "report.pdf": pdf.render(document),
        "report-archive.pdf": pdf.render(document, archive=content),
        "report.docx": docx.render(document),
        "report.xlsx": xlsx.render(document),
        **csv.render(document),
        "results.json": content,
    }


def files(results: Results, content: bytes | None = None, material: Material | None = None) -> dict[str, bytes]:
    """The report as a folder: what `faces` gives, by path, and the manifest last; the same results give the same bytes."""
    made = faces(results, content, material)
    return dict(sorted(made.items())) | {MANIFEST: describe(results, made).to_json()}


def render(results: Results, folder: Path, content: bytes | None = None, material: Material | None = None) -> list[Path]:
    """Write all faces and their manifest into `folder`, each at once or not at all; returns their paths.

    What an earlier report left in its folder and this one does not have is removed: it would be taken for a part of this one.

    Args:
        content, material: as in `faces`.

    Raises:
        SafelightError: E-REPORT-MISMATCH; then nothing is written.
        ConfigurationError: E-REPORT-OUTPUT where the folder cannot be written.
    """
    made = files(results, content, material)
    written = []
    try:
        for name, face in made.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.part")
            temporary.write_bytes(face)
            written.append(temporary.replace(target))
        for found in (*folder.glob(f"{csv.FOLDER}/*"), *folder.glob(f"{IMAGES}*"), *(folder / name for name in PARTS)):
            path = found.relative_to(folder).as_posix()
            if path not in made and (path in PARTS or csv.NAMES.fullmatch(found.name) or KEY_IMAGE.fullmatch(path)):
                found.unlink(missing_ok=True)
    except OSError:
        raise ConfigurationError("E-REPORT-OUTPUT", str(folder)) from None
    return written
