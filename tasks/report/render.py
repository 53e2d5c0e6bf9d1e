"""All faces of one report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.report import docx, html, pdf
from tasks.report.blocks import Document
from tasks.report.checks import check, check_document
from tasks.report.document import make


def faces(results: Results, images: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """File name → content.

    Args:
        images: pictures of cases (PNG) by their path in the lake.

    Raises:
        SafelightError: E-REPORT-MISMATCH where the results contradict themselves, or the document says another number than they do.
    """
    check(results)
    document = make(results, images)
    check_document(document, results)
    return faces_of(document)


def faces_of(document: Document) -> dict[str, bytes]:
    """File name → content, of a document that `tasks.report.document.make` made of checked results."""
    return {"report.html": html.render(document), "report.pdf": pdf.render(document), "report.docx": docx.render(document)}


def render(results: Results, folder: Path, images: Mapping[str, bytes] | None = None) -> list[Path]:
    """Write all faces into `folder`, each at once or not at all; returns their paths.

    Args:
        images: as in `faces`.

    Raises:
        SafelightError: E-REPORT-MISMATCH; then nothing is written.
        ConfigurationError: E-REPORT-OUTPUT where the folder cannot be written.
    """
    made = faces(results, images)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            temporary = folder / f".{name}.part"
            temporary.write_bytes(content)
            written.append(temporary.replace(folder / name))
    except OSError:
        raise ConfigurationError("E-REPORT-OUTPUT", str(folder)) from None
    return written
