"""`safelight report`: a results.json becomes HTML, PDF and Word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError
from tasks.evaluation.results import read
from tasks.report.render import render


def report(
    results: Annotated[Path, typer.Argument(help="The results.json that `safelight evaluate` wrote.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.pdf and report.docx.", show_default=False)],
) -> None:
    """Make the validation report of an evaluation.

    Example: `safelight report out/results.json --out out/report`
    """
    with one_sentence():
        try:
            found = read(results)
        except (OSError, ValidationError, UnicodeDecodeError):
            raise ConfigurationError("E-REPORT-INPUT", str(results)) from None
        written = render(found, out)
        subgroups = sum(bool(row.attribute) for row in found.performance)
        say(f"report: {subgroups} subgroups in {len(written)} documents{', of synthetic data' if found.synthetic else ''}")
        for path in written:
            say(f"  {path}")
