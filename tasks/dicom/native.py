"""Native grey pixels as arrays, straight from the file's bytes: nearly all of CT, MR and PET needs no decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tasks.dicom.elements import PIXELS
from tasks.dicom.fields import Fields
from tasks.dicom.instances import Instance


@dataclass(frozen=True, slots=True)
class Layout:
    """How grey pixels of 8 or 16 bits lie in a native element: frames, rows, columns, bits a pixel, and whether they have signs."""

    frames: int
    rows: int
    columns: int
    bits: int
    signed: bool


def layout(header: Dataset | Fields) -> Layout | None:
    """What a data set says of it; None where it describes other pixels.

    Raises:
        ValueError, AttributeError, TypeError: the header does not describe the pixels.
    """
    bits = header.get("BitsAllocated")
    if bits not in (8, 16) or (header.get("BitsStored") != bits and bits != 16) or header.get("SamplesPerPixel") != 1:
        return None
    if header.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        return None
    count = max(1, int(header.get("NumberOfFrames") or 1))
    return Layout(count, int(header.Rows), int(header.Columns), bits, bool(header.PixelRepresentation))


def frames_of(instance: Instance, as_described: Layout | None) -> NDArray[Any] | None:
    """(frames, rows, columns) of native grey pixels of 8 or 16 bits, their unused bits included; None for all others.

    Raises:
        SafelightError: E-DEID-CHANGED; ValueError where there are fewer pixels than described.
    """
    if as_described is None or (instance.encoding.big_endian and as_described.bits == 8):
        return None
    value = instance.native()
    if value is None or instance.pixels[0][0] != PIXELS[0]:
        return None
    order, kind = ">" if instance.encoding.big_endian else "<", "i" if as_described.signed else "u"
    shape = as_described.frames, as_described.rows, as_described.columns
    return np.frombuffer(value, np.dtype(f"{order}{kind}{as_described.bits // 8}"), math.prod(shape)).reshape(shape)


def stored(values: NDArray[Any], header: Dataset | Fields) -> NDArray[Any]:
    """The values alone, without what stands in the bits above BitsStored (PS3.5 section 8.1.1)."""
    unused = int(header.BitsAllocated) - int(header.BitsStored)
    return values if unused <= 0 else np.right_shift(np.left_shift(values, unused), unused)
