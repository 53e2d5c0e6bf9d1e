"""All faces of one report."""

from __future__ import annotations

from pathlib import Path

from tasks.evaluation.results import Results
from tasks.report import docx, html, pdf
from tasks.report.check import check
from tasks.report.document import make


def faces(results: Results) -> dict[str, bytes]:
    """File name → content. Raises `SafelightError` E-REPORT-MISMATCH where the results contradict themselves."""
    check(results)
    document = make(results)
    return {"report.html": html.render(document), "report.pdf": pdf.render(document), "report.docx": docx.render(document)}


def render(results: Results, folder: Path) -> list[Path]:
    """Write all faces into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in faces(results).items():
        temporary = folder / f".{name}.part"
        temporary.write_bytes(content)
        written.append(temporary.replace(folder / name))
    return written
