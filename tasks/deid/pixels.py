"""Evidence about an image's pixels from its header and its container, before anybody looks at them. No pixel is decoded here.

What the looks (`tasks.deid.burned_in.looking`) can't judge is refused: containers that say other things than the header, bytes that belong to
no image, overlays in unused bits, unknown photometric interpretations and SOP classes. BurnedInAnnotation is the looks' matter. An image
that passes here is **not** free of text yet.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.uid import RLELossless

from tasks.deid.burned_in import catalogue
from tasks.deid.burned_in.frames import ONE_SAMPLE, PHOTOMETRIC
from tasks.deid.rules import Profile
from tasks.dicom import codestream
from tasks.dicom.elements import PIXELS

_UNDEFINED = 0xFFFFFFFF
#: Comments that encoders write into compressed frames: their own names and version numbers, and nothing else.
_ENCODER_COMMENT = re.compile(
    rb"(?:(?:created|creator|by|using|version|gdcm|openjpeg|jasper|kakadu|grok|libjpeg|turbo|charls|lead|technologies|inc|gd-jpeg|ijg|jpeg|dcmtk)\b"
    rb"|v?[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}\b|[ :;/.,()v-])*\0*",
    re.IGNORECASE,
)
#: Application segments of the image format itself: JFIF without a thumbnail, Adobe's colour transform, SPIFF, and JPEG-LS's colour transform.
_FORMATS_OWN = {
    0xE0: re.compile(rb"JFIF\0.{7}\0\0", re.DOTALL),
    0xEE: re.compile(rb"Adobe.{5,7}", re.DOTALL),
    0xE8: re.compile(rb"SPIFF\0.{24}|\0\0\0\x01\xff\xd8|mrfx.", re.DOTALL),
}


#: What `Evidence.refusal` reads of the header beside the pixel data themselves, the transfer syntax and (60xx,0102): images that agree in these,
#: and have the same pixel data, have one verdict.
FIELDS = (
    "SOPClassUID", "PhotometricInterpretation", "SamplesPerPixel", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", *catalogue.FIELDS,
)  # fmt: skip


@dataclass
class Evidence:
    """Judges the images of one study."""

    profile: Profile

    def refusal(self, dataset: Dataset) -> str:
        """The code under which an original instance must be quarantined before it is looked at, or an empty string.

        Args:
            dataset: the whole original instance, not yet rewritten.
        """
        if dataset.get("SOPClassUID") not in self.profile.sop_classes:
            return "E-DEID-SOP-CLASS"
        if not any(tag in dataset for tag in PIXELS):
            return "E-DEID-NO-PIXELS"
        if refused := _container(dataset):
            return refused
        if not _can_be_looked_at(dataset):
            return "E-DEID-PIXELS-UNPROVEN"
        return "E-DEID-BURNED-IN" if catalogue.ask(dataset).screen else ""  # its kind is known as screens full of text


def _can_be_looked_at(dataset: Dataset) -> bool:
    """A photometric interpretation that is known, with as many samples as it has, and no overlay hidden in the pixels' upper bits."""
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    hidden = any(tag.group >> 8 == 0x60 and tag.element == 0x0102 and dataset[tag].value for tag in list(dataset.keys()))
    samples = 1 if photometric in ONE_SAMPLE else 3
    return photometric in PHOTOMETRIC and dataset.get("SamplesPerPixel") == samples and not hidden


def compressed_comments(dataset: Dataset) -> bytes:
    """Text inside the compressed frames of an instance (JPEG COM and APPn segments), for the residue check; empty when native."""
    if not _is_encapsulated(dataset) or dataset.file_meta.TransferSyntaxUID == RLELossless:
        return b""
    return b"\n".join(text for frame in _frames(dataset) for _marker, text in codestream.segments(frame))


def _container(dataset: Dataset) -> str:
    """Whether the pixel data are as long as the header says, with nothing before, between or behind the frames."""
    elements = [dataset.get_item(tag) for tag in PIXELS if tag in dataset]
    if len(elements) > 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated != _is_encapsulated(dataset):
        return "E-DEID-PIXELS-UNPROVEN"
    try:
        frames, pixels = int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows) * int(dataset.Columns)
        samples = (
            2 if dataset.get("PhotometricInterpretation") == "YBR_FULL_422" else int(dataset.SamplesPerPixel)
        )  # colour is halved
        bits = pixels * samples * int(dataset.BitsAllocated) * frames
    except (AttributeError, TypeError, ValueError):
        return "E-DEID-PIXELS-UNPROVEN"
    if _is_encapsulated(dataset):
        return _compressed(dataset, frames, pixels)
    expected, length = (bits + 7) // 8, len(elements[0].value or b"")
    if length < expected or not bits:
        return "E-DEID-TRUNCATED"
    return "" if length <= expected + expected % 2 else "E-DEID-PIXELS-UNPROVEN"


def _compressed(dataset: Dataset, count: int, pixels: int) -> str:
    try:
        frames = _frames(dataset)
        if len(frames) < count:
            return "E-DEID-TRUNCATED"
        if len(frames) > count:
            return "E-DEID-PIXELS-UNPROVEN"
        for frame in frames:
            if dataset.file_meta.TransferSyntaxUID == RLELossless:
                codestream.check_rle(frame, pixels)
            elif not all(_is_encoders_own(marker, text) for marker, text in codestream.segments(frame)):
                return "E-DEID-PIXELS-UNPROVEN"
    except codestream.CodestreamError:
        return "E-DEID-PIXELS-UNPROVEN"  # bytes that belong to no image, or an image cut short
    except (ValueError, EOFError, struct.error):
        return "E-DEID-TRUNCATED"
    return ""


def _is_encapsulated(dataset: Dataset) -> bool:
    return PIXELS[0] in dataset and getattr(dataset.get_item(PIXELS[0]), "length", 0) == _UNDEFINED


def _frames(dataset: Dataset) -> list[bytes]:
    value: Any = dataset.get_item(PIXELS[0]).value
    return codestream.frames(value, int(dataset.get("NumberOfFrames") or 1))


def _is_encoders_own(marker: int, text: bytes) -> bool:
    own = _ENCODER_COMMENT if marker in (0xFE, 0x64) else _FORMATS_OWN.get(marker)
    return own is not None and own.fullmatch(text) is not None


def _words(value: Any) -> list[str]:
    """The values of a code string attribute, upper case, without padding."""
    if value is None:
        return []
    values = [value] if isinstance(value, str) else list(value)
    return [str(each).strip().upper() for each in values]
