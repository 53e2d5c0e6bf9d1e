"""Stored pixel values, decoded, and their exact meaning: rescaled to HU or to the modality's own units without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import UID

from tasks.dicom.headers import count, integer, is_stated, number, word
from tasks.errors import SafelightError

_CT = "1.2.840.10008.5.1.4.1.1.2"
#: One frame an instance, one plane in space: CT, MR and PET Image Storage (PS3.4 B.5) are what this stage converts.
CROSS_SECTIONAL = {_CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"}
#: Enhanced and legacy converted multi-frame classes of the same modalities (PS3.4 B.5).
MULTIFRAME = {
    "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1",
}  # fmt: skip
#: Transfer syntaxes that always lose: JPEG baseline and extended. Near-lossless JPEG-LS, JPEG 2000 and HTJ2K may.
_LOSSY = {
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203",
}  # fmt: skip

_INT16 = np.iinfo(np.int16)
_INT32 = np.iinfo(np.int32)

Pixels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Rescale:
    """Output = stored × slope + intercept (PS3.3 C.11.1), in `units`; one slope and intercept a slice."""

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    units: str

    @property
    def is_whole(self) -> bool:
        """Whether every output is a whole number that float64 computes exactly: |intercept| below 2**31, so that where the result
        fits in 32 bits, the product fits in 33."""
        whole = all(part.is_integer() for part in (*self.slopes, *self.intercepts))
        return whole and all(abs(intercept) <= _INT32.max for intercept in self.intercepts)


def check_class(header: Any) -> None:
    """Hold that an instance is a single-frame monochrome cross-section.

    Raises:
        SafelightError: E-VOLUME-MULTIFRAME, -SOP-CLASS, -PROJECTION, -PHOTOMETRIC, -BITS.
    """
    sop_class = word(header, "SOPClassUID")
    if sop_class in MULTIFRAME or (is_stated(header, "NumberOfFrames") and integer(header, "NumberOfFrames") != 1):
        raise SafelightError("E-VOLUME-MULTIFRAME")
    if sop_class not in CROSS_SECTIONAL:
        raise SafelightError("E-VOLUME-SOP-CLASS")
    kind = (word(header, "ImageType") or "").split("\\")
    # PS3.3 C.8.2.1.1.1: a CT localizer is a projection; an MR localizer is a cross-section. C.8.3.1.1.1: MR's PROJECTION IMAGE.
    if (sop_class == _CT and "LOCALIZER" in kind) or "PROJECTION IMAGE" in kind:
        raise SafelightError("E-VOLUME-PROJECTION")
    if word(header, "PhotometricInterpretation") != "MONOCHROME2" or count(header, "SamplesPerPixel") not in {None, 1}:
        raise SafelightError("E-VOLUME-PHOTOMETRIC")
    allocated, stored, high = (count(header, keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated not in {8, 16, 32} or not stored or stored > allocated or high != stored - 1:
        raise SafelightError("E-VOLUME-BITS")


def rescale_of(headers: Sequence[Any]) -> Rescale:
    """The rescale of each slice of a series, in the order given.

    Slices may differ where every value stays a whole number, so that nothing is rounded. CT gives HU: RescaleType may be absent
    then (PS3.3 C.8.2.1, Table C.8-3), any other word is refused.

    Raises:
        SafelightError: E-VOLUME-RESCALE where slices differ otherwise, a table replaces the line, a value cannot be read, or CT
            does not state HU.
    """
    kinds = {word(header, "RescaleType") for header in headers}
    classes = {word(header, "SOPClassUID") for header in headers}
    if len(kinds) != 1 or len(classes) != 1 or any(is_stated(header, "ModalityLUTSequence") for header in headers):
        raise SafelightError("E-VOLUME-RESCALE")
    is_ct = classes == {_CT} or any(word(header, "Modality") == "CT" for header in headers)
    if is_ct and kinds not in ({None}, {"HU"}):
        raise SafelightError("E-VOLUME-RESCALE")
    lines = [_line(header, required=is_ct) for header in headers]
    scale = Rescale(
        tuple(slope for slope, _ in lines), tuple(intercept for _, intercept in lines), "HU" if is_ct else "unspecified"
    )
    if len(set(lines)) != 1 and not scale.is_whole:
        raise SafelightError("E-VOLUME-RESCALE")
    return scale


def _line(header: Any, *, required: bool) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where neither is stated and none is required."""
    stated = any(is_stated(header, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not stated and not required:
        return 1.0, 0.0
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0:
        raise SafelightError("E-VOLUME-RESCALE")
    return slope, intercept


def stored_values(file: Path) -> Pixels:
    """An instance's stored values, (rows, columns), in the type that its header states. Bits above HighBit are no part of them.

    Raises:
        SafelightError: E-VOLUME-DECODE where no decoder makes an image of the stated shape of the file, E-VOLUME-BITS where a
            value does not fit the stated number of bits.
    """
    content = file.read_bytes()  # what cannot be read is the machine's fault, and passes
    try:
        dataset = dcmread(BytesIO(content))
        values = np.asarray(dataset.pixel_array)
        shape, bits, signed = (dataset.Rows, dataset.Columns), int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise whatever their libraries raise; each means the same: no image
        raise SafelightError("E-VOLUME-DECODE") from None
    if values.shape != shape or not values.size or not np.issubdtype(values.dtype, np.integer):
        raise SafelightError("E-VOLUME-DECODE")
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if int(values.min()) < low or int(values.max()) > high:
        raise SafelightError("E-VOLUME-BITS")
    return values


def is_lossy(header: Any) -> bool:
    """Whether the pixels were ever compressed with loss, by what the header says or by a transfer syntax that may lose."""
    syntax = UID(word(header.file_meta, "TransferSyntaxUID") or "")
    return word(header, "LossyImageCompression") == "01" or syntax in _LOSSY


def apply(slices: Sequence[Pixels], scale: Rescale) -> NDArray[Any]:
    """Rescale slices (rows, columns) into one array (slices, rows, columns).

    Its type is the smallest that is exact: int16, else int32. Where slope or intercept is not a whole number it is float32,
    computed in float64 and rounded once.

    Raises:
        SafelightError: E-VOLUME-RESCALE where values leave int32, or float32.
    """
    ends = np.array([
        (float(pixels.min()) * slope + intercept, float(pixels.max()) * slope + intercept)
        for pixels, slope, intercept in zip(slices, scale.slopes, scale.intercepts, strict=True)
    ])  # fmt: skip
    low, high = float(ends.min()), float(ends.max())
    dtype = _type_for(low, high) if scale.is_whole else np.dtype(np.float32)
    if dtype is None or not max(abs(low), abs(high)) < np.finfo(np.float32).max:
        raise SafelightError("E-VOLUME-RESCALE")
    rescaled = np.empty((len(slices), *slices[0].shape), dtype)
    for place, (pixels, slope, intercept) in enumerate(zip(slices, scale.slopes, scale.intercepts, strict=True)):
        rescaled[place] = pixels.astype(np.float64) * slope + intercept
    return rescaled


def _type_for(low: float, high: float) -> np.dtype[Any] | None:
    """The smallest integer type for whole numbers from `low` to `high`, or None."""
    for kind in (_INT16, _INT32):
        if kind.min <= low and high <= kind.max:
            return kind.dtype
    return None


def padding_range(headers: Sequence[Any], scale: Rescale) -> list[float] | None:
    """Lowest and highest rescaled value that marks padding (PS3.3 C.7.5.1.1.2), or None where slices state none or differ."""
    found = set()
    for header, slope, intercept in zip(headers, scale.slopes, scale.intercepts, strict=True):
        value = integer(header, "PixelPaddingValue")
        limit = integer(header, "PixelPaddingRangeLimit")
        ends = [] if value is None else sorted(end * slope + intercept for end in (value, value if limit is None else limit))
        found.add(tuple(ends))
    return list(found.pop()) or None if len(found) == 1 else None
