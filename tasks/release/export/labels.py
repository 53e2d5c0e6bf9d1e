"""Label volumes that go along with their images: on the same grid, and in whole numbers without gaps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.release.export.cases import Case

#: How far two grids may differ, in mm, over the affine's elements.
_TOLERANCE = 1e-3


def values(lake: Lake, chosen: Iterable[Case]) -> list[int]:
    """The labels that occur in the cases' label volumes, sorted, 0 (the background) among them.

    Raises:
        SafelightError: E-RELEASE-LABELS with the case whose label is not on its image's grid or not in whole numbers, or with the
            number that is left out.
    """
    found = {0}
    for case in chosen:
        if case.label is not None:
            found |= _checked(lake, case, case.label)
    ordered = sorted(found)
    if ordered != list(range(len(ordered))):
        raise SafelightError("E-RELEASE-LABELS", "the labels have a gap, or are negative")
    return ordered


def _checked(lake: Lake, case: Case, path: Path) -> set[int]:
    try:
        label = nibabel.load(path)
        voxels = np.asanyarray(label.dataobj)
    except (OSError, ValueError, EOFError, ImageFileError):
        raise SafelightError("E-RELEASE-LABELS", f"case {case.name}: not readable") from None
    with lake.local([case.path]) as files:
        image = nibabel.load(files[case.path])
        same = image.shape == label.shape and np.allclose(image.affine, label.affine, rtol=0, atol=_TOLERANCE)
    if not same:
        raise SafelightError("E-RELEASE-LABELS", f"case {case.name}: another grid")
    occurring = np.unique(voxels)
    if not np.array_equal(occurring, np.rint(occurring)):
        raise SafelightError("E-RELEASE-LABELS", f"case {case.name}: not whole numbers")
    return {int(value) for value in occurring}
