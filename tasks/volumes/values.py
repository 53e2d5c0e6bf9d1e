"""What stored values mean, and in which type a file holds them without loss: rescaled whole numbers, stored numbers with a scale, or float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from tasks.dicom.headers import count, integer, is_stated, number, word
from tasks.errors import SafelightError
from tasks.volumes.frames import Frame
from tasks.volumes.kinds import CT, ENHANCED_CT

#: Transfer syntaxes that may lose: JPEG baseline and extended, near-lossless JPEG-LS, irreversible JPEG 2000 and HTJ2K (PS3.5 A.4).
_LOSSY = {
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.93",
    "1.2.840.10008.1.2.4.203",
}  # fmt: skip

_INT32 = np.iinfo(np.int32)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
#: Types of whole numbers, the smallest first; uint8 is only for what was stored in 8 bits, and HU are signed.
_WHOLE = (np.dtype(np.int16), np.dtype(np.uint16), np.dtype(np.int32))
_BYTE = np.dtype(np.uint8)
_FLOAT = np.dtype(np.float32)

Floats = NDArray[np.float64]
Pixels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Value = stored × slope + intercept (PS3.3 C.11.1), in `units`; one slope and one intercept a frame."""

    slopes: Floats
    intercepts: Floats
    units: str

    @property
    def is_uniform(self) -> bool:
        """Whether all frames have one slope and one intercept."""
        return bool((self.slopes == self.slopes[0]).all() and (self.intercepts == self.intercepts[0]).all())

    @property
    def is_whole(self) -> bool:
        """Whether every value is a whole number that float64 computes exactly: |intercept| below 2**31, so that where the result
        fits in 32 bits, the product fits in 33."""
        whole = (self.slopes == np.rint(self.slopes)).all() and (self.intercepts == np.rint(self.intercepts)).all()
        return bool(whole and (np.abs(self.intercepts) <= _INT32.max).all())

    @property
    def fits_the_header(self) -> bool:
        """Whether NIfTI's scl_slope and scl_inter, which are float32, say the same."""
        slope, intercept = self.slopes[0], self.intercepts[0]
        return self.is_uniform and float(np.float32(slope)) == slope and float(np.float32(intercept)) == intercept

    def of(self, frame: int, stored: float) -> float:
        """A frame's value of a stored number."""
        return float(stored * self.slopes[frame] + self.intercepts[frame])


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file holds values: voxel × slope + intercept, in a type; exactly, or rounded once from float64 to float32."""

    dtype: np.dtype[Any]
    rescaled: bool
    slope: float = 1.0
    intercept: float = 0.0
    exact: bool = True


class DoesNotFitError(Exception):
    """A value that an encoding's type cannot hold: the next one has to be tried."""


def scale_of(frames: Sequence[Frame]) -> Scale:
    """The scale of frames of one kind, in the order given.

    CT gives HU where RescaleType is absent (PS3.3 Table C.8-3) or says so; another word is the unit. PET's unit is Units (C.8.9.1.1.3).

    Raises:
        SafelightError: E-VOLUME-RESCALE where a table replaces the line, a value cannot be read, or CT does not state the line.
    """
    header = frames[0].header
    if any(is_stated(frame.header, "ModalityLUTSequence") for frame in frames):
        raise SafelightError("E-VOLUME-RESCALE")
    is_ct = word(header, "SOPClassUID") in {CT} | ENHANCED_CT or word(header, "Modality") == "CT"
    lines = [_line(frame.header, required=is_ct) for frame in frames]
    kind = word(header, "RescaleType")
    units = word(header, "Units") or kind or ("HU" if is_ct else "unspecified")
    return Scale(
        np.array([slope for slope, _ in lines]),
        np.array([intercept for _, intercept in lines]),
        "unspecified" if units == "US" else units,
    )


