"""One series: a volume with its certificate, or the reason why there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from tasks.errors import SafelightError
from tasks.volumes.pixels import apply, check_class, is_lossy, rescale_of, stored_values
from tasks.volumes.stack import Stack, arrange, planes_of


@dataclass(frozen=True, slots=True)
class Instance:
    """A released instance: its header (a pydicom data set without pixels), its file, and its lake path where it has one."""

    header: Any
    file: Path
    lake_path: str | None

    @property
    def key(self) -> str:
        """Its SOPInstanceUID."""
        return str(self.header.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class Series:
    """What became of a series.

    instances: in slice order where it was converted, by key where it was refused.
    voxels: (column, row, slice), rescaled; None where it was refused.
    """

    instances: tuple[Instance, ...]
    reason_code: str = ""
    stack: Stack | None = None
    voxels: NDArray[Any] | None = None
    units: str | None = None
    lossy: bool | None = None

    @property
    def converted(self) -> bool:
        """Whether there is a volume."""
        return self.voxels is not None


def convert(instances: Sequence[Instance]) -> Series:
    """Make one volume of all instances of a series, or refuse all of them. One bad slice refuses the series: a volume with a
    hole would look right."""
    by_key = tuple(sorted(instances, key=lambda instance: instance.key))
    headers = [instance.header for instance in by_key]
    try:
        for header in headers:
            check_class(header)
        stack = arrange(planes_of(headers))
        scale = rescale_of(headers)
        ordered = tuple(by_key[index] for index in stack.order)
        rows, columns = int(headers[0].Rows), int(headers[0].Columns)
        stored = np.empty((len(ordered), rows, columns), np.int32)
        for place, instance in enumerate(ordered):
            stored[place] = stored_values(dcmread(instance.file))
    except SafelightError as refusal:
        return Series(by_key, refusal.code)
    voxels = np.asfortranarray(apply(stored, scale).transpose(2, 1, 0))
    return Series(ordered, "", stack, voxels, scale.units, any(is_lossy(header) for header in headers))


def without_voxels(series: Series) -> Series:
    """The same, for the tables, with the memory given back."""
    return dataclasses.replace(series, voxels=np.empty((0,) * 3, series.voxels.dtype)) if series.voxels is not None else series
