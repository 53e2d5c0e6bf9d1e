"""`safelight report`: a results.json becomes HTML, PDF, Word, a workbook and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.report.csv import FOLDER
from tasks.report.render import render


def report(
    results: Annotated[Path, typer.Argument(help="The results.json that `safelight evaluate` wrote.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, .pdf, .docx, .xlsx and the tables as CSV.", show_default=False)
    ],
) -> None:
    """Make the validation report of an evaluation.

    Example: `safelight report out/results.json --out out/report`
    """
    with one_sentence():
        try:
            content = results.read_bytes()
            found = Results.model_validate_json(content)
        except (OSError, ValidationError):
            raise ConfigurationError("E-REPORT-INPUT", str(results)) from None
        written = render(found, out, content)
        named = [path for path in written if path.parent.name != FOLDER]
        documents = sum(path.name.startswith("report") for path in named)
        subgroups = sum(bool(row.attribute) for row in found.performance)
        say(f"report: {subgroups} subgroups in {documents} documents{', of synthetic data' if found.synthetic else ''}")
        for path in (*named, out / FOLDER):
            say(f"  {path}")
