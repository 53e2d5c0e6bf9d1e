"""Blanks boxes in pixel data without changing anything else: same transfer syntax, same bytes of the frames that are not touched.

Native pixels are written over in place. Frames in RLE, JPEG-LS and JPEG 2000 are decoded, blanked, encoded without loss, decoded again and compared.
Other compressed syntaxes are refused: to change them to a native one would be lossless too, but it makes the object another one (size, syntax,
and what LossyImageCompression is told from) behind the back of whoever reads it, and a quarantined image can still be had from the archive.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from tasks.deid.burned_in import fill
from tasks.deid.burned_in.box import Box, merged
from tasks.errors import SafelightError

#: Compressed syntaxes that can be written again without loss, each with the one that its frames are encoded in: a lossless codestream is allowed
#: under the lossy syntax of its family too (PS3.5 A.4.3 and A.4.4).
REWRITABLE = {
    RLELossless: RLELossless, JPEGLSLossless: JPEGLSLossless, JPEGLSNearLossless: JPEGLSLossless,
    JPEG2000Lossless: JPEG2000Lossless, JPEG2000: JPEG2000Lossless,
}  # fmt: skip
_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def blank(dataset: Dataset, boxes: Sequence[Box] | Mapping[int, Sequence[Box]]) -> bytes:
    """The new value of the pixel data element, in the data set's own transfer syntax. The data set is not changed.

    Args:
        dataset: the original with its pixel data and file meta information.
        boxes: for all frames alike, or by frame, from 0.

    Returns:
        Native pixels, or fragments with a basic offset table and without the sequence delimiter. A frame that is touched is one fragment, and
        an Extended Offset Table of the original no longer holds.

    Raises:
        SafelightError: E-DEID-BLANK-LOSSY, when it can't be done exactly.
    """
    try:
        count = max(1, int(dataset.get("NumberOfFrames") or 1))
        wanted = boxes if isinstance(boxes, Mapping) else dict.fromkeys(range(count), boxes)
        size = int(dataset.Rows), int(dataset.Columns)
        clipped = {frame: merged(box.clipped(*size) for box in each) for frame, each in wanted.items() if 0 <= frame < count}
        touched = {frame: each for frame, each in clipped.items() if each}
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            return _compressed(dataset, count, touched)
        return _native(dataset, count, touched)
    except (MemoryError, SafelightError):
        raise
    except Exception:  # noqa: BLE001 - whatever a codec raises, the image was not blanked
        raise SafelightError("E-DEID-BLANK-LOSSY") from None


def _native(dataset: Dataset, count: int, touched: Mapping[int, tuple[Box, ...]]) -> bytes:
    name = next(each for each in _ELEMENTS if each in dataset)
    bits, samples = int(dataset.BitsAllocated), int(dataset.SamplesPerPixel)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    big = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    if bits not in (8, 16, 32, 64) or (big and bits == 8 and dataset[name].VR == "OW"):  # bytes of words that are swapped
        raise SafelightError("E-DEID-BLANK-LOSSY")
    kind = "f" if name != "PixelData" else "i" if dataset.PixelRepresentation else "u"
    value = bytearray(dataset[name].value)
    dtype = np.dtype(f"{'>' if big else '<'}{kind}{bits // 8}")
    halved = dataset.PhotometricInterpretation == "YBR_FULL_422"
    a_pixel = 2 if halved else samples
    length = rows * columns * a_pixel
    pixels = np.frombuffer(value, dtype, count * length)
    for frame, boxes in touched.items():
        part = pixels[frame * length : (frame + 1) * length]
        if halved:
            _blank_halved(part, rows, columns, int(dataset.BitsStored), boxes)
        elif samples > 1 and dataset.PlanarConfiguration:
            _paint(part.reshape(samples, rows, columns).transpose(1, 2, 0), dataset, boxes)
        else:
            _paint(part.reshape((rows, columns, samples) if samples > 1 else (rows, columns)), dataset, boxes)
    return bytes(value)


def _paint(frame: NDArray[Any], dataset: Dataset, boxes: tuple[Box, ...]) -> None:
    """Write black into the boxes of one frame, in place."""
    black = fill.value(frame, dataset, boxes)
    for box in boxes:
        frame[box.slices()] = black


def _blank_halved(frame: NDArray[Any], rows: int, columns: int, bits: int, boxes: tuple[Box, ...]) -> None:
    """Blank a frame of Y Y Cb Cr (PS3.3 C.7.6.3.1.2): two columns share their colour, so a box begins and ends with a pair."""
    if columns % 2:
        raise SafelightError("E-DEID-BLANK-LOSSY")
    pairs = frame.reshape(rows, columns // 2, 4)
    middle = 1 << (bits - 1)
    for box in boxes:
        pairs[box.top : box.bottom, box.left // 2 : (box.right + 1) // 2] = (0, 0, middle, middle)


def _compressed(dataset: Dataset, count: int, touched: Mapping[int, tuple[Box, ...]]) -> bytes:
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in REWRITABLE:
        raise SafelightError("E-DEID-BLANK-LOSSY")
    kept = list(generate_frames(dataset.PixelData, number_of_frames=count))
    if len(kept) != count:
        raise SafelightError("E-DEID-BLANK-LOSSY")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for frame, boxes in touched.items():
            before, facts = get_decoder(syntax).as_array(dataset, index=frame, raw=True)
            after = np.array(before)
            _paint(after, dataset, boxes)
            kept[frame] = _encoded(dataset, after, str(facts["photometric_interpretation"]))
            _check(dataset, kept[frame], after)
    return bytes(encapsulate(kept, has_bot=True))


def _encoded(dataset: Dataset, frame: NDArray[Any], photometric: str) -> bytes:
    """One frame as a codestream without loss."""
    syntax = REWRITABLE[dataset.file_meta.TransferSyntaxUID]
    stated = str(dataset.PhotometricInterpretation)
    if syntax != RLELossless:
        photometric = "YBR_RCT" if stated in ("YBR_RCT", "YBR_ICT") else stated
    encoded = get_encoder(syntax).encode(
        frame, rows=int(dataset.Rows), columns=int(dataset.Columns), number_of_frames=1, samples_per_pixel=int(dataset.SamplesPerPixel),
        photometric_interpretation=photometric, bits_allocated=int(dataset.BitsAllocated), bits_stored=int(dataset.BitsStored),
        pixel_representation=int(dataset.PixelRepresentation), planar_configuration=0,
        use_mct=photometric == "YBR_RCT",
    )  # fmt: skip
    return bytes(encoded) + b"\0" * (len(encoded) % 2)


def _check(dataset: Dataset, encoded: bytes, meant: NDArray[Any]) -> None:
    """Decode what was encoded, and hold it to what was meant."""
    alone = Dataset()
    alone.file_meta = dataset.file_meta
    for name in (
        "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation",
    ):  # fmt: skip
        if name in dataset:
            alone[name] = dataset[name]
    if dataset.file_meta.TransferSyntaxUID != RLELossless and "PlanarConfiguration" in alone:
        alone.PlanarConfiguration = 0  # a codestream of JPEG 2000 or JPEG-LS has an order of its own
    alone.PixelData = encapsulate([encoded])
    alone["PixelData"].is_undefined_length = True
    again, _ = get_decoder(dataset.file_meta.TransferSyntaxUID).as_array(alone, index=0, raw=True)
    if not np.array_equal(again, meant):
        raise SafelightError("E-DEID-BLANK-LOSSY")
