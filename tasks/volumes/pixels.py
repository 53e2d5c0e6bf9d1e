"""Stored pixel values, decoded, and their exact meaning: rescaled to HU or to the modality's own units without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from tasks.errors import SafelightError
from tasks.volumes.headers import integer

#: One frame an instance, one plane in space: what this stage converts (PS3.4 B.5).
CROSS_SECTIONAL = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.128": "PET Image Storage",
}
#: Enhanced and legacy converted multi-frame classes.
MULTIFRAME = {
    "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1",
}  # fmt: skip

_INT16 = np.iinfo(np.int16)
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class Rescale:
    """Output = stored × slope + intercept (PS3.3 C.11.1), in `units`."""

    slope: float
    intercept: float
    units: str


def check_class(header: Any) -> None:
    """Hold that an instance is a single-frame monochrome cross-section.

    Raises:
        SafelightError: E-VOLUME-MULTIFRAME, -SOP-CLASS, -PHOTOMETRIC, -BITS.
    """
    sop_class = str(header.get("SOPClassUID", ""))
    if sop_class in MULTIFRAME or integer(header, "NumberOfFrames") not in {None, 0, 1}:
        raise SafelightError("E-VOLUME-MULTIFRAME")
    if sop_class not in CROSS_SECTIONAL:
        raise SafelightError("E-VOLUME-SOP-CLASS")
    if header.get("PhotometricInterpretation") != "MONOCHROME2" or integer(header, "SamplesPerPixel") not in {None, 1}:
        raise SafelightError("E-VOLUME-PHOTOMETRIC")
    stored, high = header.get("BitsStored"), header.get("HighBit")
    if stored is None or header.get("BitsAllocated") not in {8, 16, 32} or high != stored - 1:
        raise SafelightError("E-VOLUME-BITS")


def rescale_of(headers: list[Any]) -> Rescale:
    """The one rescale of all slices of a series.

    Raises:
        SafelightError: E-VOLUME-RESCALE where slices differ, a table replaces the line, or CT does not state HU.
    """
    found = {(header.get("RescaleSlope"), header.get("RescaleIntercept"), header.get("RescaleType")) for header in headers}
    if len(found) != 1 or any("ModalityLUTSequence" in header for header in headers):
        raise SafelightError("E-VOLUME-RESCALE")
    slope, intercept, kind = found.pop()
    if headers[0].get("Modality") == "CT":
        if slope is None or intercept is None or kind not in {None, "", "HU"}:
            raise SafelightError("E-VOLUME-RESCALE")
        units = "HU"
    else:
        units = "unspecified"
    scale = Rescale(float(1 if slope is None else slope), float(0 if intercept is None else intercept), units)
    if not (np.isfinite(scale.slope) and np.isfinite(scale.intercept)) or scale.slope == 0:
        raise SafelightError("E-VOLUME-RESCALE")
    return scale


def stored_values(dataset: Any) -> NDArray[np.int32]:
    """An instance's stored values, (rows, columns).

    Raises:
        SafelightError: E-VOLUME-DECODE where no decoder makes an image of the stated shape of them, E-VOLUME-BITS where a value
            does not fit the stated number of bits (overlays or other data in the high bits).
    """
    try:
        values = np.asarray(dataset.pixel_array)
    except Exception:  # noqa: BLE001 - decoders raise whatever their libraries raise; each means the same: no image
        raise SafelightError("E-VOLUME-DECODE") from None
    if values.shape != (dataset.Rows, dataset.Columns) or not np.issubdtype(values.dtype, np.integer):
        raise SafelightError("E-VOLUME-DECODE")
    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if values.size and (int(values.min()) < low or int(values.max()) > high or high > _INT32.max):
        raise SafelightError("E-VOLUME-BITS")
    return values.astype(np.int32)


def is_lossy(header: Any) -> bool:
    """Whether the pixels were ever compressed with loss, by what the header says or by the transfer syntax."""
    syntax = UID(str(header.file_meta.get("TransferSyntaxUID", "")))
    lossy = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"}
    return header.get("LossyImageCompression") == "01" or syntax in lossy


def apply(stored: NDArray[np.int32], scale: Rescale) -> NDArray[Any]:
    """Rescaled values in the smallest type that holds them exactly: int16, int32, else float32 (rounded once, from float64)."""
    if scale.slope.is_integer() and scale.intercept.is_integer():
        low, high = (value * int(scale.slope) + int(scale.intercept) for value in (int(stored.min()), int(stored.max())))
        low, high = min(low, high), max(low, high)
        if _INT32.min <= low and high <= _INT32.max:
            exact = stored.astype(np.int64) * int(scale.slope) + int(scale.intercept)
            return exact.astype(np.int16 if _INT16.min <= low and high <= _INT16.max else np.int32)
    return (stored.astype(np.float64) * scale.slope + scale.intercept).astype(np.float32)
