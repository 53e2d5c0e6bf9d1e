"""All faces of one report."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.report import docx, html, pdf
from tasks.report.blocks import Document
from tasks.report.check import check
from tasks.report.document import make


def faces(results: Results) -> dict[str, bytes]:
    """File name → content. Raises `SafelightError` E-REPORT-MISMATCH where the results contradict themselves."""
    check(results)
    return faces_of(make(results))


def faces_of(document: Document) -> dict[str, bytes]:
    """File name → content, of a document that `tasks.report.document.make` made of checked results."""
    return {"report.html": html.render(document), "report.pdf": pdf.render(document), "report.docx": docx.render(document)}


def render(results: Results, folder: Path) -> list[Path]:
    """Write all faces into `folder`, each at once or not at all; returns their paths.

    Raises:
        SafelightError: E-REPORT-MISMATCH; then nothing is written.
        ConfigurationError: E-REPORT-OUTPUT where the folder cannot be written.
    """
    made = faces(results)
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
