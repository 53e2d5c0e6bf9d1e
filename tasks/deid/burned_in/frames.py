"""Frames of one file as a stream of arrays, and each as a picture of 8 bits that a person would see."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels

from tasks.deid.burned_in import contrast
from tasks.dicom import instances, native
from tasks.dicom.instances import Instance, Source
from tasks.errors import SafelightError

#: Photometric interpretations that can be decoded, looked at and blanked (PS3.3 C.7.6.3.1.2).
PHOTOMETRIC = frozenset({
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT",
})  # fmt: skip
#: Those of them with one sample a pixel; the others have three.
ONE_SAMPLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
#: ExtendedOffsetTable and ExtendedOffsetTableLengths (PS3.3 C.7.6.3.1.8).
_OFFSETS = (0x7FE00001, 0x7FE00002)
#: One pixel in a thousand may lie over, and one under the window: a hot pixel does not blind the look.
_PERCENTILES = (0.1, 99.9)


def decoded(
    source: Source, header: Dataset, layout: native.Layout | None, frames: Iterable[int] | None = None
) -> Iterator[NDArray[Any]]:
    """The frames of a file in order, one at a time: (rows, columns) of stored values, or (rows, columns, 3) in red, green, blue.

    Args:
        header: the file's data set without its pixels.
        layout: how native grey pixels lie by the header; nothing for all others.
        frames: which frames, from 0; all where nothing is said.

    Raises:
        SafelightError: E-DEID-PIXELS-UNREADABLE, when no decoder makes an image of them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            instance = instances.read(source)
            plain = native.frames_of(instance, layout)
            if plain is not None:
                yield from plain if frames is None else (plain[number] for number in frames)
                return
            for frame in iter_pixels(_without_offsets(instance), indices=frames):
                if header.PhotometricInterpretation == "PALETTE COLOR":
                    coloured = apply_color_lut(frame, header)
                    yield coloured[..., :3] if coloured.dtype == np.uint8 else (coloured[..., :3] >> 8).astype(np.uint8)
                else:
                    yield frame
    except (MemoryError, OSError):
        raise
    except Exception:  # noqa: BLE001 - decoders raise anything on damaged input, with values in their messages
        raise SafelightError("E-DEID-PIXELS-UNREADABLE") from None


def _without_offsets(instance: Instance) -> Dataset:
    """The data set; extended offsets beside native pixels, or without their lengths, mean nothing, and decoders stumble over them."""
    dataset = instance.whole()
    if not instance.encapsulated or not all(tag in dataset for tag in _OFFSETS):
        for tag in _OFFSETS:
            dataset.pop(tag, None)
    return dataset


def pictures(frame: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A frame in 8 bits, as it is and by local contrast, both between its 0.1 and 99.9 percentile; each colour for itself.

    Not-a-numbers are black.
    """
    values = np.nan_to_num(np.asarray(frame, np.float32), posinf=0.0, neginf=0.0)
    if values.ndim == 3:
        planes = [pictures(values[..., plane]) for plane in range(values.shape[2])]
        return np.stack([plain for plain, _ in planes], axis=-1), np.stack([local for _, local in planes], axis=-1)
    thinned = values[:: max(1, values.shape[0] // 512), :: max(1, values.shape[1] // 512)]
    low, high = (float(each) for each in np.percentile(thinned, _PERCENTILES))
    if high <= low:  # nearly all of it is even: the little that is not is all there is to see
        low, high = float(values.min()), float(values.max())
    plain = ((values - low) * (255 / max(high - low, 1e-6))).clip(0, 255).astype(np.uint8)
    return np.asarray(plain), contrast.local(values, low, high)
