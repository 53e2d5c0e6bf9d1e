"""A phantom whose every voxel states its own position, in every form in which scanners store a series; and the check that a volume says the same.

Stored value = rint(position · WEIGHTS) + 4000 + `plus`: `plus` tells stacks at the same positions apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from data_contracts.instances import CONTRACT as INSTANCES
from data_contracts.volumes import CONTRACT as VOLUMES
from tasks.lake import Lake
from tasks.volumes.folder import scan
from tasks.volumes.policy import VolumesSettings
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import AXIAL, STUDY, WEIGHTS, instance, positions, save

UP = np.array([0, 0, 2.0])


@dataclass
class Ran:
    """A study that the stage has converted."""

    lake: Lake
    outcome: Any
    rows: list[dict[str, Any]]
    instances: list[dict[str, Any]]

    def image(self, row: dict[str, Any]) -> nibabel.Nifti1Image:
        assert self.lake.root is not None
        return nibabel.load(self.lake.root / row["path"])

    @property
    def ends(self) -> dict[tuple[str, str], int]:
        return {(count.outcome, count.reason_code): count.n for count in self.outcome.tally}


def run(folder: Path, slices: Sequence[Dataset], settings: VolumesSettings | None = None) -> Ran:
    """Save the data sets as a study, convert it, and read the tables."""
    source = save(folder / "dicom", list(slices))
    scan.cache_clear()
    lake = Lake.open(folder / "lake")
    outcome = VolumesStage(lake, source, settings or VolumesSettings()).run(STUDY, "", "f")
    rows = sorted(lake.table(VOLUMES).to_pylist(), key=lambda row: (row["SeriesInstanceUID"], row["volume_index"]))
    return Ran(lake, outcome, rows, lake.table(INSTANCES).to_pylist())


def offsets(ran: Ran, row: dict[str, Any], rounding: float = 0.51) -> list[int]:
    """For each volume of a file, by how much its values are above what their positions say, the same everywhere; raises AssertionError where a
    voxel states another position than the affine gives it.

    Args:
        rounding: of the stored numbers, in values. Beside it, acquired voxels may be off by their certificate, resampled ones by twice it and 0.1 mm.
    """
    image = ran.image(row)
    voxels = np.asarray(image.dataobj, np.float64)
    voxels = voxels.reshape(*voxels.shape[:3], -1)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in voxels.shape[:3]), indexing="ij"), axis=-1)
    lps = nibabel.affines.apply_affine(image.affine, index) * [-1, -1, 1]
    acquired = row["status"] == "converted"
    away = row["max_position_error_mm"] if acquired else 0.1
    limit = (1 if acquired else 2) * rounding + away * np.abs(WEIGHTS).sum()
    found = []
    for time in range(voxels.shape[3]):
        above = voxels[..., time] - (lps @ WEIGHTS + 4000)
        inside = above[~np.isclose(voxels[..., time], voxels.min())] if row["status"] == "resampled" else above.ravel()
        middle = float(np.median(inside))
        off = float(np.abs(inside - round(middle)).max())
        assert off <= limit, (row["volume_index"], off)
        found.append(round(middle))
    return found


def stack(n: int = 6, *, step: np.ndarray = UP, orientation: np.ndarray = AXIAL, first: int = 0, **change: Any) -> list[Dataset]:
    """A CT series; numbers from `first`."""
    return [instance(place, orientation, number=first + k, **change) for k, place in enumerate(positions(n, step))]


def mr(
    n: int = 6, *, first: int = 0, plus: int = 0, step: np.ndarray = UP, orientation: np.ndarray = AXIAL, **change: Any
) -> list[Dataset]:
    """An MR series: no rescale."""
    slices = stack(n, first=first, step=step, orientation=orientation)
    for each in slices:
        as_class(each, MRImageStorage, "MR")
        del each.RescaleSlope, each.RescaleIntercept
        raised(each, plus)
        for keyword, value in change.items():
            setattr(each, keyword, value)
    return slices


def pet(n: int = 6, **change: Any) -> list[Dataset]:
    """A PET series with a slope for each slice."""
    slices = stack(n)
    for number, each in enumerate(slices):
        as_class(each, PositronEmissionTomographyImageStorage, "PT")
        slope = 1 + 0.25 * number
        each.RescaleSlope, each.RescaleIntercept, each.Units = f"{slope:.2f}", 0, "BQML"
        each.PixelData = np.rint(np.frombuffer(each.PixelData, "<i2") / slope).astype("<i2").tobytes()
        for keyword, value in change.items():
            setattr(each, keyword, value)
    return slices


def as_class(dataset: Dataset, uid: str, modality: str) -> Dataset:
    """The same as another class of object."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid
    dataset.Modality = modality
    return dataset


def raised(dataset: Dataset, plus: int) -> Dataset:
    """With all stored values higher."""
    if plus:
        dataset.PixelData = (np.frombuffer(dataset.PixelData, "<i2") + plus).astype("<i2").tobytes()
    return dataset


