"""Evidence that an image's pixels show no text and no face, from what its header and its container say. No pixel is decoded here.

Passing needs every piece of evidence at once; whatever is not proven is quarantined under a code of its own. BurnedInAnnotation NO is not
believed, YES is. The `deid` package's catalogue (CTP's rules by device) is asked with the original header.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.uid import RLELossless

from tasks.deid import codestream
from tasks.deid.header import PIXELS
from tasks.deid.identifiers import fold
from tasks.deid.rules import Profile

_MODALITY = {"CT": "CT", "MR": "MR", "PT": "PT"}
#: Fields that the catalogue's rules read; instances that agree in them get one verdict.
_CATALOGUE_FIELDS = (
    "BurnedInAnnotation", "Columns", "CommentsOnRadiationDose", "DateOfSecondaryCapture", "ImageType", "Manufacturer", "ManufacturerModelName",
    "Modality", "ProtocolName", "Rows", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SecondaryCaptureDeviceSoftwareVersions", "SeriesDescription", "WindowWidth",
)  # fmt: skip
#: Where people write what was examined.
_DESCRIPTIONS = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "AcquisitionProtocolName", "RequestedProcedureDescription", "ImageComments",
)  # fmt: skip
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


@dataclass
class Evidence:
    """Judges the images of one study."""

    profile: Profile
    _catalogue: dict[tuple[str, ...], bool] = field(default_factory=dict, repr=False)

    def refusal(self, dataset: Dataset) -> str:
        """The code under which an original instance must be quarantined, or an empty string.

        Args:
            dataset: the whole original instance, not yet rewritten.
        """
        if dataset.get("SOPClassUID") not in self.profile.sop_classes:
            return "E-DEID-SOP-CLASS"
        if not any(tag in dataset for tag in PIXELS):
            return "E-DEID-NO-PIXELS"
        if _words(dataset.get("BurnedInAnnotation"))[:1] == ["YES"]:
            return "E-DEID-BURNED-IN"
        truncated_or_padded = _container(dataset)
        if truncated_or_padded:
            return truncated_or_padded
        if not self._is_plain(dataset):
            return "E-DEID-PIXELS-UNPROVEN"
        return "E-DEID-BURNED-IN" if self.profile.burned_in_catalogue and self._in_catalogue(dataset) else ""

    def _is_plain(self, dataset: Dataset) -> bool:
        """Original pixels in one grey channel, of a modality that burns nothing in, without an overlay hidden in their upper bits."""
        image_type = _words(dataset.get("ImageType"))
        if tuple(image_type[: len(self.profile.image_type)]) != self.profile.image_type:
            return False
        grey = (
            str(dataset.get("PhotometricInterpretation", "")) in ("MONOCHROME1", "MONOCHROME2")
            and dataset.get("SamplesPerPixel") == 1
        )
        hidden = any(tag.group >> 8 == 0x60 and tag.element == 0x0102 and dataset[tag].value for tag in list(dataset.keys()))
        return grey and not hidden and str(dataset.get("Modality", "")) in _MODALITY

    def _in_catalogue(self, dataset: Dataset) -> bool:
        key = tuple(str(dataset.get(name, "")) for name in _CATALOGUE_FIELDS)
        known = self._catalogue.get(key)
        if known is None:
            known = self._catalogue[key] = _catalogue_flags(dataset)
        return known


@dataclass
class FaceCheck:
    """Counts slices, and says which series could be rendered to a face. Slices of one head may be spread over several series."""

    profile: Profile
    _slices: Counter[str] = field(default_factory=Counter)
    _suspect: set[str] = field(default_factory=set)

    def see(self, series: str, dataset: Dataset) -> None:
        """Take note of one original instance of a series."""
        self._slices[series] += max(1, int(dataset.get("NumberOfFrames") or 1))
        if self._shows_head(dataset):
            self._suspect.add(series)

    def refuses(self, series: str) -> bool:
        """Whether a series must be quarantined: it may show a head, and with others of its study has slices enough to render one."""
        slices = sum(self._slices[each] for each in self._suspect)
        return self.profile.faces == "quarantine" and series in self._suspect and slices >= self.profile.face_slices

    def _shows_head(self, dataset: Dataset) -> bool:
        if _words(dataset.get("RecognizableVisualFeatures"))[:1] == ["YES"]:
            return True
        part = "".join(_words(dataset.get("BodyPartExamined"))).replace(" ", "")
        if part not in self.profile.face_free_body_parts:
            return True
        regions = [str(item.get("CodeMeaning", "")) for item in dataset.get("AnatomicRegionSequence") or ()]
        said = fold(" ".join([*(str(dataset.get(name, "")) for name in _DESCRIPTIONS), *regions]))
        return any(word in self.profile.head_words for word in re.findall("[a-z]+", said))


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
        bits = pixels * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) * frames
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


@cache
def _catalogue() -> Callable[[Dataset], dict[str, Any]]:
    """The package's check with its own recipe. Imported when first needed: it takes a second, and uses deprecated names of pydicom's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from deid.config import DeidRecipe
        from deid.dicom import has_burned_pixels
    return partial(has_burned_pixels, deid=DeidRecipe("dicom"))


def _catalogue_flags(dataset: Dataset) -> bool:
    """Whether the catalogue blacklists the image or knows regions of text for it; its catch-alls without a region prove nothing."""
    plain = FileDataset("", Dataset())  # the package asks for a dataset with a file
    for name in _CATALOGUE_FIELDS:
        if name in dataset:
            plain[name] = dataset[name]
    found = _catalogue()(plain)["results"]
    return any(entry["group"] == "blacklist" or (entry["group"] == "graylist" and entry["coordinates"]) for entry in found)
