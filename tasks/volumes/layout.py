"""How an instance's pixels are laid out, by its header, and the values alone, without what else stands in their cells (PS3.5 section 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.dicom.fields import Fields
from tasks.dicom.headers import count, word
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError

_COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_ABSENT = object()
_PALETTE = "PALETTE COLOR"

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How pixels are laid out (PS3.3 C.7.6.3).

    Attributes:
        samples: stored a pixel: 1 of grey and of a palette, 3 of colour.
        allocated, stored, high: BitsAllocated, BitsStored, HighBit.
        planar: 1 where all red samples stand first, then all green, then all blue.
        photometric: PhotometricInterpretation.
        frames: their number.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: int
    photometric: str
    frames: int

    @classmethod
    def of(cls, instance: Instance) -> Layout:
        """An instance's layout.

        Raises:
            SafelightError: E-VOLUME-DECODE where there is no matrix, or the samples are neither grey nor of a palette nor colour that becomes RGB;
                E-VOLUME-BITS where the cells are not whole bytes of 8, 16 or 32 bits, or colour is deeper than 8.
        """
        header = Fields(instance)  # of the instance as a whole: what frames say of themselves is no part of it
        rows, columns, allocated, stored, high, signed = (
            count(header, name) for name in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
        )
        samples = 1 if header.get("SamplesPerPixel", _ABSENT) is _ABSENT else count(header, "SamplesPerPixel")
        photometric = word(header, "PhotometricInterpretation") or ""
        if not rows or not columns or samples != (3 if photometric in _COLOURS else 1):
            raise SafelightError("E-VOLUME-DECODE")
        if (
            allocated not in {8, 16, 32}
            or not stored
            or high is None
            or not stored - 1 <= high < allocated
            or signed not in {0, 1}
        ):
            raise SafelightError("E-VOLUME-BITS")
        if samples == 3 and (allocated, stored, signed) != (8, 8, 0):
            raise SafelightError("E-VOLUME-BITS")
        planar = count(header, "PlanarConfiguration") or 0
        return cls(
            rows,
            columns,
            samples,
            allocated,
            stored,
            high,
            bool(signed),
            planar,
            photometric,
            count(header, "NumberOfFrames") or 1,
        )

    @property
    def is_grey(self) -> bool:
        """Whether the stored values are what is handed on."""
        return self.samples == 1 and self.photometric != _PALETTE

    @property
    def is_palette(self) -> bool:
        """Whether the stored values are places in a table of colours."""
        return self.photometric == _PALETTE

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame as it is handed on: (rows, columns), or (rows, columns, 3)."""
        return (self.rows, self.columns) if self.is_grey else (self.rows, self.columns, 3)

    @property
    def cell(self) -> np.dtype[Any]:
        """The type of a stored sample, in the machine's byte order."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.allocated // 8}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of what is handed on."""
        return self.cell if self.is_grey else np.dtype(np.uint8)

    @property
    def frame_bytes(self) -> int:
        """Bytes of a native frame. YBR_FULL_422 has two colour samples for two pixels (PS3.3 C.7.6.3.1.2)."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.allocated // 8

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest number of so many bits."""
        return (-(1 << (self.stored - 1)), (1 << (self.stored - 1)) - 1) if self.signed else (0, (1 << self.stored) - 1)


def unmasked(values: Pixels, layout: Layout) -> tuple[Pixels, bool]:
    """Cells → the values in them, negative ones with their sign, and whether anything else stood in the cells.

    An overlay in the unused bits is something else, and so is garbage; the repeated sign of a negative value is not, nor are zeros. The values are
    the same array where nothing had to be done.

    Args:
        values: of `layout.cell`, any shape.
    """
    if layout.stored == layout.allocated:
        return values, False
    at_the_bottom = layout.high == layout.stored - 1
    if at_the_bottom and _fit(values, layout):
        return values, False
    bare = np.right_shift(np.left_shift(values, layout.allocated - 1 - layout.high), layout.allocated - layout.stored)
    bits = values.view(f"u{layout.allocated // 8}")
    above = np.right_shift(bits, layout.high) >> 1
    sign = ((1 << layout.allocated - 1 - layout.high) - 1) * (bare < 0) if layout.signed else 0
    garbage = bool(((above != 0) & (above != sign)).any())
    below = not at_the_bottom and bool((bits & ((1 << layout.high + 1 - layout.stored) - 1)).any())
    return bare, garbage or below


def _fit(values: Pixels, layout: Layout) -> bool:
    if not layout.signed:
        return not int(np.bitwise_or.reduce(values, axis=None)) >> layout.stored
    low, high = layout.limits
    return low <= int(values.min()) and int(values.max()) <= high


def of_codestream(raw: Pixels, precision: int, *, signed: bool, layout: Layout) -> Pixels:
    """What a decoder gave → values of the type that the header states.

    A codestream says how many bits its samples have, and JPEG 2000 whether they have a sign; the header says both too. Where they
    contradict each other in a way that changes a value, there is no image.

    Args:
        raw: unsigned, in containers of 8, 16 or 32 bits.
        precision, signed: of the codestream's samples; signed ones are two's complement over the whole container.

    Raises:
        SafelightError: E-VOLUME-BITS where a value has more bits than BitsStored, a negative one stands under an unsigned header, or a
            header with sign does not tell whether the highest bit of shallower samples is one.
    """
    width = raw.dtype.itemsize * 8
    if layout.high != layout.stored - 1 and precision != layout.stored:
        raise SafelightError("E-VOLUME-BITS")
    values = raw.view(f"i{width // 8}") if signed else raw
    if layout.signed and not signed:
        if precision < layout.stored:
            if int(raw.max()) >> (precision - 1):
                raise SafelightError("E-VOLUME-BITS")
        else:
            values = np.right_shift(np.left_shift(raw, width - precision).view(f"i{width // 8}"), width - precision)
    low, high = layout.limits
    if int(values.min()) < low or int(values.max()) > high:
        raise SafelightError("E-VOLUME-BITS")
    return values.astype(layout.cell, copy=False)
