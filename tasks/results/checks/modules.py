"""Attributes of type 1 (there, with a value) and type 2 (there) in each object's modules (PS3.3 A.35.3, A.51, A.33.1), in sequences too."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

#: Keyword → 1, 2, or the rules of a sequence's items (which must be at least one).
Rules = Mapping[str, "int | Rules"]

CODE: Rules = {"CodeValue": 1, "CodingSchemeDesignator": 1, "CodeMeaning": 1}
_IMAGE: Rules = {"ReferencedSOPClassUID": 1, "ReferencedSOPInstanceUID": 1}
#: Type 3 that we promise of every object beside what the standard asks.
_COMMON: Rules = {
    "PatientName": 2, "PatientID": 2, "PatientBirthDate": 2, "PatientSex": 2, "StudyInstanceUID": 1, "StudyDate": 2, "StudyTime": 2,
    "ReferringPhysicianName": 2, "StudyID": 2, "AccessionNumber": 2, "Modality": 1, "SeriesInstanceUID": 1, "SeriesNumber": 1,
    "SeriesDate": 1, "SeriesTime": 1, "Manufacturer": 1, "ManufacturerModelName": 1, "DeviceSerialNumber": 1, "SoftwareVersions": 1,
    "SOPClassUID": 1, "SOPInstanceUID": 1, "SpecificCharacterSet": 1, "InstanceNumber": 1, "InstanceCreationDate": 1,
    "InstanceCreationTime": 1, "InstanceCreatorUID": 1, "SeriesDescription": 1, "ContentQualification": 1,
    "CodingSchemeIdentificationSequence": {"CodingSchemeDesignator": 1, "CodingSchemeName": 1},
}  # fmt: skip
_EVIDENCE: Rules = {
    "StudyInstanceUID": 1,
    "ReferencedSeriesSequence": {"SeriesInstanceUID": 1, "ReferencedSOPSequence": _IMAGE},
}
_REPORT: Rules = {
    "ContentDate": 1, "ContentTime": 1, "CompletionFlag": 1, "VerificationFlag": 1, "PreliminaryFlag": 1,
    "PerformedProcedureCodeSequence": 2, "ReferencedPerformedProcedureStepSequence": 2, "CurrentRequestedProcedureEvidenceSequence": _EVIDENCE,
    "ValueType": 1, "ConceptNameCodeSequence": CODE, "ContinuityOfContent": 1,
    "ContentTemplateSequence": {"MappingResource": 1, "TemplateIdentifier": 1}, "ContentSequence": {"ValueType": 1, "RelationshipType": 1},
}  # fmt: skip
_SEGMENTATION: Rules = {
    "ContentDate": 1, "ContentTime": 1, "FrameOfReferenceUID": 1, "PositionReferenceIndicator": 2, "ImageType": 1, "SamplesPerPixel": 1,
    "PhotometricInterpretation": 1, "Rows": 1, "Columns": 1, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 1, "PixelRepresentation": 1,
    "LossyImageCompression": 1, "SegmentationType": 1, "SegmentsOverlap": 1, "ContentLabel": 1, "ContentDescription": 2,
    "ContentCreatorName": 2, "NumberOfFrames": 1, "PixelData": 1,
    "SegmentSequence": {
        "SegmentNumber": 1, "SegmentLabel": 1, "SegmentAlgorithmType": 1, "SegmentAlgorithmName": 1, "TrackingID": 1, "TrackingUID": 1,
        "SegmentedPropertyCategoryCodeSequence": CODE, "SegmentedPropertyTypeCodeSequence": CODE,
        "SegmentationAlgorithmIdentificationSequence": {
            "AlgorithmFamilyCodeSequence": CODE, "AlgorithmName": 1, "AlgorithmVersion": 1, "AlgorithmParameters": 1,
        },
    },
    "DimensionOrganizationSequence": {"DimensionOrganizationUID": 1},
    "DimensionIndexSequence": {"DimensionIndexPointer": 1, "FunctionalGroupPointer": 1, "DimensionOrganizationUID": 1},
    "ReferencedSeriesSequence": {"SeriesInstanceUID": 1, "ReferencedInstanceSequence": _IMAGE},
    "SharedFunctionalGroupsSequence": {
        "PixelMeasuresSequence": {"PixelSpacing": 1, "SliceThickness": 1},
        "PlaneOrientationSequence": {"ImageOrientationPatient": 1},
    },
    "PerFrameFunctionalGroupsSequence": {
        "FrameContentSequence": {"DimensionIndexValues": 1},
        "PlanePositionSequence": {"ImagePositionPatient": 1},
    },
}  # fmt: skip
_PRESENTATION: Rules = {
    "PresentationCreationDate": 1, "PresentationCreationTime": 1, "ContentLabel": 1, "ContentDescription": 2, "ContentCreatorName": 2,
    "Laterality": 2, "PresentationLUTShape": 1,
    "ReferencedSeriesSequence": {"SeriesInstanceUID": 1, "ReferencedImageSequence": _IMAGE},
    "DisplayedAreaSelectionSequence": {
        "DisplayedAreaTopLeftHandCorner": 1, "DisplayedAreaBottomRightHandCorner": 1, "PresentationSizeMode": 1,
    },
    "GraphicLayerSequence": {"GraphicLayer": 1, "GraphicLayerOrder": 1},
    "GraphicAnnotationSequence": {
        "GraphicLayer": 1, "ReferencedImageSequence": _IMAGE,
        "TextObjectSequence": {"UnformattedTextValue": 1, "AnchorPoint": 1, "AnchorPointAnnotationUnits": 1, "AnchorPointVisibility": 1},
        "GraphicObjectSequence": {
            "GraphicAnnotationUnits": 1, "GraphicDimensions": 1, "NumberOfGraphicPoints": 1, "GraphicData": 1, "GraphicType": 1,
            "GraphicFilled": 1, "TrackingID": 1, "TrackingUID": 1,
        },
    },
}  # fmt: skip
_KINDS: Mapping[str, Rules] = {"SR": _REPORT, "SEG": _SEGMENTATION, "PR": _PRESENTATION}


def problems(made: Dataset, kind: str) -> list[str]:
    """What of the modules of an object (Modality `SR`, `SEG` or `PR`) is not there, or empty."""
    if kind not in _KINDS:
        return ["Modality: none of ours"]
    return broken(made, {**_COMMON, **_KINDS[kind]})


def broken(item: Dataset, rules: Rules, place: str = "") -> list[str]:
    """Which rules an item breaks."""
    found = []
    for keyword, rule in rules.items():
        where = f"{place}{keyword}"
        value = item[keyword].value if keyword in item else None
        if keyword not in item:
            found.append(f"{where}: missing")
        elif not isinstance(rule, int):
            if not isinstance(value, Items) or not len(value):
                found.append(f"{where}: no item")
            else:
                found += [each for n, inner in enumerate(value) for each in broken(inner, rule, f"{where}[{n}].")]
        elif rule == 1 and (value is None or (isinstance(value, str | bytes) and not value)):
            found.append(f"{where}: empty")
    return found
