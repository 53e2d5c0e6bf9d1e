"""`safelight report`: a results.json becomes HTML, PDF, Word, a workbook and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report.csv import FOLDER
from tasks.report.given import MonitoringOption, VerdictOption, material_of
from tasks.report.render import render


def report(
    results: Annotated[Path, typer.Argument(help="The results.json that `safelight evaluate` wrote.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, .pdf, .docx, .xlsx and the tables as CSV.", show_default=False)
    ],
    lake: Annotated[
        str | None, typer.Option(help="The lake that the evaluation was of: its key images of failures go into the report.")
    ] = None,
    monitoring: MonitoringOption = None,
    verdict: VerdictOption = None,
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
        zone = None if lake is None else Lake(lake if "://" in lake else str(Path(lake).expanduser().absolute()))
        material = material_of(found, zone, monitoring, verdict)
        written = render(found, out, content, material)
        named = [path for path in written if path.parent == out]
        documents = sum(path.name.startswith("report") for path in named)
        subgroups = sum(bool(row.attribute) for row in found.performance)
        say(f"report: {subgroups} subgroups in {documents} documents{', of synthetic data' if found.synthetic else ''}")
        missing = sum(bool(case.image) and case.image not in material.images for case in found.failures)
        if missing:
            why = "name the lake with --lake" if zone is None else "this lake does not have them"
            say(f"  {missing} key images are left out: {why}")
        for path in (*named, out / FOLDER):
            say(f"  {path}")
