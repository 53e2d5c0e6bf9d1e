"""Evidence that an image's pixels show no text and no face, from what its header and its container say. No pixel is decoded here.

Passing needs every piece of evidence at once; whatever is not proven is quarantined under a code of its own. BurnedInAnnotation NO is not
believed, YES is. The `deid` package's catalogue (CTP's rules by device) is asked with the original header.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments
from pydicom.uid import RLELossless

from tasks.deid.rules import Profile

_MODALITY = {"CT": "CT", "MR": "MR", "PT": "PT"}
#: Fields that the catalogue's rules read; instances that agree in them get one verdict.
_CATALOGUE_FIELDS = (
    "BurnedInAnnotation", "Columns", "CommentsOnRadiationDose", "DateOfSecondaryCapture", "ImageType", "Manufacturer", "ManufacturerModelName",
    "Modality", "ProtocolName", "Rows", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SecondaryCaptureDeviceSoftwareVersions", "SeriesDescription", "WindowWidth",
)  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
#: Comments that encoders write into compressed frames: their own names and version numbers, and nothing else.
_ENCODER_COMMENT = re.compile(
    rb"(?:(?:created|creator|by|using|version|gdcm|openjpeg|jasper|kakadu|libjpeg|turbo|charls|lead|technologies|inc|gd-jpeg|ijg|jpeg|dcmtk)\b"
    rb"|v?[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}\b|[ :;/.,()v-])*\0*",
    re.IGNORECASE,
)
_KEPT_APPLICATION = {0xE0: b"JFIF\0", 0xEE: b"Adobe", 0xE8: b""}


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
        if not any(tag in dataset for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009)):
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
    """Counts slices by series, and says which series could be rendered to a face."""

    profile: Profile
    _slices: dict[str, int] = field(default_factory=dict)
    _suspect: set[str] = field(default_factory=set)

    def see(self, series: str, dataset: Dataset) -> None:
        """Take note of one original instance of a series."""
        self._slices[series] = self._slices.get(series, 0) + max(1, int(dataset.get("NumberOfFrames") or 1))
        if self._shows_head(dataset):
            self._suspect.add(series)

    def refuses(self, series: str) -> bool:
        """Whether a series must be quarantined: it may show a head, and has slices enough to render one."""
        return self.profile.faces == "quarantine" and series in self._suspect and self._slices[series] >= self.profile.face_slices

    def _shows_head(self, dataset: Dataset) -> bool:
        if _words(dataset.get("RecognizableVisualFeatures"))[:1] == ["YES"]:
            return True
        part = "".join(_words(dataset.get("BodyPartExamined"))).replace(" ", "")
        if part not in self.profile.face_free_body_parts:
            return True
        said = " ".join(
            str(dataset.get(name, ""))
            for name in (
                "StudyDescription",
                "SeriesDescription",
                "ProtocolName",
                "AcquisitionProtocolName",
                "RequestedProcedureDescription",
            )
        )
        return any(word in self.profile.head_words for word in re.findall("[a-z]+", said.lower()))


def compressed_comments(dataset: Dataset) -> bytes:
    """Text inside the compressed frames of an instance (JPEG COM and APPn segments), for the residue check; empty when native."""
    if 0x7FE00010 not in dataset or getattr(dataset.get_item(0x7FE00010), "length", 0) != _UNDEFINED:
        return b""
    return b"\n".join(text for fragment in _fragments(dataset) for _marker, text in _segments(fragment))


def _container(dataset: Dataset) -> str:
    """Whether the pixel data are as long as the header says, with nothing before, between or behind the frames."""
    for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009):
        if tag in dataset:
            element = dataset.get_item(tag)
            break
    if getattr(element, "length", None) == _UNDEFINED:
        return _compressed(dataset)
    try:
        frames = int(dataset.get("NumberOfFrames") or 1)
        bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) * frames
    except (AttributeError, TypeError, ValueError):
        return "E-DEID-PIXELS-UNPROVEN"
    expected, length = (bits + 7) // 8, len(element.value or b"")
    if length < expected or not bits:
        return "E-DEID-TRUNCATED"
    return "" if length <= expected + expected % 2 else "E-DEID-PIXELS-UNPROVEN"


def _compressed(dataset: Dataset) -> str:
    try:
        fragments = _fragments(dataset)
    except (ValueError, EOFError):
        return "E-DEID-TRUNCATED"
    frames = int(dataset.get("NumberOfFrames") or 1)
    if len(fragments) < frames:
        return "E-DEID-TRUNCATED"
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        return ""
    starts = [fragment for fragment in fragments if fragment[:2] in (b"\xff\xd8", b"\xff\x4f")]
    if len(starts) != frames or not _is_start(fragments[0]):
        return "E-DEID-PIXELS-UNPROVEN"
    if len(fragments) == frames and not all(fragment.rstrip(b"\0\xff").endswith(b"\xff\xd9") for fragment in fragments):
        return "E-DEID-PIXELS-UNPROVEN"  # bytes behind the end of an image, or an image cut short
    fine = all(_is_encoders_own(marker, text) for fragment in starts for marker, text in _segments(fragment))
    return "" if fine else "E-DEID-PIXELS-UNPROVEN"


def _fragments(dataset: Dataset) -> list[bytes]:
    """The fragments of encapsulated pixel data, without the offset table."""
    value: Any = dataset.get_item(0x7FE00010).value
    return list(generate_fragments(value))[1:]


def _is_start(fragment: bytes) -> bool:
    return fragment[:2] in (b"\xff\xd8", b"\xff\x4f")


def _segments(fragment: bytes) -> Iterable[tuple[int, bytes]]:
    """COM and APPn segments of a JPEG, JPEG-LS or JPEG 2000 code stream, up to its first scan or tile."""
    if not _is_start(fragment):
        return
    jpeg2000 = fragment[1] == 0x4F
    at = 2
    while at + 4 <= len(fragment) and fragment[at] == 0xFF:
        marker, length = fragment[at + 1], int.from_bytes(fragment[at + 2 : at + 4], "big")
        if marker in ((0x90,) if jpeg2000 else (0xDA,)):
            return
        body = fragment[at + 4 : at + 2 + length]
        if jpeg2000 and marker == 0x64:
            yield 0x64, body[2:]
        elif not jpeg2000 and (marker == 0xFE or 0xE0 <= marker <= 0xEF):
            yield marker, body
        at += 2 + length


def _is_encoders_own(marker: int, text: bytes) -> bool:
    if marker in _KEPT_APPLICATION:
        return text.startswith(_KEPT_APPLICATION[marker]) and len(text) <= 64
    return marker in (0xFE, 0x64) and _ENCODER_COMMENT.fullmatch(text) is not None


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