def _line(header: Any, *, required: bool) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where neither is stated and none is required."""
    stated = any(is_stated(header, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not stated and not required:
        return 1.0, 0.0
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0:
        raise SafelightError("E-VOLUME-RESCALE")
    return slope, intercept


def encodings(scale: Scale, frames: Sequence[Frame]) -> Iterator[Encoding]:
    """What may hold the values without loss, the smallest first; float32 only where nothing else can."""
    in_bytes = max(count(frame.header, "BitsAllocated") or 0 for frame in frames) <= 8
    plain = bool(scale.is_uniform and scale.slopes[0] == 1 and scale.intercepts[0] == 0)
    if scale.is_whole:
        for dtype in (_BYTE, *_WHOLE) if in_bytes and plain else _WHOLE:
            yield Encoding(dtype, rescaled=not plain)
    elif scale.fits_the_header:
        for dtype in (_BYTE, *_WHOLE) if in_bytes else _WHOLE:
            yield Encoding(dtype, rescaled=False, slope=float(scale.slopes[0]), intercept=float(scale.intercepts[0]))
    else:
        yield Encoding(_FLOAT, rescaled=True, exact=False)


def encode(stored: Pixels, first: int, scale: Scale, encoding: Encoding) -> tuple[NDArray[Any], tuple[float, float]]:
    """Frames as a file holds them, and the lowest and highest of their values.

    Args:
        stored: (n, rows, columns), stored values of frames `first` and on.

    Raises:
        DoesNotFitError: a value that the encoding's type cannot hold.
        SafelightError: E-VOLUME-RESCALE where values leave float32.
    """
    if scale.is_uniform:
        return _encode(stored, float(scale.slopes[0]), float(scale.intercepts[0]), encoding)
    made = np.empty(stored.shape, encoding.dtype)
    ends: list[float] = []
    for place, pixels in enumerate(stored):
        made[place], each = _encode(pixels, float(scale.slopes[first + place]), float(scale.intercepts[first + place]), encoding)
        ends += each
    return made, (min(ends), max(ends))


def _encode(stored: Pixels, slope: float, intercept: float, encoding: Encoding) -> tuple[NDArray[Any], tuple[float, float]]:
    raw = float(stored.min()), float(stored.max())
    low, high = sorted(end * slope + intercept for end in raw)
    if not max(abs(low), abs(high)) < _FLOAT32_MAX:
        raise SafelightError("E-VOLUME-RESCALE")
    if encoding.dtype == _FLOAT:
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32), (low, high)
    limits = np.iinfo(encoding.dtype)
    held = (low, high) if encoding.rescaled else raw
    if held[0] < limits.min or held[1] > limits.max:
        raise DoesNotFitError
    if not encoding.rescaled:
        return stored.astype(encoding.dtype, copy=False), (low, high)
    if slope == 1 and limits.bits <= stored.dtype.itemsize * 8:
        # The result fits, so that sums modulo the type's range are right.
        same = stored.view(encoding.dtype) if limits.bits == stored.dtype.itemsize * 8 else stored.astype(encoding.dtype)
        return np.add(same, np.array(int(intercept)).astype(encoding.dtype)), (low, high)
    return (stored.astype(np.float64) * slope + intercept).astype(encoding.dtype), (low, high)


def is_lossy(frame: Frame) -> bool:
    """Whether the pixels were ever compressed with loss, by what the header says or by a transfer syntax that may lose."""
    return word(frame.header, "LossyImageCompression") == "01" or UID(frame.instance.syntax or "") in _LOSSY


def padding_range(frames: Sequence[Frame], scale: Scale) -> list[float] | None:
    """Lowest and highest rescaled value that marks padding (PS3.3 C.7.5.1.1.2), or None where frames state none or differ."""
    found = set()
    for place, frame in enumerate(frames):
        value, limit = integer(frame.header, "PixelPaddingValue"), integer(frame.header, "PixelPaddingRangeLimit")
        ends = [] if value is None else sorted(scale.of(place, end) for end in (value, value if limit is None else limit))
        found.add(tuple(ends))
    return list(found.pop()) or None if len(found) == 1 else None
