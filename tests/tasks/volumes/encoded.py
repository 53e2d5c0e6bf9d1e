"""One picture in every transfer syntax, by encoders that are not ours: pydicom, CharLS, OpenJPEG, and libjpeg-turbo and OpenJPH by imagecodecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import get_encoder

from tasks.dicom.instances import Instance, read
from tasks.volumes.decoding import Block, FrameSource, blocks
from tests.tasks.volumes.made import AXIAL, instance

#: Form of a picture: BitsAllocated, BitsStored, PixelRepresentation.
FORMS = {"u8": (8, 8, 0), "i8": (8, 8, 1), "u12": (16, 12, 0), "i12": (16, 12, 1), "u16": (16, 16, 0), "i16": (16, 16, 1)}
ROWS, COLUMNS = 40, 50


def picture(form: str, seed: int = 1, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """(rows, columns): a slope with noise, and in it the lowest and the highest number of the form."""
    allocated, stored, signed = FORMS[form]
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    slope = np.linspace(low * 0.8, high * 0.8, rows * columns).reshape(rows, columns)
    noisy = slope + np.random.default_rng(seed).normal(0, (high - low) / 100, (rows, columns))
    made = np.clip(np.rint(noisy), low, high).astype(f"<{'i' if signed else 'u'}{allocated // 8}")
    made[1, :2] = low, high
    return made


def dataset(pixels: np.ndarray, form: str = "u16", **change: Any) -> Dataset:
    """Uncompressed, (rows, columns), or (frames, rows, columns)."""
    allocated, stored, signed = FORMS[form]
    rows, columns = pixels.shape[-2:]
    said = {"Rows": rows, "Columns": columns, "BitsAllocated": allocated, "BitsStored": stored, "HighBit": stored - 1}
    made = instance(np.zeros(3), AXIAL, PixelRepresentation=signed, **said)
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    data = pixels.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return made


def colours(pixels: np.ndarray, photometric: str = "RGB", **change: Any) -> Dataset:
    """Uncompressed colour, (rows, columns, 3)."""
    said = {
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": photometric,
        "PlanarConfiguration": 0,
        "Rows": len(pixels),
        "Columns": pixels.shape[1],
    }
    made = dataset(np.zeros((2, 2), "u1"), "u8", **said)
    data = pixels.astype("u1").tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return made


def _unsigned(pixels: np.ndarray, form: str) -> np.ndarray:
    """Two's complement of so many bits: JPEG and JPEG-LS know no sign."""
    return pixels.view(f"u{pixels.itemsize}") & np.array((1 << FORMS[form][1]) - 1, f"u{pixels.itemsize}")


def _by_pydicom(syntax: str, **options: Any) -> Callable[[np.ndarray, str], bytes]:
    def encode(pixels: np.ndarray, form: str) -> bytes:
        allocated, stored, signed = FORMS[form]
        rows, columns = pixels.shape
        return get_encoder(uid.UID(syntax)).encode(
            pixels, rows=rows, columns=columns, samples_per_pixel=1, bits_allocated=allocated, bits_stored=stored, number_of_frames=1,
            pixel_representation=signed, photometric_interpretation="MONOCHROME2", **options,
        )  # fmt: skip

    return encode


def _jpeg(**options: Any) -> Callable[[np.ndarray, str], bytes]:
    return lambda pixels, form: imagecodecs.jpeg8_encode(_unsigned(pixels, form), bitspersample=FORMS[form][1], **options)


def _ht(**options: Any) -> Callable[[np.ndarray, str], bytes]:
    return lambda pixels, form: bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(pixels), tlm=True, **options))


#: Compressed transfer syntaxes without loss → encoder of a frame.
LOSSLESS: dict[str, Callable[[np.ndarray, str], bytes]] = {
    uid.RLELossless: _by_pydicom(uid.RLELossless),
    uid.JPEGLossless: _jpeg(lossless=True, predictor=4),
    uid.JPEGLosslessSV1: _jpeg(lossless=True, predictor=1),
    uid.JPEGLSLossless: _by_pydicom(uid.JPEGLSLossless),
    uid.JPEG2000Lossless: _by_pydicom(uid.JPEG2000Lossless),
    uid.HTJ2KLossless: _ht(reversible=True),
    uid.HTJ2KLosslessRPCL: _ht(reversible=True),  # OpenJPH's order is RPCL by itself
    uid.JPEG2000: _by_pydicom(uid.JPEG2000Lossless),  # may hold either
    uid.HTJ2K: _ht(reversible=True),
}
#: Compressed transfer syntaxes with loss → encoder, the forms it has, and the largest error as a share of the form's range.
LOSSY: dict[str, tuple[Callable[[np.ndarray, str], bytes], tuple[str, ...], float]] = {
    uid.JPEGBaseline8Bit: (_jpeg(level=98), ("u8",), 4 / 256),
    uid.JPEGExtended12Bit: (_jpeg(level=98), ("u12",), 24 / 4096),
    uid.JPEGLSNearLossless: (_by_pydicom(uid.JPEGLSNearLossless, jls_error=3), ("u8", "u12", "u16"), 3 / 256),
    uid.JPEG2000: (_by_pydicom(uid.JPEG2000, j2k_cr=[3]), ("u8", "u12", "u16", "i16"), 0.04),
    uid.HTJ2K: (_ht(level=0.004, reversible=False), ("u8", "u16", "i16"), 0.03),
}  # fmt: skip


def compressed(frames: Sequence[bytes], like: Dataset, syntax: str, *, fragments: int = 1, table: str = "none") -> Dataset:
    """The data set with frames in fragments, told apart by the basic offset table, the extended one, or none."""
    if table == "extended":
        value, offsets, lengths = encapsulate_extended(list(frames))
        like.ExtendedOffsetTable, like.ExtendedOffsetTableLengths = offsets, lengths
    else:
        value = encapsulate(list(frames), fragments_per_frame=fragments, has_bot=table == "basic")
    like.PixelData = value
    like["PixelData"].VR, like["PixelData"].is_undefined_length = "OB", True
    like.file_meta.TransferSyntaxUID = uid.UID(syntax)
    return like


def taken_apart(made: Dataset, folder: Path) -> Instance:
    """Written and read."""
    path = folder / "made.dcm"
    made.save_as(path, enforce_file_format=True)
    return read(path).trimmed()


def decoded(made: Dataset, folder: Path) -> Block:
    """The one frame of it."""
    [block] = blocks([FrameSource(taken_apart(made, folder))])
    return block
