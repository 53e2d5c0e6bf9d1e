"""`safelight report`: a results.json becomes HTML, PDF and Word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError
from tasks.evaluation.results import read
from tasks.lake import Lake
from tasks.report.render import render
from tasks.report.stage import images_of


def report(
    results: Annotated[Path, typer.Argument(help="The results.json that `safelight evaluate` wrote.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.pdf and report.docx.", show_default=False)],
    lake: Annotated[
        str | None, typer.Option(help="The lake that the evaluation was of: its key images of failures go into the report.")
    ] = None,
) -> None:
    """Make the validation report of an evaluation.

    Example: `safelight report out/results.json --out out/report`
    """
    with one_sentence():
        try:
            found = read(results)
        except (OSError, ValidationError, UnicodeDecodeError):
            raise ConfigurationError("E-REPORT-INPUT", str(results)) from None
        images = (
            {} if lake is None else images_of(Lake(lake if "://" in lake else str(Path(lake).expanduser().absolute())), found)
        )
        written = render(found, out, images)
        subgroups = sum(bool(row.attribute) for row in found.performance)
        say(f"report: {subgroups} subgroups in {len(written)} documents{', of synthetic data' if found.synthetic else ''}")
        missing = sum(bool(case.image) and case.image not in images for case in found.failures)
        if missing:
            say(
                f"  {missing} key images are left out: {'name the lake with --lake' if lake is None else 'this lake does not have them'}"
            )
        for path in written:
            say(f"  {path}")
