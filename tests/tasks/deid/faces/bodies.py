"""Made-up bodies as functions of space, and series that a scanner would make of them in any orientation.

Coordinates are DICOM's patient frame (LPS, mm): x to the left, y to the back, z to the head. The head's origin is the middle of its skull.
Tissues: see `CT` and `MR`. Nobody looks like this: ellipsoids, with a nose, brows, orbits, lips, a chin and ears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

Floats = NDArray[np.float64]
Body = Callable[[Floats, Floats, Floats], NDArray[np.uint8]]
AIR, SKIN, FAT, MUSCLE, BONE, BRAIN, EYE, LUNG, FLUID = range(9)
CT = np.array([-1000, 30, -90, 50, 900, 35, 15, -820, 5], np.float64)
MR = np.array([6, 320, 420, 210, 25, 300, 120, 18, 90], np.float64)
PT = np.array([20, 260, 150, 300, 250, 4000, 300, 150, 250], np.float64)
AXIAL, CORONAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)


def ellipsoid(x: Floats, y: Floats, z: Floats, centre: Sequence[float], axes: Sequence[float]) -> Floats:
    """Below 1 inside."""
    return ((x - centre[0]) / axes[0]) ** 2 + ((y - centre[1]) / axes[1]) ** 2 + ((z - centre[2]) / axes[2]) ** 2


def head(x: Floats, y: Floats, z: Floats, *, nose: float = 1.0, ears: bool = True) -> NDArray[np.uint8]:
    """A head and neck: vertex at z = 88, nose tip near (0, -118, -48), chin near z = -118. `nose` scales its features."""
    out = np.zeros(np.broadcast(x, y, z).shape, np.uint8)

    def paint(where: NDArray[np.bool_], tissue: int) -> None:
        out[where] = tissue

    skull = ellipsoid(x, y, z, (0, 0, 0), (76, 96, 88))
    face = ellipsoid(x, y, z, (0, -38, -58), (62, 62, 62))
    neck = ((x / 58) ** 2 + ((y - 12) / 60) ** 2 < 1) & (z < -30)
    chin = ellipsoid(x, y, z, (0, -78, -104), (26, 22, 16)) < 1
    brow = ellipsoid(x, y, z, (0, -86, -14), (48, 16, 9)) < 1
    ridge = (np.abs(x) < 9 + 8 * np.clip((-z - 20) / 30, 0, 1)) & (z < -14) & (z > -54)
    tip = -100 - nose * (22 * np.clip((-14 - z) / 36, 0, 1))
    lips = ellipsoid(x, y, z, (0, -96, -76), (25, 9 * nose, 9)) < 1
    paint((skull < 1) | (face < 1) | neck | chin | brow | lips, SKIN)
    paint(ridge & (y > tip) & (y < -60), SKIN)
    if ears:
        for side in (-1, 1):
            rim = ellipsoid(x, y, z, (side * 78, 8, -34), (11, 17, 29))
            paint((rim < 1) & (ellipsoid(x, y, z, (side * 85, 2, -34), (6, 9, 18)) > 1), SKIN)
    for side in (-1, 1):  # the sockets are hollows in the surface, with eyes at their bottom
        paint(ellipsoid(x, y, z, (side * 31, -100, -27), (17, 20, 11)) < 1, AIR)
        paint(ellipsoid(x, y, z, (side * 31, -74, -29), (12.5, 12.5, 12.5)) < 1, EYE)
    paint((ellipsoid(x, y, z, (0, 0, 0), (70, 90, 82)) < 1) & (z > -50), BONE)
    paint(ellipsoid(x, y, z, (0, -40, -66), (44, 44, 40)) < 1, MUSCLE)
    paint((ellipsoid(x, y, z, (0, -50, -92), (48, 36, 14)) < 1) & (ellipsoid(x, y, z, (0, -38, -92), (40, 34, 18)) > 1), BONE)
    paint((ellipsoid(x, y, z, (0, -76, -62), (30, 12, 8)) < 1), BONE)
    paint((np.abs(x) < 12) & (np.abs(y + 58) < 28) & (np.abs(z + 46) < 16), AIR)
    paint(((x / 16) ** 2 + ((y - 30) / 18) ** 2 < 1) & (z < -48), BONE)
    for side in (-1, 1):
        paint(ellipsoid(x, y, z, (side * 31, -74, -29), (12.5, 12.5, 12.5)) < 1, EYE)
    paint(brain(x, y, z, grown=5), BONE)
    paint(brain(x, y, z), BRAIN)
    return out


def brain(x: Floats, y: Floats, z: Floats, *, grown: float = 0) -> NDArray[np.bool_]:
    """Where the head's brain is: an ellipsoid whose frontal part ends above the orbits; `grown` by some mm."""
    whole = ellipsoid(x, y, z, (0, 0, 2), (64 + grown, 84 + grown, 74 + grown)) < 1
    return np.asarray(whole & (z > np.where(y < -38 - grown, -6, -46) - grown))


