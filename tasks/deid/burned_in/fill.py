"""The stored value that is black as displayed, for each photometric interpretation (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tasks.deid.burned_in.box import Box


def value(frame: NDArray[Any], header: Dataset, boxes: tuple[Box, ...]) -> Any:
    """What to write into the boxes of one frame: a number, or one a sample.

    Grey images get the darkest value that the frame has outside of the boxes, so that no statistics of the image gain an end that it
    never had: the least for MONOCHROME2, the greatest for MONOCHROME1, where large is dark. With signed values in fewer bits than are allocated
    the sign is that of BitsStored.

    Args:
        frame: stored values of shape (rows, columns) or (rows, columns, samples), not converted to another colour space.
    """
    photometric = str(header.PhotometricInterpretation)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        middle = 1 << (int(header.BitsStored) - 1)
        return np.array([0, middle, middle], frame.dtype)
    if photometric == "PALETTE COLOR":
        return _darkest_entry(header)
    if frame.ndim == 3:
        return 0
    left = np.ones(frame.shape[:2], bool)
    for box in boxes:
        left[box.slices()] = False
    values = frame[left] if left.any() else frame.reshape(-1)
    at = int(np.argmax(_meant(values, header)) if photometric == "MONOCHROME1" else np.argmin(_meant(values, header)))
    return values[at]


def _meant(values: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Values without what stands in the bits that are not stored."""
    above = int(header.BitsAllocated) - 1 - int(header.HighBit)
    if values.dtype.kind == "f" or not above:
        return values
    size = values.dtype.itemsize
    native = values.astype(values.dtype.newbyteorder("="))  # bits can be shifted in the machine's own order only
    shifted = native.view(f"u{size}") << np.array(above, f"u{size}")
    return np.asarray(shifted.view(f"{'i' if header.PixelRepresentation else 'u'}{size}"))


def _darkest_entry(header: Dataset) -> int:
    """The palette's darkest colour, as the pixel that stands for it."""
    entries, first, bits = (int(number) for number in header.RedPaletteColorLookupTableDescriptor)
    entries = entries or 1 << 16
    tables = [
        np.frombuffer(header[f"{colour}PaletteColorLookupTableData"].value, "<u2" if bits > 8 else "u1")[:entries].astype(
            np.int64
        )
        if len(header[f"{colour}PaletteColorLookupTableData"].value) >= entries * (2 if bits > 8 else 1)
        else np.arange(1, entries + 1)  # segmented or odd: the first entry is taken
        for colour in ("Red", "Green", "Blue")
    ]
    return first + int(np.argmin(sum(tables)))
