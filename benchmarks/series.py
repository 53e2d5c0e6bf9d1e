"""CT series of any length for the benchmark of de-identification: the demo's header on every slice, with the private blocks of a scanner."""

from __future__ import annotations

import copy
import random
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from benchmarks.cohort import archive


def make(folder: Path, studies: int, slices: int, times: int) -> list[Path]:
    """Write so many studies with one series of so many slices each, and return the files.

    Args:
        times: how often each pixel of the demo's 128 × 128 is repeated along rows and columns; 4 gives 512 × 512, 0.53 MB a file.
    """
    files: list[Path] = []
    first_of = {path.parent: path for path in sorted(archive(folder / "made", studies, times, 1))}
    for number, template in enumerate(first_of.values()):
        study = dcmread(template)
        _private(study, random.Random(number))
        place = folder / f"study{number}"
        place.mkdir(parents=True)
        files += [_slice(study, index, place) for index in range(slices)]
    return files


def _slice(study: FileDataset, index: int, place: Path) -> Path:
    """One slice: its own UID, number, position, and time; the pixels of the first, shifted, so that no two are alike."""
    made = copy.deepcopy(study)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(f"{study.SeriesInstanceUID[:50]}.{index + 1}")
    made.InstanceNumber = index + 1
    x, y, z = study.ImagePositionPatient
    made.ImagePositionPatient = [x, y, f"{float(z) + 2.5 * index:.2f}"]
    made.SliceLocation = f"{float(z) + 2.5 * index:.2f}"
    shift = 2 * (index % study.Columns)
    made.PixelData = study.PixelData[shift:] + study.PixelData[:shift]
    path = place / f"{index + 1:04d}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


def _private(study: Dataset, chance: random.Random) -> None:
    """Blocks as scanners write them: short values, a binary header of 4 kB, a nested sequence. Made up, and nobody's."""
    short = study.private_block(0x0019, "SYNTHETIC CT HEADER", create=True)
    for element in range(20):
        short.add_new(element, "DS", f"{chance.random():.4f}")
    long = study.private_block(0x0029, "SYNTHETIC CSA HEADER", create=True)
    long.add_new(0x10, "OB", chance.randbytes(4096))
    long.add_new(0x18, "CS", "IMAGE")
    item = Dataset()
    item.PatientName = study.PatientName
    long.add_new(0x20, "SQ", Sequence([item, Dataset()]))