def chest(x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
    """A trunk 340 mm wide, with lungs, ribs, breastbone, spine and breasts; its neck begins at z = 190, shoulders above 150."""
    out = np.zeros(np.broadcast(x, y, z).shape, np.uint8)
    trunk = ((x / 172) ** 2 + (y / 112) ** 2 < 1) & (z < 170)
    neck = (x / 60) ** 2 + ((y - 10) / 60) ** 2 < 1
    breasts = (ellipsoid(x, y, z, (75, -98, 20), (55, 38, 50)) < 1) | (ellipsoid(x, y, z, (-75, -98, 20), (55, 38, 50)) < 1)
    larynx = ellipsoid(x, y, z, (0, -46, 205), (12, 12, 16)) < 1
    out[trunk | neck | breasts | larynx] = SKIN
    out[((x / 158) ** 2 + (y / 98) ** 2 < 1) & (z < 160)] = MUSCLE
    ribs = np.abs((x / 146) ** 2 + (y / 88) ** 2 - 1) < 0.07
    out[ribs & ((z + 0.5 * np.abs(y) + 1000) % 24 < 9) & (z < 150)] = BONE
    for side in (-1, 1):
        out[ellipsoid(x, y, z, (side * 75, 4, 10), (58, 76, 130)) < 1] = LUNG
    out[ellipsoid(x, y, z, (18, -20, -40), (52, 50, 56)) < 1] = MUSCLE
    out[(np.abs(x) < 18) & (y < -86) & (y > -97) & (np.abs(z - 30) < 90)] = BONE
    out[((x / 20) ** 2 + ((y - np.where(z < 170, 62, 34)) / 22) ** 2 < 1)] = BONE
    out[((x / 9) ** 2 + ((y + 22) / 9) ** 2 < 1) & (z > 90)] = AIR
    return out


def chest_and_head(x: Floats, y: Floats, z: Floats) -> NDArray[np.uint8]:
    """The trunk with the head on it, its chin at z = 214."""
    below, above = chest(x, y, z), head(x, y, z - 330)
    return np.where(z > 190, np.maximum(above, 0), below).astype(np.uint8)


def series(
    folder: Path, body: Body, *, orientation: Sequence[float] = AXIAL, centre: Sequence[float] = (0, 0, 0), extent: float = 260,
    field: float = 260, pixel: float = 2.0, thickness: float = 2.0, modality: str = "CT", tilt_deg: float = 0.0, noise: float = 8.0,
    body_part: str = "HEAD", reference: str = "2.25.77", series_uid: str = "2.25.500", syntax: str = ExplicitVRLittleEndian,
) -> list[Path]:  # fmt: skip
    """Write one file a slice, and give their paths in order. `extent` is the stack's length, `field` the image's width, in mm.

    tilt_deg: gantry tilt: the slices lean about x, their positions still follow the couch (z), as CT with a tilted gantry has it.
    """
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(row, column)
    step = normal * thickness
    if tilt_deg:
        angle = np.radians(tilt_deg)
        column = np.array([0, np.cos(angle), np.sin(angle)])
        step = np.array([0, 0, thickness])
    n, side = round(extent / thickness), round(field / pixel)
    first = np.array(centre, float) - step * (n - 1) / 2 - (row + column) * pixel * (side - 1) / 2
    classes = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}
    values = {"CT": CT, "MR": MR, "PT": PT}[modality]
    random = np.random.default_rng(7)
    j, i = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(n):
        at = first + number * step
        world = at + i[..., None] * pixel * row + j[..., None] * pixel * column
        image = values[body(world[..., 0], world[..., 1], world[..., 2])] + random.normal(0, noise, (side, side))
        stored = np.rint(image + 1024 if modality == "CT" else np.abs(image)).clip(0, 4095).astype("<u2")
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = syntax
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = classes[modality]
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"{series_uid}.{number + 1}"
        made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "2.25.400", series_uid, reference
        made.Modality, made.BodyPartExamined, made.ImageType = modality, body_part, ["ORIGINAL", "PRIMARY"]
        made.PatientID, made.PatientName, made.InstanceNumber = "SYNTHETIC", "SYNTHETIC", number + 1
        made.ImagePositionPatient = [f"{value:.8f}"[:16] for value in at]
        made.ImageOrientationPatient = [f"{value:.12f}"[:16] for value in (*row, *column)]
        made.PixelSpacing, made.SliceThickness = [pixel, pixel], thickness
        made.Rows = made.Columns = side
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.RescaleSlope, made.RescaleIntercept = 1, -1024 if modality == "CT" else 0
        made.PixelData = stored.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
        made["PixelData"].VR = "OW"
        paths.append(folder / f"{number:04d}.dcm")
        made.save_as(paths[-1], enforce_file_format=True)
    return paths
