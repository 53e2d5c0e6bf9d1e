"""Native grey pixels as arrays, straight from the file's bytes: nearly all of CT, MR and PET needs no decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tasks.dicom.elements import PIXELS
from tasks.dicom.fields import Fields
from tasks.dicom.instances import Instance


def frames_of(instance: Instance, header: Dataset | Fields) -> NDArray[Any] | None:
    """(frames, rows, columns) of native grey pixels of 8 or 16 bits, their unused bits included; None for all others.

    Args:
        header: the instance's data set.

    Raises:
        SafelightError: E-DEID-CHANGED; ValueError, AttributeError and TypeError for headers that do not describe the pixels.
    """
    bits = header.get("BitsAllocated")
    if bits not in (8, 16) or (header.get("BitsStored") != bits and bits != 16) or header.get("SamplesPerPixel") != 1:
        return None
    value = instance.native() if header.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2") else None
    if value is None or instance.pixels[0][0] != PIXELS[0] or (instance.encoding.big_endian and bits == 8):
        return None
    order, kind = ">" if instance.encoding.big_endian else "<", "i" if header.PixelRepresentation else "u"
    count, rows, columns = max(1, int(header.get("NumberOfFrames") or 1)), int(header.Rows), int(header.Columns)
    return np.frombuffer(value, np.dtype(f"{order}{kind}{bits // 8}"), count * rows * columns).reshape(count, rows, columns)


def stored(values: NDArray[Any], header: Dataset | Fields) -> NDArray[Any]:
    """The values alone, without what stands in the bits above BitsStored (PS3.5 section 8.1.1)."""
    unused = int(header.BitsAllocated) - int(header.BitsStored)
    return values if unused <= 0 else np.right_shift(np.left_shift(values, unused), unused)
