"""Seconds, bytes and memory of a series of DICOM on its way to .nii.gz: the stage `volumes`, its own parts, other converters, and floors.

    python -m benchmarks.volumes [--repeat 5] [--series …] [--peer-python PYTHON]

All take turns on the same files: the stage (which also writes four tables and a picture), decoding and writing alone, dcm2niix at its fastest
level and at its default, SimpleITK, and dicom2nifti. The floor is reading every byte and compressing the voxels by one thread. A peer that is
not beside PYTHON or on the path is left out. Memory is the peak of a process of its own, above what it had before it began.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from benchmarks import converters
from benchmarks.measure import Contender, alternate, arguments, show
from tasks.dicom.instances import read
from tasks.lake import Lake
from tasks.volumes.decoding import FrameSource, blocks
from tasks.volumes.folder import scan
from tasks.volumes.nifti import write
from tasks.volumes.stage import VolumesStage

STUDY, PATIENT = "2.25.1", "SL-ABCDEFGHIJKL"
SERIES: dict[str, tuple[int, int, str]] = {
    "64 slices of 128 × 128": (64, 128, ExplicitVRLittleEndian),
    "400 slices of 512 × 512": (400, 512, ExplicitVRLittleEndian),
    "100 slices of 512 × 512, JPEG 2000": (100, 512, JPEG2000Lossless),
    "100 slices of 512 × 512, JPEG-LS": (100, 512, JPEGLSLossless),
    "100 slices of 512 × 512, RLE": (100, 512, RLELossless),
}
INTERCEPT = -1024


def make(folder: Path, n: int, size: int, syntax: str = ExplicitVRLittleEndian) -> None:
    """A series of CT-like slices: an ellipse of soft tissue in air, with noise of 20 HU."""
    generator = np.random.default_rng(2)
    y, x = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    body = np.where(x**2 + (y / 0.7) ** 2 < 0.8, 1064.0, 24.0)
    for number in range(n):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{1000 + number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = STUDY, "2.25.2", PATIENT
        dataset.PatientIdentityRemoved, dataset.Modality, dataset.InstanceNumber = "YES", "CT", number
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-150, -150, 1.25 * number], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.Rows, dataset.Columns = [300 / size] * 2, size, size
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, INTERCEPT
        noisy = body + generator.normal(0, 20, body.shape)
        dataset.PixelData = np.clip(np.rint(noisy), 0, 4095).astype("<u2").tobytes()
        if syntax != ExplicitVRLittleEndian:
            dataset.compress(UID(syntax), generate_instance_uid=False)
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def decode_and_write(source: Path, target: Path) -> None:
    """What the stage does with the pixels of a sorted series, and nothing else: taken apart, decoded, rescaled, written."""
    frames = [FrameSource(read(file).bare()) for file in sorted(source.iterdir())]
    header = frames[0].instance.fields()
    rows, columns = int(header.Rows), int(header.Columns)

    def rescaled() -> Iterator[NDArray[Any]]:
        for block in blocks(frames):
            yield np.add(block.values.view(np.int16), np.int16(INTERCEPT))

    affine = np.diag([-float(header.PixelSpacing[1]), -float(header.PixelSpacing[0]), 1.25, 1.0])
    write(target, rescaled(), (columns, rows, len(frames)), np.int16, affine)


#: Runs in a process of its own: a study of that many bytes must not leave a trace in this one's memory.
_MEMORY = """
import sys
from pathlib import Path
from benchmarks.volumes import *
source, target, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def kilobytes(name):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)).split()[1])

small = target / "small"
small.mkdir()
make(small, 3, 64)
if what == "stage":
    for number, folder in enumerate((small, source)):
        scan.cache_clear()
        before = kilobytes("VmRSS")
        VolumesStage(Lake.open(target / f"lake{number}"), folder).run(STUDY, "", "benchmark")
else:
    for folder in (small, source):
        before = kilobytes("VmRSS")
        decode_and_write(folder, target / "v.nii.gz")
