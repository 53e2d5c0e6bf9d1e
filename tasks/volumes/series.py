"""One series: its parts are written, resampled where that is allowed, or held back with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.errors import SafelightError
from tasks.lake import Publication
from tasks.volumes.intake import Instance
from tasks.volumes.parts import Part, Regrid, parts_of
from tasks.volumes.policy import VolumesSettings
from tasks.volumes.preview import picture
from tasks.volumes.regrid import Regridded, regrid
from tasks.volumes.voxels import Written, same_pixels, write_part


@dataclass(frozen=True)
class Made:
    """What became of a part of a series.

    Attributes:
        index: counts the files and the held back parts of the series.
        status, reason_code: as in the table `volumes`.
        written: None where it is held back.
        path, preview_path: in the lake, where there are such.
        regridded: the grid of resampled voxels; None for those that were acquired.
        resampled_from: the index of the form that was acquired, where there is one.
    """

    index: int
    part: Part
    status: str
    reason_code: str = ""
    written: Written | None = None
    path: str | None = None
    preview_path: str | None = None
    regridded: Regridded | None = None
    resampled_from: int | None = None


def convert(
    instances: Sequence[Instance], publication: Publication, settings: VolumesSettings, refused: str = ""
) -> Iterator[Made]:
    """Convert a series.

    Args:
        publication: takes the files, `volumes/<PatientID>/<StudyInstanceUID>/<SeriesInstanceUID>_<index>.nii.gz` and their pictures.
        refused: the reason for which the series must not be converted, where there is one already.
    """
    index = 0
    for part in parts_of(instances, same_pixels, settings, refused):
        for made in _of_part(part, index, publication):
            yield made
            index += 1


def _of_part(part: Part, index: int, publication: Publication) -> Iterator[Made]:
    if part.reason_code and part.regrid is None:
        yield Made(index, part, "quarantined", part.reason_code)
        return
    if not part.reason_code:
        acquired = _written(part, index, publication)
        yield acquired
        if part.regrid is None or acquired.status == "quarantined":
            return
        index += 1
    archive = None if part.reason_code else index - 1
    try:
        yield _resampled(part, part.regrid, index, archive, publication)
    except SafelightError as refusal:
        yield _held_back(index, part, refusal, archive)


def _held_back(index: int, part: Part, refusal: SafelightError, archive: int | None = None) -> Made:
    """A part with its reason; a file that changed meanwhile is for the whole study to be tried again."""
    if refusal.code == "E-DEID-CHANGED":
        raise refusal
    return Made(index, part, "quarantined", refusal.code, resampled_from=archive)


def _place(part: Part, index: int) -> str:
    header = part.instances[0].header
    return f"{header.PatientID}/{header.StudyInstanceUID}/{header.SeriesInstanceUID}_{index}"


def _written(part: Part, index: int, publication: Publication) -> Made:
    path = f"volumes/{_place(part, index)}.nii.gz"
    try:
        written = write_part(part, publication.path(path))
    except SafelightError as refusal:
        publication.discard(path)
        return _held_back(index, part, refusal)
    publication.hashed(path, written.sha256)
    return _pictured(Made(index, part, "converted", "", written, path), publication)


def _resampled(part: Part, kind: Regrid | None, index: int, archive: int | None, publication: Publication) -> Made:
    if kind is None:
        raise ValueError("nothing is to be resampled")
    path = f"volumes/{_place(part, index)}.nii.gz"
    try:
        written, grid = regrid(part, kind, publication.path(path))
    except SafelightError:
        publication.discard(path)
        raise
    publication.hashed(path, written.sha256)
    made = Made(index, part, "resampled", kind.value, written, path, regridded=grid, resampled_from=archive)
    return _pictured(made, publication)


def _pictured(made: Made, publication: Publication) -> Made:
    """With its picture, and without the planes that it was made of."""
    if made.written is None:
        return made
    path = f"previews/{_place(made.part, made.index)}.webp"
    publication.write(path, picture(made.part, made.written, made.regridded))
    sight = replace(made.written.sight, planes=[np.empty(0)])
    return replace(made, preview_path=path, written=replace(made.written, sight=sight))
