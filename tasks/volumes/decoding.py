"""Stand-in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from tasks.dicom.instances import Instance
from tasks.errors import SafelightError


@dataclass(frozen=True, slots=True)
class FrameSource:
    instance: Instance
    number: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    values: NDArray[Any]
    masked: bool


def blocks(sources: Sequence[FrameSource], *, block_bytes: int = 1 << 24) -> Iterator[Block]:
    last = None
    for s in sources:
        content = s.instance.path.read_bytes()
        try:
            if last is None or last[0] is not s.instance:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ds = dcmread(BytesIO(content))
                    arr = np.asarray(ds.pixel_array)
                    n = int(ds.get("NumberOfFrames") or 1)
                    if n == 1:
                        arr = arr[None]
                last = (s.instance, arr, ds)
            _, arr, ds = last
            v = arr[s.number]
            if v.shape[:2] != (ds.Rows, ds.Columns):
                raise ValueError
        except MemoryError:
            raise
        except Exception:
            raise SafelightError("E-VOLUME-DECODE") from None
        masked = False
        if v.ndim == 2:
            bits, high, signed = int(ds.BitsStored), int(ds.HighBit), bool(ds.PixelRepresentation)
            width = v.dtype.itemsize * 8
            w = np.left_shift(v.astype(v.dtype, copy=True), width - 1 - high)
            w = np.right_shift(w, width - bits)
            masked = bool((w != v).any())
            v = w
        yield Block(v[None], masked)
