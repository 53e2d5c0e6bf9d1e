"""What a command was told to make a report of, read from files and from a lake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report.material import MONITORING, VERDICT, Material, within
from tasks.report.stage import images_of, model_of

MonitoringOption = Annotated[
    Path | None, typer.Option(help="The monitoring.json that `safelight monitor` wrote beside these results.")
]
VerdictOption = Annotated[Path | None, typer.Option(help="The verdict.json that `safelight pccp` wrote beside these results.")]


def material_of(results: Results, lake: Lake | None, monitoring: Path | None, verdict: Path | None) -> Material:
    """What stands beside the results.

    Args:
        lake: where their key images and the model's manifest lie; neither is there without one.

    Raises:
        ConfigurationError: E-REPORT-INPUT with the file that cannot be read.
        SafelightError: E-REPORT-MATERIAL with the file that is none of ours.
    """
    files = {name: _read(path) for name, path in ((MONITORING, monitoring), (VERDICT, verdict)) if path is not None}
    if lake is None:
        return within(files)
    return replace(within(files), images=images_of(lake, results), manifest=model_of(lake, results))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError("E-REPORT-INPUT", str(path)) from None