print(kilobytes("VmHWM") - before)
"""


def memory(source: Path, what: str) -> str:
    """The peak of `stage` or `decode and write` above what the process had after a small series."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _MEMORY, str(source), folder, what]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f"{int(said) / 1024:.0f} MiB"


def _peers(python: str, voxels: Path, missing: list[str], *, fast: bool) -> Iterator[tuple[str, Callable[[Path, Path], object]]]:
    slow = (lambda: converters.dcm2niix(python), converters.simpleitk, lambda: converters.dicom2nifti(python))
    for found in (lambda: converters.dcm2niix(python, "-1"), lambda: converters.pigz(voxels), *(() if fast else slow)):
        try:
            yield found()
        except converters.PeerMissingError as error:
            missing.append(str(error))


def measure(folder: Path, name: str, repeat: int, python: str, *, fast: bool = False) -> None:
    """One series."""
    source, targets = folder / "dicom", folder / "out"
    source.mkdir()
    targets.mkdir()
    make(source, *SERIES[name])
    files = sorted(source.iterdir())
    lake = Lake.open(folder / "lake")
    scan.cache_clear()
    scan(source, lake.root)  # a folder is looked through once a process, whatever its number of studies
    stage = VolumesStage(lake, source)
    decode_and_write(source, targets / "ours.nii.gz")
    voxels = np.asarray(nibabel.load(targets / "ours.nii.gz").dataobj).tobytes("F")
    (folder / "voxels").write_bytes(voxels)

    def read_all() -> None:
        for file in files:
            file.read_bytes()

    def floor() -> None:
        read_all()
        (targets / "floor").write_bytes(igzip.compress(voxels, compresslevel=1, mtime=0))

    def contender(label: str, work: Callable[[Path, Path], object], number: int) -> Contender:
        target = targets / f"{number}.nii.gz"
        return Contender(label, lambda: work(source, target), lambda: target.unlink(missing_ok=True))

    missing: list[str] = []
    peers = list(_peers(python, folder / "voxels", missing, fast=fast))
    timed = alternate(
        [
            Contender("stage", lambda: stage.run(STUDY, "", "benchmark")),
            contender("decode and write, alone", decode_and_write, 0),
            *(contender(label, work, number) for number, (label, work) in enumerate(peers, 1)),
            Contender("floor: read, compress by one thread, write", floor),
            Contender("every byte read, alone", read_all),
        ],
        repeat,
    )
    peaks = {what: memory(source, what) for what in ("stage", "decode and write")}
    title = f"volumes, {name}, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB; peak above the interpreter: "
    title += ", ".join(f"{what} {peak}" for what, peak in peaks.items())
    show(title, timed[0], timed[1:], lambda seconds: f"{len(files) / seconds:.0f} slices/s")
    fastest = next((one for one in timed if one.name.endswith(" -1") and one.name.startswith("dcm2niix")), None)
    if fastest is not None:
        print(
            f"  of {fastest.name}: stage {timed[0].median / fastest.median:.2f}, decode and write {timed[1].median / fastest.median:.2f}"
        )
    sizes = {label: targets / f"{number}.nii.gz" for number, (label, _) in enumerate([("decode and write", None), *peers])}
    print(
        "  sizes: " + ", ".join(f"{label} {file.stat().st_size / 1e6:.1f} MB" for label, file in sizes.items() if file.exists())
    )


def main(given: Sequence[str] | None = None) -> None:
    """Measure each series."""
    parser = arguments(__doc__, repeat=5)
    parser.add_argument("--series", nargs="*", choices=SERIES, default=list(SERIES))
    parser.add_argument(
        "--peer-python", default=sys.executable, help="has dicom2nifti, and dcm2niix beside it (default: this one)"
    )
    parser.add_argument("--fast", action="store_true", help="leave out the peers that take ten times as long as the others")
    said = parser.parse_args(given)
    for name in said.series:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), name, said.repeat, said.peer_python, fast=said.fast)


if __name__ == "__main__":
    main()
