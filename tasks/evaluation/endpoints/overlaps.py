"""The table of overlaps from two folders of masks: one file a study in each, alike named, with a whole number a structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow as pa
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.segmentation import overlap

_ENDINGS = (".nii.gz", ".nii")
#: Affines of a mask and its reference may differ by rounding: so far, in mm, may a corner voxel lie apart.
SAME_GRID_MM = 0.01
#: The table's columns; volumes are in mm³, distances in mm, and all numbers null where there is a reason code.
SCHEMA = pa.schema([
    ("StudyInstanceUID", pa.string()), ("structure", pa.string()),
    *((name, pa.float64()) for name in (
        "dice", "surface_dice", "mean_distance", "hausdorff", "hausdorff_95", "volume", "reference_volume", "tolerance",
    )),
    ("reason_code", pa.string()),
])  # fmt: skip


def overlaps(
    masks: Path,
    references: Path,
    structures: Mapping[str, int],
    *,
    tolerance: float = 1.0,
    done: Callable[[str], None] = lambda _: None,
) -> pa.Table:
    """Compare every mask with its reference.

    Args:
        masks, references: folders with `<StudyInstanceUID>.nii.gz` (or .nii) of three axes, of whole numbers.
        structures: structure → its number in the files.
        tolerance: of the surface Dice, in mm.
        done: called with the study's key after each pair.

    Returns:
        the table by `SCHEMA`, a row a study and structure, by study; where a pair can't be compared the numbers are null, and `reason_code`
        is E-EVAL-MASK-MISSING, E-EVAL-MASK-FILE or E-EVAL-MASK-GRID.

    Raises:
        ConfigurationError: E-EVAL-MASKS where a folder is missing or both are empty, or there is no structure, or two files are of one study.
    """
    if not structures or len(set(structures.values())) < len(structures) or min(structures.values()) < 1 or not tolerance > 0:
        raise ConfigurationError(
            "E-EVAL-MASKS", "each structure needs a number of its own, above zero, and the tolerance must be above zero"
        )
    both = [files(folder) for folder in (masks, references)]
    keys = sorted(both[0].keys() | both[1].keys())
    if not keys:
        raise ConfigurationError("E-EVAL-MASKS", "neither folder has a .nii or .nii.gz file")
    rows: list[dict[str, Any]] = []
    for key in keys:
        for made in _compared(both[0].get(key), both[1].get(key), structures, tolerance):
            rows.append({"StudyInstanceUID": key, "tolerance": tolerance, **made})
        done(key)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def files(folder: Path) -> dict[str, Path]:
    """The masks of a folder by their names without ending.

    Raises:
        ConfigurationError: E-EVAL-MASKS where there is no such folder, or it has two files of one name.
    """
    if not folder.is_dir():
        raise ConfigurationError("E-EVAL-MASKS", f"{folder} is no folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = next((each for each in _ENDINGS if path.name.endswith(each)), None)
        if ending is None:
            continue
        name = path.name.removesuffix(ending)
        if name in found:
            raise ConfigurationError("E-EVAL-MASKS", f"{folder} has a .nii and a .nii.gz of one name")
        found[name] = path
    return found


def _compared(
    mask: Path | None, reference: Path | None, structures: Mapping[str, int], tolerance: float
) -> Iterator[dict[str, Any]]:
    try:
        if mask is None or reference is None:
            raise SafelightError("E-EVAL-MASK-MISSING")
        (one, affine), (other, there) = _read(mask), _read(reference)
        spacing = _spacing(one.shape, affine, other.shape, there)
    except SafelightError as error:
        for structure in structures:
            yield {"structure": structure, "reason_code": error.code}
        return
    for structure, number in structures.items():
        found = asdict(overlap(one == number, other == number, spacing, tolerance=tolerance))
        yield {"structure": structure, **{name: None if isnan(value) else value for name, value in found.items()}}


def _read(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Whole numbers of three axes, and the affine (4, 4) from voxels to RAS millimetres."""
    try:
        image = nibabel.load(path)
        values = np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=np.float64)
    except (OSError, EOFError, ValueError, ImageFileError):
        raise SafelightError("E-EVAL-MASK-FILE") from None
    whole = values.dtype.kind in "iu" or (values.dtype.kind == "f" and bool(np.all(values == np.rint(values))))
    if values.ndim != 3 or not whole:
        raise SafelightError("E-EVAL-MASK-FILE")
    return values, affine


def _spacing(
    shape: tuple[int, ...], affine: NDArray[np.float64], other: tuple[int, ...], there: NDArray[np.float64]
) -> tuple[float, ...]:
    """Distance of neighbours along each axis in mm, of masks on one grid with perpendicular axes."""
    corners = np.array([[*(i * (n - 1) for i, n in zip(corner, shape, strict=True)), 1.0] for corner in np.ndindex(2, 2, 2)])
    apart = np.linalg.norm((corners @ (affine - there).T)[:, :3], axis=1).max() if shape == other else np.inf
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not apart <= SAME_GRID_MM or not (lengths > 0).all():
        raise SafelightError("E-EVAL-MASK-GRID", "other voxels")
    cosines = (axes / lengths).T @ (axes / lengths)
    if np.abs(cosines - np.eye(3)).max() > 1e-3:  # distances would be wrong
        raise SafelightError("E-EVAL-MASK-GRID", "axes are not perpendicular")
    return tuple(float(length) for length in lengths)
