"""Seconds of the stage `volumes` for one series, against its floor: reading the files and compressing the voxels, nothing else.

    python -m benchmarks.volumes [--repeat 5]

Both read every byte of the series, compress the same voxels by the same gzip at the same level, and write one file. The peak memory is that
of this process after the stage's first turn.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from isal import igzip
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.measure import Contender, alternate, arguments, show
from tasks.lake import Lake
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage

STUDY, PATIENT = "2.25.1", "SL-ABCDEFGHIJKL"
SERIES = {"64 slices of 128 × 128": (64, 128), "200 slices of 512 × 512": (200, 512)}


def make(folder: Path, n: int, size: int) -> None:
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
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        noisy = body + generator.normal(0, 20, body.shape)
        dataset.PixelData = np.clip(np.rint(noisy), 0, 4095).astype("<u2").tobytes()
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def floor(files: list[Path], voxels: bytes, target: Path) -> None:
    """Read every byte of the series; compress its voxels as the stage does; write them."""
    for file in files:
        file.read_bytes()
    target.write_bytes(igzip.compress(voxels, compresslevel=1, mtime=0))


def measure(folder: Path, name: str, repeat: int) -> None:
    """One series."""
    source = folder / "dicom"
    source.mkdir()
    make(source, *SERIES[name])
    lake = Lake.open(folder / "lake")
    scan.cache_clear()
    scan(source, lake.root)  # a folder is looked through once a process, whatever its number of studies
    stage = VolumesStage(lake, source)
    stage.run(STUDY, "", "benchmark")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    voxels = igzip.decompress(lake.read(lake.files("volumes")[0]))
    files = sorted(source.iterdir())
    timed = alternate(
        [
            Contender("stage", lambda: stage.run(STUDY, "", "benchmark")),
            Contender("floor: read, compress, write", lambda: floor(files, voxels, folder / "floor")),
        ],
        repeat,
    )
    show(f"volumes, {name}, peak {peak:.0f} MiB", timed[0], timed[1:], lambda seconds: f"{len(files) / seconds:.0f} slices/s")


def main(given: Sequence[str] | None = None) -> None:
    """Measure each series."""
    parser = arguments(__doc__, repeat=5)
    parser.add_argument("--series", nargs="*", choices=SERIES, default=list(SERIES))
    said = parser.parse_args(given)
    for name in said.series:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), name, said.repeat)


if __name__ == "__main__":
    main()
