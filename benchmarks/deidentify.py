"""Files a second on one core of the stage `deidentify`, from the spool to the lake, against its floor: copying the files.

    python -m benchmarks.deidentify [--patients 4] [--repeat 3]

The floor reads each file and writes it to disk for good (fsync), as the stage must. Between the two stands pydicom, which reads and
writes the same files without any change, and without forcing them to disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread

from benchmarks.cohort import SIZES, add_arguments, archive, spooled
from benchmarks.measure import Contender, alternate, arguments, show
from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.vault import Vault


def copy(files: Sequence[Path], target: Path) -> None:
    """Read every file, write it, and force it to disk."""
    for number, file in enumerate(files):
        with (target / f"{number}.dcm").open("wb") as stream:
            stream.write(file.read_bytes())
            stream.flush()
            os.fsync(stream.fileno())


def rewrite(files: Sequence[Path], target: Path) -> None:
    """Read every file with pydicom and write it with pydicom, unchanged."""
    for number, file in enumerate(files):
        dcmread(file).save_as(target / f"{number}.dcm", enforce_file_format=True)


def measure(folder: Path, size: str, patients: int, slices: int | None, repeat: int) -> None:
    """One size of slices."""
    files = archive(folder / "hospital", patients, SIZES[size], slices)
    vault = Vault.open(folder / "vault")
    keys = spooled(vault, files)
    lake, out = folder / "lake", folder / "out"
    stage = DeidentifyStage(vault, Lake.open(lake), "safe_harbor")

    def clear() -> None:
        for place in (lake, out):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()

    def run() -> None:
        released = sum(stage.run(key, "", "benchmark").passed for key in keys)
        if released != len(files):
            raise SystemExit(f"{released} of {len(files)} files were released: the figures would mean nothing")

    timed = alternate(
        [
            Contender("stage", run, clear),
            Contender("floor: copy, to disk", lambda: copy(files, out), clear),
            Contender("pydicom reads and writes, no change", lambda: rewrite(files, out), clear),
        ],
        repeat,
    )
    show(
        f"deidentify, {len(keys)} studies, {len(files)} files of {size}",
        timed[0],
        timed[1:],
        lambda seconds: f"{len(files) / seconds:.0f} files/s a core",
    )


def main(given: Sequence[str] | None = None) -> None:
    """Measure each size."""
    parser = arguments(__doc__, repeat=3)
    add_arguments(parser, patients=4)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES), help="of a slice (default: both)")
    said = parser.parse_args(given)
    for size in said.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), size, said.patients, said.slices, said.repeat)


if __name__ == "__main__":
    main()
