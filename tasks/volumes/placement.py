"""How the images of a CT, MR or PET series lie in space, in the terms and with the tolerances of IDC's `volume_geometry_index`.

The columns of that table are defined there by headers alone, for a series as a whole: whether its images make one regular volume as they are. The
flags of `volumes` are about each part that was made of a series, and allow what the certificate allows. Both are true, of other things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.dicom.headers import count, numbers, word
from tasks.volumes.kinds import CLASSIC, ENHANCED
from tasks.volumes.views import View

#: IDC's: of the spacing of slices; in millimetres; of the length of the normal.
SPACING, IN_PLANE, ORIENTATION = 0.01, 0.1, 0.01
KEYWORDS = ("SOPClassUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
FLAGS = (
    "single_orientation", "orthogonal_orientation", "unique_slice_positions", "consistent_in_plane_row", "consistent_in_plane_col",
    "consistent_pixel_spacing", "consistent_image_dimensions", "uniform_slice_spacing",
)  # fmt: skip
COLUMNS = (
    *FLAGS, "obliquity_degrees", "regularly_spaced_3d_volume", "origin_patient", "ImageOrientationPatient", "slice_spacing_mm",
)  # fmt: skip
#: Tomosynthesis and other X-ray tomography have frames in space, but are no CT, MR or PET.
_TOMOGRAPHY = "1.2.840.10008.5.1.4.1.1.13."
_SCOPE = CLASSIC | {uid for uid in ENHANCED if not uid.startswith(_TOMOGRAPHY)}


def placement(views: Sequence[View]) -> dict[str, Any]:
    """The columns of `COLUMNS`; all null where no image is CT, MR or PET, each null where the headers do not tell.

    Positions are LPS, in millimetres. `origin_patient`, `ImageOrientationPatient` and `slice_spacing_mm` are given for regular volumes only.
    """
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    views = [view for view in views if word(view, "SOPClassUID") in _SCOPE]
    if not views:
        return row
    sizes = {(count(view, "Rows"), count(view, "Columns")) for view in views}
    row["consistent_image_dimensions"] = None if any(None in size for size in sizes) else len(sizes) == 1
    spacings = _table(views, "PixelSpacing", 2)
    row["consistent_pixel_spacing"] = None if spacings is None else _is_one(spacings)
    cosines, positions = _table(views, "ImageOrientationPatient", 6), _table(views, "ImagePositionPatient", 3)
    if cosines is not None:
        row["single_orientation"] = _is_one(cosines)
        lengths = np.linalg.norm(_normals(cosines), axis=1)
        row["orthogonal_orientation"] = bool((np.abs(lengths - 1) <= ORIENTATION).all())
        row["obliquity_degrees"] = _obliquity(_normals(cosines)[0])
    if cosines is None or positions is None:
        return row
    along = np.einsum("ij,ij->i", positions, _normals(cosines))
    for name, axes in (("row", cosines[:, :3]), ("col", cosines[:, 3:])):
        row[f"consistent_in_plane_{name}"] = bool(np.ptp(np.einsum("ij,ij->i", positions, axes)) < IN_PLANE)
    row["unique_slice_positions"] = len(np.unique(along)) == len(along)
    step = float(np.ptp(along)) / (len(along) - 1) if len(along) > 1 else None
    if step is not None:
        row["uniform_slice_spacing"] = bool(np.abs(np.diff(np.sort(along)) - step).max() < SPACING * step)
    row["regularly_spaced_3d_volume"] = _all([row[name] for name in FLAGS])
    if row["regularly_spaced_3d_volume"]:
        first = int(np.argmin(along))
        row |= {
            "origin_patient": positions[first].tolist(), "ImageOrientationPatient": cosines[first].tolist(), "slice_spacing_mm": step,
        }  # fmt: skip
    return row


def _table(views: Sequence[View], keyword: str, width: int) -> NDArray[np.float64] | None:
    """(views, width) numbers, or None where one of the views does not state them."""
    found = [numbers(view, keyword) for view in views]
    if any(each is None or len(each) != width for each in found):
        return None
    return np.array(found, np.float64)


def _normals(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cross(cosines[:, :3], cosines[:, 3:])


def _is_one(table: NDArray[np.float64]) -> bool:
    return bool((table == table[0]).all())


def _obliquity(normal: NDArray[np.float64]) -> float | None:
    """The angle to the nearest axis of the patient, in degrees, to two places."""
    length = float(np.linalg.norm(normal))
    return None if not length else round(float(np.degrees(np.arccos(min(1.0, float(np.abs(normal).max()) / length)))), 2)


def _all(flags: Sequence[bool | None]) -> bool | None:
    """Three-valued `and`, as SQL's."""
    return False if False in flags else None if None in flags else True
