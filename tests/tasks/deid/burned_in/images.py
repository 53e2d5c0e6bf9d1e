"""Small images with and without text, in every form that pixels are stored in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

from tasks.deid.burned_in.box import Box

SHAPE = (128, 256)
TEXT = Box(40, 30, 250, 56)
_FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def ground(seed: int = 0) -> Any:
    """Noise around a smooth slope, from 0 to 1."""
    slope = np.linspace(0.15, 0.3, SHAPE[1])[None] + np.zeros(SHAPE)
    return slope + np.random.default_rng(seed).normal(0, 0.02, SHAPE)


def ink(at: tuple[int, int] = (44, 34), text: str = "SAMPLE^PERSON 12.04.1937", size: int = 14) -> Any:
    """Text, from 0 to 1."""
    drawn = Image.new("L", SHAPE[::-1])
    ImageDraw.Draw(drawn).text(at, text, fill=255, font=ImageFont.truetype(str(_FONT), size))
    return np.asarray(drawn) / 255.0


def with_text(seed: int = 0) -> Any:
    """The ground with text on it, from 0 to 1."""
    return np.maximum(ground(seed), ink() * 0.95)


def dataset(
    pixels: Any, *, photometric: str = "MONOCHROME2", bits: int | None = None, planar: int = 0, modality: str = "OT"
) -> FileDataset:
    """A native image of stored values: (rows, columns), (frames, rows, columns), or with three samples last."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", modality
    made.Manufacturer, made.ImageType = "SYNTHETIC", ["ORIGINAL", "PRIMARY"]
    colour = pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if colour else pixels.shape
    if len(shape) == 3:
        made.NumberOfFrames = str(shape[0])
    made.Rows, made.Columns = shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 3 if colour else 1, photometric
    made.BitsAllocated = pixels.dtype.itemsize * 8
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, int(pixels.dtype.kind == "i")
    if colour:
        made.PlanarConfiguration = planar
        if planar:
            pixels = np.moveaxis(pixels, -1, -3)
    made.PixelData = np.ascontiguousarray(pixels).tobytes()
    made["PixelData"].VR = "OB" if made.BitsAllocated == 8 else "OW"
    return made


def wrapped(made: FileDataset, syntax: str, frames: list[bytes]) -> FileDataset:
    """The image with compressed frames instead of native ones."""
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def saved(made: FileDataset, path: Path) -> Path:
    """The image as a file."""
    made.save_as(path, enforce_file_format=True)
    return path
