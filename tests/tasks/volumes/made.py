"""Series for tests: de-identified CT whose every voxel states its own position, written by pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES, PATIENT = "2.25.100", "2.25.200", "SL-ABCDEFGHIJKL"
AXIAL = np.array([1.0, 0, 0, 0, 1, 0])
#: Stored = rint(position · WEIGHTS) + 4000: three axes told apart by one number.
WEIGHTS = np.array([1.0, 3.0, 7.0])


def positions(n: int, step: np.ndarray, origin: tuple[float, float, float] = (-20.0, 10.0, 5.0)) -> list[np.ndarray]:
    return [np.array(origin) + number * step for number in range(n)]


def instance(
    position: np.ndarray,
    orientation: np.ndarray = AXIAL,
    *,
    number: int = 1,
    rows: int = 6,
    columns: int = 5,
    spacing: tuple[float, float] = (0.8, 0.5),
    **change,
) -> Dataset:
    """One slice."""

    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    world = position + i[..., None] * spacing[1] * orientation[:3] + j[..., None] * spacing[0] * orientation[3:]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{9000 + number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = STUDY, SERIES, PATIENT
    dataset.PatientIdentityRemoved = "YES"
    dataset.Modality, dataset.BodyPartExamined, dataset.InstanceNumber = "CT", "CHEST", number
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.StudyDate, dataset.PatientAge, dataset.PatientSex = "20250101", "061Y", "F"
    dataset.ImagePositionPatient = [f"{value:.9f}"[:16] for value in position]
    dataset.ImageOrientationPatient = [f"{value:.12f}"[:16] for value in orientation]
    dataset.PixelSpacing, dataset.SliceThickness = list(spacing), 2.0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = (np.rint(world @ WEIGHTS) + 4000).astype("<i2").tobytes()
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    return dataset


def save(folder: Path, datasets: list[Dataset], names: list[int] | None = None) -> Path:
    """Write the data sets; `names` gives the number in each one's file name."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{(names or range(len(datasets)))[place]:04d}.dcm", enforce_file_format=True)
    return folder