def enhanced(frames: Sequence[Dataset], uid: str = EnhancedCTImageStorage, number: int = 1, **change: Any) -> Dataset:
    """The classic slices as one multi-frame object, its frames in the order given; `own` groups are taken from attributes of the slices."""
    first = frames[0]
    made = instance(np.zeros(3), number=5000 + number, rows=int(first.Rows), columns=int(first.Columns))
    as_class(made, uid, first.Modality)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(made, keyword)
    made.ImageType = first.ImageType if "ImageType" in first else ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    made.NumberOfFrames = len(frames)
    made.PixelData = b"".join(frame.PixelData for frame in frames)
    shared = Dataset()
    shared.PlaneOrientationSequence = Items([_item(ImageOrientationPatient=first.ImageOrientationPatient)])
    shared.PixelMeasuresSequence = Items([_item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)])
    if "RescaleSlope" in first and len({(frame.RescaleSlope, frame.RescaleIntercept) for frame in frames}) == 1:
        shared.PixelValueTransformationSequence = Items([_rescale(first)])
    made.SharedFunctionalGroupsSequence = Items([shared])
    made.PerFrameFunctionalGroupsSequence = Items([_groups(frame, shared) for frame in frames])
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return made


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _rescale(frame: Dataset) -> Dataset:
    kind = "HU" if frame.Modality == "CT" else "US"
    return _item(RescaleIntercept=frame.RescaleIntercept, RescaleSlope=frame.RescaleSlope, RescaleType=kind)


def _groups(frame: Dataset, shared: Dataset) -> Dataset:
    own = Dataset()
    own.PlanePositionSequence = Items([_item(ImagePositionPatient=frame.ImagePositionPatient)])
    content = _item(FrameAcquisitionNumber=1)
    if "TemporalPositionIdentifier" in frame:
        content.TemporalPositionIndex = int(frame.TemporalPositionIdentifier)
    if "StackID" in frame:
        content.StackID = frame.StackID
    own.FrameContentSequence = Items([content])
    if frame.ImageOrientationPatient != shared.PlaneOrientationSequence[0].ImageOrientationPatient:
        own.PlaneOrientationSequence = Items([_item(ImageOrientationPatient=frame.ImageOrientationPatient)])
    if "RescaleSlope" in frame and "PixelValueTransformationSequence" not in shared:
        own.PixelValueTransformationSequence = Items([_rescale(frame)])
    if "EchoTime" in frame:
        own.MREchoSequence = Items([_item(EffectiveEchoTime=float(frame.EchoTime))])
    if "DiffusionBValue" in frame:
        own.MRDiffusionSequence = Items([_item(DiffusionBValue=float(frame.DiffusionBValue))])
    return own


def mosaic(n: int, number: int = 1, plus: int = 0, *, normal: Sequence[float] | None = (0, 0, 1), step: float = 2.0) -> Dataset:
    """A Siemens mosaic of `n` slices, first slice first, with its private headers; `normal` None leaves the one out that tells the direction."""
    side = int(np.ceil(np.sqrt(n)))
    direction = np.array(normal if normal is not None else (0, 0, 1), float)
    slices = [raised(instance(place), plus) for place in positions(n, step * direction)]
    rows, columns = int(slices[0].Rows), int(slices[0].Columns)
    grid = np.zeros((side * rows, side * columns), "<i2")
    for k, each in enumerate(slices):
        r, c = k // side * rows, k % side * columns
        grid[r : r + rows, c : c + columns] = np.frombuffer(each.PixelData, "<i2").reshape(rows, columns)
    spacing = [float(part) for part in slices[0].PixelSpacing]
    corner = np.array([float(part) for part in slices[0].ImagePositionPatient])
    corner -= (
        np.array([1, 0, 0]) * spacing[1] * columns * (side - 1) / 2 + np.array([0, 1, 0]) * spacing[0] * rows * (side - 1) / 2
    )
    made = instance(corner, number=7000 + number, rows=side * rows, columns=side * columns)
    as_class(made, MRImageStorage, "MR")
    del made.RescaleSlope, made.RescaleIntercept
    made.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    made.PixelData, made.SpacingBetweenSlices, made.AcquisitionNumber = grid.tobytes(), step, number
    made.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", n)
    if normal is not None:
        made.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", csa(normal))
    return made


def csa(normal: Sequence[float]) -> bytes:
    """A private header of type CSA2 with one element, SliceNormalVector (nibabel, "Siemens CSA headers")."""
    items = b""
    for part in (*(f"{value:.8f}" for value in normal), "", "", ""):
        text = part.encode() + b"\0" if part else b""
        length = len(text)
        items += np.array([length, length, 77, length], "<u4").tobytes() + text + b"\0" * (-length % 4)
    tag = (
        b"SliceNormalVector".ljust(64, b"\0") + np.array([3], "<i4").tobytes() + b"FD\0\0" + np.array([0, 6, 77], "<i4").tobytes()
    )
    return b"SV10\4\3\2\1" + np.array([1, 77], "<u4").tobytes() + tag + items


def projection(uid: str, modality: str, number: int = 1, **change: Any) -> Dataset:
    """A projection: no plane in the patient."""
    made = as_class(instance(np.zeros(3), number=number), uid, modality)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(made, keyword)
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return made


__all__ = [
    "UP",
    "CTImageStorage",
    "EnhancedCTImageStorage",
    "EnhancedMRImageStorage",
    "ExplicitVRLittleEndian",
    "MRImageStorage",
    "Ran",
    "enhanced",
    "instance",
    "mosaic",
    "mr",
    "offsets",
    "pet",
    "positions",
    "projection",
    "raised",
    "run",
    "stack",
]  # fmt: skip
