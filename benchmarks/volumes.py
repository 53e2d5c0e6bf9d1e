"""How long the volumes stage takes for one series, against its floor: reading the files and compressing the voxels, nothing else.

    python -m benchmarks.volumes [--repeat 3]

Prints one line a series: seconds of the stage, seconds of the floor, their ratio, and the peak memory of this process so far.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from isal import igzip
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

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


def fastest(work: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of `repeat` turns."""
    turns = []
    for _ in range(repeat):
        begun = time.perf_counter()
        work()
        turns.append(time.perf_counter() - begun)
    return min(turns)


def floor(files: list[Path], voxels: bytes, target: Path) -> None:
    """Read every byte of the series; compress its voxels as the stage does; write them."""
    for file in files:
        file.read_bytes()
    target.write_bytes(igzip.compress(voxels, compresslevel=1, mtime=0))


def main() -> None:
    """Measure both series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    for name, (n, size) in SERIES.items():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "dicom"
            source.mkdir()
            make(source, n, size)
            lake = Lake.open(Path(folder) / "lake")
            scan.cache_clear()
            scan(source, lake.root)
            stage = VolumesStage(lake, source)
            seconds = fastest(lambda stage=stage: stage.run(STUDY, "", "f"), repeat)
            voxels = igzip.decompress(lake.read(lake.files("volumes")[0]))
            files = sorted(source.iterdir())
            least = fastest(
                lambda files=files, voxels=voxels, folder=folder: floor(files, voxels, Path(folder) / "floor"), repeat
            )
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name}: {seconds:.2f} s, floor {least:.2f} s, ratio {seconds / least:.1f}, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
