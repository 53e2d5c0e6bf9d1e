"""Pictures of the cards: those that the volumes stage published, and where there is none, one made of the volume itself."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from tasks.gallery.facts import Row
from tasks.gallery.page import Number
from tasks.lake import Lake
from tasks.volumes.preview import drawn

#: Small files that are read side by side: an object store answers slowly, and many at once.
_AT_ONCE = 8
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError)


def pictures(lake: Lake, rows: Sequence[Row], on_each: Callable[[], None] = lambda: None) -> dict[Number, bytes]:
    """WebP of all files of these rows that have one, or whose volume can be read; others are missing in the answer.

    Args:
        rows: of the table `volumes`.
        on_each: called for every file as it is done.
    """
    filed = [row for row in rows if row.get("path")]
    found: dict[Number, bytes] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for row, content in zip(filed, pool.map(lambda row: _stored(lake, row), filed), strict=True):
            picture = content or _made(lake, row)
            if picture:
                found[row["SeriesInstanceUID"], row["volume_index"]] = picture
            on_each()
    return found


def _stored(lake: Lake, row: Row) -> bytes:
    """A published picture; nothing where there is none."""
    path = row.get("preview_path")
    if not path or not lake.exists(path):
        return b""
    content = lake.read(path)
    return content if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else b""


def _made(lake: Lake, row: Row) -> bytes:
    """A picture of the NIfTI; nothing where that is not there or is damaged."""
    path = row["path"]
    if not lake.exists(path):
        return b""
    with lake.local([path]) as local:
        try:
            return of_nifti(local[path], row)
        except _DAMAGED:
            return b""


def of_nifti(file: Path, row: Mapping[str, Any]) -> bytes:
    """The WebP of a volume or an image that the volumes stage wrote: the first of several volumes, the middle of several frames.

    Args:
        row: of the table `volumes`: Modality, units, padding_range, PhotometricInterpretation and kind are read.

    Raises:
        OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError: the file is damaged, or not of the row's size.
    """
    image: Any = nibabel.load(file)
    flat = row.get("kind") == "2d"
    stated = [row.get(name) for name in ("n_columns", "n_rows", "n_slices")][: 2 if flat else 3]
    if None not in stated and [*image.shape, 1][: len(stated)] != stated:
        raise ValueError("another size than its row says")  # a damaged header may ask for more than fits in memory
    spacing: tuple[float, float] | None = None
    if flat:
        frames = _slices(image, tuple([slice(None)] * 2 + [n // 2 if axis else 0 for axis, n in enumerate(image.shape[2:])]))
        planes = [frames.swapaxes(0, 1)]
        across, down = row.get("column_spacing_mm"), row.get("row_spacing_mm")
        spacing = (float(down), float(across)) if across and down else None
    else:
        voxels = _slices(image, (slice(None),) * 3 + (0,) * (image.ndim - 3))
        i, j, k = (n // 2 for n in voxels.shape[:3])
        planes = [voxels[:, :, k].swapaxes(0, 1), voxels[:, j].swapaxes(0, 1), voxels[i].swapaxes(0, 1)]
    return drawn(
        planes, None if flat else image.affine, spacing, modality=row.get("Modality"), units=row.get("units") or "",
        padding=row.get("padding_range"), inverted=row.get("PhotometricInterpretation") == "MONOCHROME1",
    )  # fmt: skip


def _slices(image: Any, where: tuple[Any, ...]) -> NDArray[Any]:
    """Values, or RGB with its components on the last axis."""
    found = np.asarray(image.dataobj[where])
    return found if found.dtype.fields is None else np.stack([found[name] for name in "RGB"], axis=-1)


def missing(rows: Iterable[Row], found: Mapping[Number, bytes]) -> int:
    """How many files have no picture."""
    return sum(bool(row.get("path")) and (row["SeriesInstanceUID"], row["volume_index"]) not in found for row in rows)
