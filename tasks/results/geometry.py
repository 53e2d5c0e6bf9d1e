"""Where a volume's slices are among the images that it was made of: held to what each image states, before anything is drawn on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.errors import SafelightError
from tasks.results.headers import Headers

#: As the table `volumes` promises: the most that the affine may be off from what an image states.
TOLERANCE_MM = 0.1

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Slices:
    """A volume's slices and their images.

    Args:
        affine_lps: (4, 4), from voxel (i, j, k) to DICOM's patient frame in mm.
        shape: voxels (i, j, k).
        images: header of the image of each slice, in their order; the same one again and again where it has many frames. Of a
            volume on another grid, all images that it was made of.
        frames: the frame number of each slice from 1; None where images have one.
        aligned: whether slice k is image k, pixel by pixel.
    """

    affine_lps: NDArray[np.float64]
    shape: tuple[int, int, int]
    images: tuple[Dataset, ...]
    frames: tuple[int, ...] | None
    aligned: bool

    @cached_property
    def sources(self) -> tuple[Dataset, ...]:
        """Each image once."""
        return tuple({image.SOPInstanceUID: image for image in self.images}.values())

    @property
    def orientation(self) -> tuple[float, ...]:
        """ImageOrientationPatient of the slices: as the images state it, or by the affine."""
        along = [self.affine_lps[:3, axis] / np.linalg.norm(self.affine_lps[:3, axis]) for axis in (0, 1)]
        return self._stated("PlaneOrientationSequence", "ImageOrientationPatient") or tuple(map(float, np.concatenate(along)))

    def position(self, k: int) -> tuple[float, ...]:
        """ImagePositionPatient of a slice: as its image states it, or by the affine."""
        return self._stated("PlanePositionSequence", "ImagePositionPatient", k) or tuple(map(float, self.place((0, 0, k))))

    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbours in mm: between rows, between columns (as the images state them, or by the affine), between slices.

        An affine is held in single precision, so what it gives has six digits.
        """
        i, j, k = (float(f"{np.linalg.norm(self.affine_lps[:3, axis]):.6g}") for axis in range(3))
        between_rows, between_columns = self._stated("PixelMeasuresSequence", "PixelSpacing") or (j, i)
        return between_rows, between_columns, k

    def _stated(self, group: str, keyword: str, k: int = 0) -> tuple[float, ...] | None:
        return _stated(self.images[k], self.frames[k] if self.frames else None, group, keyword) if self.aligned else None

    def place(self, voxel: tuple[float, float, float]) -> NDArray[np.float64]:
        """A place (i, j, k), 0 at the middle of the first voxel, in DICOM's patient frame: (3,) mm."""
        return np.asarray((self.affine_lps @ [*voxel, 1.0])[:3], np.float64)


def slices(volume: Mapping[str, Any], headers: Headers) -> Slices:
    """The slices of a volume.

    Args:
        volume: row of the table `volumes`.
        headers: of the study's images, by their SOPInstanceUID in the lake.

    Raises:
        SafelightError: E-RETURN-SOURCES where an image is not there; E-RETURN-GEOMETRY where an image is not where the volume has it, or
            the volume has no place in space.
    """
    key = f"series {volume['SeriesInstanceUID']}"
    names = list(volume["source_instances"] or ())
    if not names or any(name not in headers for name in names):
        raise SafelightError("E-RETURN-SOURCES", key)
    if volume["affine"] is None or volume["kind"] != "3d":
        raise SafelightError("E-RETURN-GEOMETRY", f"{key}: no stack in space")
    images = tuple(headers[name] for name in names)
    if any("FrameOfReferenceUID" not in image for image in images):
        raise SafelightError("E-RETURN-GEOMETRY", f"{key}: no frame of reference")
    aligned = volume["resampled_from"] is None
    frames = tuple(volume["source_frames"] or ())
    several = any(int(image.get("NumberOfFrames") or 1) > 1 for image in images)
    shape = (int(volume["n_columns"]), int(volume["n_rows"]), int(volume["n_slices"]))
    if aligned and (len(images) != shape[2] or (several and len(frames) != shape[2])):
        raise SafelightError("E-RETURN-GEOMETRY", f"{key}: not an image for each slice")
    found = Slices(_LPS @ np.reshape(volume["affine"], (4, 4)), shape, images, frames if several else None, aligned)
    if aligned:
        _hold(found, key)
    return found


def _hold(found: Slices, key: str) -> None:
    """Raise E-RETURN-GEOMETRY where a corner of an image is not where the volume has it."""
    for k, image in enumerate(found.images):
        frame = found.frames[k] if found.frames else None
        position = _stated(image, frame, "PlanePositionSequence", "ImagePositionPatient")
        orientation = _stated(image, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = _stated(image, frame, "PixelMeasuresSequence", "PixelSpacing")
        if (image.Columns, image.Rows) != found.shape[:2] or position is None or orientation is None or spacing is None:
            raise SafelightError("E-RETURN-GEOMETRY", f"{key}, slice {k}: another size, or no place")
        right, down = np.array(orientation[:3]) * spacing[1], np.array(orientation[3:]) * spacing[0]
        for i, j in ((0, 0), (found.shape[0] - 1, 0), (0, found.shape[1] - 1)):
            off = float(np.linalg.norm(position + right * i + down * j - found.place((i, j, k))))
            if off > TOLERANCE_MM:
                raise SafelightError("E-RETURN-GEOMETRY", f"{key}, slice {k}: {off:.2f} mm off")


def _stated(image: Dataset, frame: int | None, group: str, keyword: str) -> tuple[float, ...] | None:
    """A value of an image, or of one of its frames (its own functional group, else the shared one)."""
    items = [image]
    if frame is not None and "PerFrameFunctionalGroupsSequence" in image:
        own, shared = image.PerFrameFunctionalGroupsSequence[frame - 1], image.SharedFunctionalGroupsSequence[0]
        items = [macro[0] for macro in (own.get(group), shared.get(group)) if macro]
    for item in items:
        if item.get(keyword) is not None:
            return tuple(float(value) for value in item[keyword].value)
    return None
