"""`safelight volumes`: a folder of de-identified DICOM becomes NIfTI and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tasks.console import finish, one_sentence, progress
from tasks.errors import ConfigurationError
from tasks.executor import Summary, run_by_manifest
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.pools import make_pool
from tasks.volumes.folder import published_inputs, scan
from tasks.volumes.policy import VolumesSettings
from tasks.volumes.stage import VolumesStage


def volumes(
    src: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A folder of DICOM files that `safelight deidentify` made.", show_default=False),
    ],
    lake: Annotated[
        str, typer.Option(help="The lake that gets volumes and tables: a folder or an s3:// URL.", show_default=False)
    ],
    orthogonal: Annotated[
        bool, typer.Option(help="Beside sheared stacks (gantry tilt), the same voxels on a grid of right angles.")
    ] = True,
    fill_missing: Annotated[
        int, typer.Option(min=0, max=16, help="The most missing slices between two others that are filled by interpolation.")
    ] = 0,
    even_out: Annotated[bool, typer.Option(help="Resample stacks of variable spacing to an even one.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes; 1 works in this one.")] = 2,
) -> None:
    """Convert de-identified DICOM to NIfTI, with tables of instances, series, studies and volumes.

    What is resampled is marked so in the table `volumes`; by default that is only the second form of a sheared stack.

    Example: safelight volumes lake/dicom --lake lake
    """
    with one_sentence():
        if not src.is_dir():
            raise ConfigurationError("E-VOLUME-SOURCE")
        errors = ErrorLog.default()
        seal(errors)
        settings = VolumesSettings(orthogonal=orthogonal, fill_missing=fill_missing, even_out=even_out)
        zone = Lake.open(lake)
        with boundary("volumes", errors):
            summary = convert_folder(src.absolute(), zone, workers, errors, settings)
        finish(summary, f"{lake}/tables/volumes, column reason_code; errors in {errors.folder}")


def convert_folder(
    source: Path,
    lake: Lake,
    workers: int,
    errors: ErrorLog,
    settings: VolumesSettings = VolumesSettings(),  # noqa: B008 - frozen
) -> Summary:
    """Do the stage for every study below `source` that is not up to date; count the files that belong to none as `rejected`."""
    inputs, stage = published_inputs(source, lake), VolumesStage(lake, settings=settings)
    whole = inputs is not None
    rejected: Mapping[str, int] = {}
    if inputs is None:
        found = scan(source, lake.root)
        inputs, rejected, stage = found.inputs(), found.rejected, VolumesStage(lake, source, settings)
    pool = make_pool("processes" if workers > 1 else "inline", workers, errors)
    try:
        with progress("volumes", len(inputs)) as advance:
            summary = run_by_manifest(stage, inputs, lake=lake, pool=pool, errors=errors, whole=whole, on_end=advance)
    finally:
        pool.close()
    for reason, n in rejected.items():
        summary.units["rejected", reason, "file"] += n
    return summary
