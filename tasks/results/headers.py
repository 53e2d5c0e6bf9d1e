"""What the objects need of the images that they are about: patient, study, and each image's place; nothing else of a header is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

STUDY = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate",
    "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "StudyDescription",
)  # fmt: skip
IMAGE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "InstanceNumber", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "ImageType",
)  # fmt: skip
#: Of an image with several frames: where each is, and what its values mean.
_FRAMES = (
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence",
)  # fmt: skip
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
#: Type 2 of the patient, study and series that every object must have, empty where the images have none.
_MUST_STAND = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber", "PositionReferenceIndicator",
)  # fmt: skip
_WELL_FORMED = {
    "PatientSex": re.compile(r"[MFO]"),
    "PatientBirthDate": re.compile(r"\d{8}"),
    "StudyDate": re.compile(r"\d{8}"),
    "StudyTime": re.compile(r"\d{2,6}(\.\d{1,6})?"),
}

#: Headers of images by the SOPInstanceUID that they have in the lake.
Headers = Mapping[str, Dataset]


def read(path: Path) -> Dataset:
    """The header of an image, cut down to `STUDY`, `IMAGE` and the frames' places; raises what pydicom raises."""
    said = dcmread(path, stop_before_pixels=True, specific_tags=["SpecificCharacterSet", *STUDY, *IMAGE, *_GROUPS])
    return cut(said)


def cut(said: Dataset) -> Dataset:
    """The attributes that are kept of a header, decoded; what is malformed is empty, as the PACS's own tools would show it."""
    kept = Dataset()
    for keyword in (*STUDY, *IMAGE):
        if keyword in said:
            kept.add(said[keyword])
    for keyword in _GROUPS:
        if keyword in said:
            setattr(kept, keyword, [_frame(item) for item in said[keyword].value])
    for keyword in _MUST_STAND:
        if keyword not in kept or kept[keyword].value is None:
            setattr(kept, keyword, "")
    for keyword, pattern in _WELL_FORMED.items():
        if not pattern.fullmatch(str(kept[keyword].value)):
            setattr(kept, keyword, "")
    kept.SpecificCharacterSet = "ISO_IR 192"
    return kept


def _frame(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in _FRAMES:
        if keyword in item:
            kept.add(item[keyword])
    return kept
