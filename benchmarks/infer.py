"""Seconds a study of the stage `infer` with the demo's model, against its floor: the network's forward pass alone.

    python -m benchmarks.infer [--patients 3] [--repeat 3]

The stage opens the study's volumes, checks that their bytes are those that were published, prepares the input, runs the network on one
thread and publishes a table. The floor runs the same network on the same inputs, prepared before, on one thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cohort import add_arguments, converted
from benchmarks.measure import Contender, alternate, arguments, show
from data_contracts.volumes import CONTRACT
from tasks.inference.execution import REFERENCE
from tasks.inference.preprocess import Prepared
from tasks.inference.protocol import Reader
from tasks.inference.reader import open_reader
from tasks.inference.stage import InferStage
from tasks.inference.volume import read_volume
from tasks.lake import Lake


def inputs(lake: Lake, reader: Reader) -> list[Prepared]:
    """Every volume of the lake as the network gets it."""
    made = []
    for row in lake.table(CONTRACT).to_pylist():
        with lake.local([row["path"]]) as files:
            padding = tuple(row["padding_range"]) if row["padding_range"] else None
            made.append(reader.prepare(read_volume(files[row["path"]], padding)))
    return made


def forward(reader: Reader, prepared: Sequence[Prepared]) -> None:
    """The network on each input, and nothing else."""
    for each in prepared:
        reader.infer(each)


def main(given: Sequence[str] | None = None) -> None:
    """Measure a small cohort, one volume a study."""
    parser = arguments(__doc__, repeat=3)
    add_arguments(parser, patients=3)
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        lake, keys = converted(Path(folder), said.patients, said.slices)
        stage = InferStage(lake, "demo_nodule")
        reader = open_reader(stage.bundle, REFERENCE)
        prepared = inputs(lake, reader)

        def run() -> None:
            read = sum(stage.run(key, "", "benchmark").passed for key in keys)
            if read != len(keys):
                raise SystemExit(f"{read} of {len(keys)} studies were read: the figures would mean nothing")

        timed = alternate(
            [Contender("stage", run), Contender("floor: forward pass", lambda: forward(reader, prepared))], said.repeat
        )
    voxels = sum(each.voxels.size for each in prepared) / 1e6
    show(
        f"infer, {len(keys)} studies, {voxels:.1f} million voxels of input, one thread",
        timed[0],
        timed[1:],
        lambda seconds: f"{seconds / len(keys):.3f} s a study",
    )


if __name__ == "__main__":
    main()
