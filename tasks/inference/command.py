"""`safelight infer`: models read a lake's volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tasks.console import finish, one_sentence, progress
from tasks.executor import Summary, run_by_manifest
from tasks.guard import ErrorLog, boundary, seal
from tasks.inference.equivalence import require
from tasks.inference.execution import Execution, variant_of
from tasks.inference.reader import open_reader
from tasks.inference.registry import register, settle
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.pools import InlinePool, Pool
from tasks.threaded_pool import ThreadedPool

Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor for one network.")]


def infer(
    lake: Annotated[str, typer.Option(help="The lake that holds the volumes: a folder or an s3:// URL.", show_default=False)],
    model: Annotated[
        str, typer.Option(help="A model's NAME or NAME@VERSION, or a path with a slash to a bundle.")
    ] = "demo_nodule",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes; 1 works in this one.")] = 2,
    ahead: Annotated[
        int, typer.Option(min=0, max=16, help="Studies that a worker prepares or finishes while another is with the model.")
    ] = 1,
    device: Device = "cpu",
    threads: Threads = 1,
    variant: Annotated[
        str, typer.Option(help="Faster ways: whole, bf16, channels_last, joined by +; see `safelight models compare`.")
    ] = "reference",
) -> None:
    """Let a model read every converted study once; the scores, and why there is none, are the table `predictions`.

    Example: safelight infer --lake lake --model demo_nodule
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        with boundary("infer", errors):
            how = Execution(device, threads, variant_of(variant))
            summary = read_lake(Lake.open(lake), model, how, pool_of(workers, ahead, errors), errors)
        finish(summary, f"{lake}/tables/predictions, column reason_code; errors in {errors.folder}")


def pool_of(workers: int, ahead: int, errors: ErrorLog) -> Pool:
    """Worker processes with several studies under way in each; one worker that has none ahead is this process."""
    return ThreadedPool(workers, ahead + 1, errors) if workers > 1 or ahead else InlinePool()


def read_lake(lake: Lake, model: str, how: Execution, pool: Pool, errors: ErrorLog) -> Summary:
    """Read every study with a volume that this version of the model has not read as it is today; the pool is closed at the end.

    Raises:
        ConfigurationError: before any work, where the model cannot be used.
    """
    try:
        stage = InferStage(lake, str(Path(model).absolute()) if "/" in model else model, how)
        require(lake, stage.bundle, how)
        open_reader(stage.bundle, how)
        register(lake, stage.bundle)
        settle(lake, model, stage.bundle)
        inputs = {published.key: published.digest for published in lake.manifests("volumes") if published.passed}
        with progress(stage.label(), len(inputs)) as advance:
            return run_by_manifest(stage, inputs, lake=lake, pool=pool, errors=errors, whole=True, on_end=advance)
    finally:
        pool.close()
