"""`safelight volumes`: a folder of de-identified DICOM becomes NIfTI and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import finish, one_sentence, progress
from tasks.errors import ConfigurationError
from tasks.executor import make_pool, run_by_manifest
from tasks.guard import ErrorLog, seal
from tasks.lake import Lake
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage


def volumes(
    src: Annotated[Path, typer.Argument(help="A folder of DICOM files that `safelight deidentify` made.", show_default=False)],
    lake: Annotated[Path, typer.Option(help="The lake that gets the volumes and tables.", show_default=False)],
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Convert de-identified DICOM to NIfTI, with tables of instances, series, studies and volumes.

    Example: `safelight volumes lake/dicom --lake lake`
    """
    with one_sentence():
        if not src.is_dir():
            raise ConfigurationError("E-VOLUME-NOT-DICOM", f"{src} is not a folder")
        errors = ErrorLog.default()
        seal(errors)
        zone = Lake.open(lake)
        source = src.absolute()
        folder = scan(source)
        pool = make_pool("processes" if workers > 1 else "inline", workers, errors)
        try:
            with progress("volumes", len(folder.studies)) as advance:
                summary = run_by_manifest(
                    VolumesStage(zone, source), folder.inputs(), lake=zone, pool=pool, errors=errors, on_end=advance
                )
        finally:
            pool.close()
        for reason, n in folder.rejected.items():
            summary.units["rejected", reason, "instance"] += n
        finish(summary, f"{lake}/tables/volumes, column reason_code; errors in {errors.folder}")
