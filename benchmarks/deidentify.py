"""Files a second of the stage `deidentify`, from the spool to the lake, beside what others take for the same files in the same run.

    python -m benchmarks.deidentify [--patients 2] [--slices 200] [--repeat 3] [--peer-python OTHER/bin/python]

One study a patient, one CT series a study. All take turns (A B C A B C …):

- the stage on one core, with the full profile, the residue check, and the looks at pixels for text and faces;
- the same without the looks: headers, residue check, publication;
- the same without forcing the files to disk either, as the peers do it;
- the floor: each file read, written, and forced to disk (fsync), as the stage must;
- pydicom reads and writes the same files without any change, and forces nothing to disk;
- `dicom-anonymizer`, where the Python that is named has it: `python -m venv peer && peer/bin/pip install dicom-anonymizer==2.1.0`;
- the stage with two worker processes, a study each.

Then the peak memory of a process that does one study, with all slices and with a quarter of them.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from pydicom import dcmread

from benchmarks.cohort import SIZES, add_arguments, spooled
from benchmarks.measure import Contender, alternate, arguments, show
from benchmarks.peers import DicomAnonymizer, PeerMissingError
from benchmarks.series import make
from tasks import forcing
from tasks.deid.imaging import Imaging
from tasks.deid.stage import DeidentifyStage
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.pools import WorkerPool
from tasks.vault import Vault

WORKERS = 2


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


def measure(folder: Path, size: str, patients: int, slices: int, repeat: int, peer_python: str) -> None:
    """One size of slices."""
    files = make(folder / "hospital", patients, slices, SIZES[size])
    vault = Vault.open(folder / "vault")
    keys = spooled(vault, files)
    lake, out = folder / "lake", folder / "out"
    stage = DeidentifyStage(vault, Lake.open(lake), "safe_harbor")

    def clear() -> None:
        for place in (lake, out):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()

    def whole(released: int) -> None:
        if released != len(files):
            raise SystemExit(f"{released} of {len(files)} files were released: the figures would mean nothing")

    def unseen() -> None:
        with patch.object(Imaging, "judge", lambda self, _images: self.found):
            whole(sum(stage.run(key, "", "benchmark").passed for key in keys))

    def unforced() -> None:
        with patch.object(forcing, "_forced", os.close):
            unseen()

    def shared(pool: WorkerPool) -> None:
        whole(sum(each.result().passed for each in [pool.submit(stage.run, key, "", "benchmark") for key in keys]))

    with ExitStack() as stack:
        contenders = [
            Contender("stage", lambda: whole(sum(stage.run(key, "", "benchmark").passed for key in keys)), clear),
            Contender("the same, no looks at pixels", unseen, clear),
            Contender("the same, not forced to disk either", unforced, clear),
            Contender("floor: copy, to disk", lambda: copy(files, out), clear),
            Contender("pydicom reads and writes, no change", lambda: rewrite(files, out), clear),
        ]
        missing = ""
        try:
            peer = stack.enter_context(DicomAnonymizer(peer_python))
            contenders.append(Contender(peer.name, lambda: peer.work(files, out), clear))
        except (PeerMissingError, OSError):
            missing = "  dicom-anonymizer                           not installed (--peer-python)"
        if len(keys) >= WORKERS:
            pool = WorkerPool(WORKERS, ErrorLog(vault.errors))
            stack.callback(pool.close)
            contenders.append(Contender(f"stage, {WORKERS} workers", lambda: shared(pool), clear))
        timed = alternate(contenders, repeat)
    title = f"deidentify, {len(keys)} studies, {len(files)} files of {size}, {_described(files[0])}"
    show(title, timed[0], timed[1:], lambda seconds: f"{len(files) / seconds:.0f} files/s")
    if missing:
        print(missing)
    _memory(folder, keys[0], slices)


def _described(file: Path) -> str:
    """How large a file is, and how many elements it has at all depths."""
    elements = sum(1 for _ in dcmread(file).iterall())
    return f"{file.stat().st_size / 1e6:.2f} MB, {elements} elements"


def _memory(folder: Path, key: str, slices: int) -> None:
    """Peak memory of a process that does one study: all of it, and a quarter."""
    quarter = max(1, slices // 4)
    whole = _peak(folder, key)
    for file in sorted((folder / "vault" / "spool" / key).glob("*/*.dcm"))[quarter:]:
        file.unlink()
    print(
        f"  peak memory, a process with one study      {whole} MiB with {slices} files, {_peak(folder, key)} MiB with {quarter}"
    )


def _peak(folder: Path, key: str) -> int:
    """MiB; the process is this module's own, started afresh."""
    command = [sys.executable, "-m", "benchmarks.deidentify", "--one-study", str(folder), key]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return int(done.stdout)


def one_study(folder: Path, key: str) -> None:
    """De-identify one study and print the process's peak memory in MiB."""
    stage = DeidentifyStage(Vault.open(folder / "vault"), Lake.open(folder / "lake"), "safe_harbor")
    stage.run(key, "", "memory")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main(given: Sequence[str] | None = None) -> None:
    """Measure each size."""
    parser = arguments(__doc__, repeat=3)
    add_arguments(parser, patients=2)
    parser.set_defaults(slices=200)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=["512 × 512"], help="of a slice (default: the larger one)")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has dicom-anonymizer (default: this one)")
    parser.add_argument("--one-study", nargs=2, metavar=("FOLDER", "KEY"), help="what the measurement of memory runs")
    said = parser.parse_args(given)
    if said.one_study:
        one_study(Path(said.one_study[0]), said.one_study[1])
        return
    for size in said.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), size, said.patients, said.slices, said.repeat, said.peer_python)


if __name__ == "__main__":
    main()
