"""`safelight infer`: a model reads a lake's volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import finish, one_sentence, progress
from tasks.executor import Summary, make_pool, run_by_manifest
from tasks.guard import ErrorLog, boundary, seal
from tasks.inference.reader import network
from tasks.inference.stage import InferStage
from tasks.lake import Lake


def infer(
    lake: Annotated[str, typer.Option(help="The lake that holds the volumes: a folder or an s3:// URL.", show_default=False)],
    model: Annotated[str, typer.Option(help="A model of configs/models/, or a path with a slash to a bundle.")] = "demo_nodule",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes; 1 works in this one.")] = 2,
) -> None:
    """Let a model read every converted study once; the scores, and why there is none, are the table `predictions`.

    Example: safelight infer --lake lake --model demo_nodule
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        with boundary("infer", errors):
            summary = read_lake(Lake.open(lake), model, workers, errors)
        finish(summary, f"{lake}/tables/predictions, column reason_code; errors in {errors.folder}")


def read_lake(lake: Lake, model: str, workers: int, errors: ErrorLog) -> Summary:
    """Read every study with a volume that this version of the model has not read as it is today.

    Raises:
        ConfigurationError: before any work, where the model cannot be used.
    """
    stage = InferStage(lake, str(Path(model).absolute()) if "/" in model else model)
    network(stage.bundle)
    inputs = {published.key: published.digest for published in lake.manifests("volumes") if published.passed}
    pool = make_pool("processes" if workers > 1 else "inline", workers, errors)
    try:
        with progress(stage.label(), len(inputs)) as advance:
            return run_by_manifest(stage, inputs, lake=lake, pool=pool, errors=errors, whole=True, on_end=advance)
    finally:
        pool.close()
