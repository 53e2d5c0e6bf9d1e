"""One series: a volume with its certificate, or the reason why there is none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.volumes.intake import Instance
from tasks.volumes.pixels import apply, check_class, is_lossy, padding_range, rescale_of, stored_values
from tasks.volumes.stack import Planes, Stack, arrange, planes_of


@dataclass(frozen=True, slots=True)
class Series:
    """What became of a series.

    instances: in slice order where it was converted, by key where it was refused.
    voxels: (column, row, slice), rescaled; None where it was refused.
    planes: what its images say of where they are; None where they do not say it.
    padding: lowest and highest voxel value that marks padding.
    """

    instances: tuple[Instance, ...]
    reason_code: str = ""
    planes: Planes | None = None
    stack: Stack | None = None
    voxels: NDArray[Any] | None = None
    units: str | None = None
    lossy: bool | None = None
    padding: list[float] | None = None

    @property
    def converted(self) -> bool:
        """Whether there is a volume."""
        return self.voxels is not None


def convert(instances: Sequence[Instance], refused: str = "") -> Series:
    """Make one volume of all instances of a series, or refuse all of them.

    One bad slice refuses the series: a volume with a hole would look right.

    Args:
        refused: the reason for which the series must not be converted, where there is one already.
    """
    by_key = tuple(sorted(instances, key=lambda instance: instance.key))
    headers = [instance.header for instance in by_key]
    planes = None
    try:
        for header in headers:
            check_class(header)
        planes = planes_of(headers)
        if refused:
            return Series(by_key, refused, planes)
        stack = arrange(planes)
        ordered = tuple(by_key[index] for index in stack.order)
        scale = rescale_of([instance.header for instance in ordered])
        padding = padding_range([instance.header for instance in ordered], scale)
        rescaled = apply(_decode(ordered), scale)
    except SafelightError as refusal:
        return Series(by_key, refused or refusal.code, planes)
    voxels = rescaled.transpose(2, 1, 0)
    return Series(ordered, "", planes, stack, voxels, scale.units, any(is_lossy(header) for header in headers), padding)


def without_voxels(series: Series) -> Series:
    """The same, for the tables, with the memory given back."""
    return series if series.voxels is None else replace(series, voxels=np.empty((0,) * 3, series.voxels.dtype))


def _decode(ordered: Sequence[Instance]) -> list[NDArray[np.integer[Any]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what decoders grumble about is checked by shape and bits, or raised
        return [stored_values(instance.file) for instance in ordered]
