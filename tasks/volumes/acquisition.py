"""How a series was acquired, from its headers: the columns of `series` that are named by DICOM's keywords, as in IDC's index tables.

A value stands in its column only where all images of the series agree in it. Where they differ, the column is null and its name is in `mixed`;
never is one image's value taken for all. Some columns are lists of every value instead (echo times, b-values), some a lowest and a highest
(tube current, which automatic control varies from slice to slice). What an enhanced object says in its functional groups
stands under the keyword of single-frame objects (PS3.3 C.7.6.16.2, C.8.13 to C.8.15, C.8.22).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID, PositronEmissionTomographyImageStorage

from data_contracts.contract import UID_PATTERN
from tasks.dicom.headers import count, integer, number, numbers, positive, value, word
from tasks.volumes.intake import Instance
from tasks.volumes.placement import KEYWORDS as PLACES
from tasks.volumes.placement import placement
from tasks.volumes.traits import diffusion_b_value
from tasks.volumes.views import View, distinct, remembering, tags_of, views_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """How a column is read from one image.

    keywords: all that it depends on.
    """

    keywords: tuple[str, ...]
    read: Callable[[View], Any]


def _first(*keywords: str, read: Callable[[Any, str], Any]) -> Reader:
    """The first of several keywords that is stated."""
    return Reader(keywords, lambda view: next((found for name in keywords if (found := read(view, name)) is not None), None))


def _text(*keywords: str) -> Reader:
    return _first(*keywords, read=word)


def _real(*keywords: str) -> Reader:
    return _first(*keywords, read=number)


def _size(*keywords: str) -> Reader:
    """A number of at least zero."""
    return _first(*keywords, read=positive)


def _whole(*keywords: str) -> Reader:
    return _first(*keywords, read=count)


def _scaled(plain: tuple[str, ...], keyword: str, factor: float) -> Reader:
    """The first of the plain keywords, else another one, times `factor`."""

    def read(view: View) -> float | None:
        direct = next((found for name in plain if (found := positive(view, name)) is not None), None)
        other = positive(view, keyword) if direct is None else None
        return direct if other is None else other * factor

    return Reader((*plain, keyword), read)


def _nth(keyword: str, place: int) -> Reader:
    """One of several numbers, where that is greater than zero."""

    def read(view: View) -> float | None:
        found = numbers(view, keyword) or []
        return found[place] if len(found) > place and found[place] > 0 else None

    return Reader((keyword,), read)


def _item(view: View, *sequences: str) -> Any:
    """The first item of a sequence within the first item of a sequence …, or None."""
    here: Any = view
    for keyword in sequences:
        items = value(here, keyword)
        if not items:
            return None
        here = items[0]
    return here


_DRUG = "RadiopharmaceuticalInformationSequence"


def _of_drug(read: Callable[[Any], Any]) -> Reader:
    """From the one radiopharmaceutical; null where there are several."""

    def one(view: View) -> Any:
        items = value(view, _DRUG) or []
        return read(items[0]) if len(items) == 1 else None

    return Reader((_DRUG, "SOPClassUID"), one)


def _dose() -> Reader:
    """Bq in PET images (C.8.9.2). Other objects count in MBq (C.8.4.10.1.7), and some are known not to: no number is better than a wrong one."""

    def read(view: View) -> float | None:
        items = value(view, _DRUG) or []
        pet = word(view, "SOPClassUID") == PositronEmissionTomographyImageStorage
        return positive(items[0], "RadionuclideTotalDose") if pet and len(items) == 1 else None

    return Reader((_DRUG, "SOPClassUID"), read)


def _coded(*path: str) -> Callable[[Any], str | None]:
    def read(item: Any) -> str | None:
        code = _item(item, *path)
        return None if code is None else word(code, "CodeMeaning")

    return read


def _several(keyword: str, *, ended: str = "") -> Reader:
    """The values of a text, or the meaning of its codes."""

    def read(view: View) -> Any:
        stated = word(view, keyword)
        codes = [] if stated is not None or not ended else value(view, ended) or []
        return stated or "\\".join(sorted({meaning for code in codes if (meaning := word(code, "CodeMeaning"))})) or None

    return Reader((keyword, *([ended] if ended else [])), read)


def _sign(view: View) -> str | None:
    stated = count(view, "PixelRepresentation")
    return None if stated is None else {0: "unsigned", 1: "signed"}.get(stated)


def _ours(view: View) -> str | None:
    uid = word(view, "FrameOfReferenceUID") or ""
    return uid if re.fullmatch(UID_PATTERN, uid) else None


def _class(view: View) -> str | None:
    uid = word(view, "SOPClassUID") or ""
    return uid if re.fullmatch(r"[0-9.]{1,64}", uid) else None


def _inversion(view: View) -> float | None:
    stated = number(view, "InversionTime")
    if stated is not None:
        return stated
    times = numbers(view, "InversionTimes") or ([single] if (single := number(view, "InversionTimes")) is not None else [])
    return times[0] if len(times) == 1 else None


#: Columns of one value.
SINGLE: Mapping[str, Reader] = {
    "Modality": _text("Modality"),
    "SeriesNumber": Reader(("SeriesNumber",), lambda view: integer(view, "SeriesNumber")),
    "SeriesDescription": _text("SeriesDescription"),
    "ProtocolName": _text("ProtocolName"),
    "BodyPartExamined": _text("BodyPartExamined"),
    "Laterality": _text("Laterality"),
    "PatientPosition": _text("PatientPosition"),
    "Manufacturer": _text("Manufacturer"),
    "ManufacturerModelName": _text("ManufacturerModelName"),
    "SoftwareVersions": _text("SoftwareVersions"),
    "SOPClassUID": Reader(("SOPClassUID",), _class),
    "FrameOfReferenceUID": Reader(("FrameOfReferenceUID",), _ours),
    "ImageType": _text("FrameType", "ImageType"),
    "PhotometricInterpretation": _text("PhotometricInterpretation"),
    "PixelRepresentation": Reader(("PixelRepresentation",), _sign),
    "BitsStored": _whole("BitsStored"),
    "Rows": _whole("Rows"),
    "Columns": _whole("Columns"),
    "PixelSpacing_row_mm": _nth("PixelSpacing", 0),
    "PixelSpacing_col_mm": _nth("PixelSpacing", 1),
    "SliceThickness": _size("SliceThickness"),
    "SpacingBetweenSlices": _real("SpacingBetweenSlices"),
    # CT
    "KVP": _real("KVP"),
    "ConvolutionKernel": _text("ConvolutionKernel"),
    "FilterType": _text("FilterType"),
    "ScanOptions": _text("ScanOptions"),
    "GantryDetectorTilt": _real("GantryDetectorTilt"),
    "DataCollectionDiameter": _size("DataCollectionDiameter"),
    "ReconstructionDiameter": _size("ReconstructionDiameter"),
    "SpiralPitchFactor": _real("SpiralPitchFactor"),
    "RevolutionTime": _size("RevolutionTime"),
    "SingleCollimationWidth": _size("SingleCollimationWidth"),
    "TotalCollimationWidth": _size("TotalCollimationWidth"),
    "ExposureModulationType": _text("ExposureModulationType"),
    # MR
    "MagneticFieldStrength": _size("MagneticFieldStrength"),
    "MRAcquisitionType": _text("MRAcquisitionType"),
    "ScanningSequence": _text("ScanningSequence", "EchoPulseSequence"),
    "SequenceVariant": _text("SequenceVariant"),
    "SequenceName": _text("SequenceName", "PulseSequenceName"),
    "RepetitionTime": _size("RepetitionTime"),
    "InversionTime": Reader(("InversionTime", "InversionTimes"), _inversion),
    "FlipAngle": _real("FlipAngle"),
    "EchoTrainLength": _whole("EchoTrainLength", "RFEchoTrainLength"),
    "PixelBandwidth": _size("PixelBandwidth"),
    "NumberOfAverages": _size("NumberOfAverages"),
    "ImagingFrequency": _size("ImagingFrequency", "TransmitterFrequency"),
    "ImagedNucleus": _text("ImagedNucleus", "ResonantNucleus"),
    "InPlanePhaseEncodingDirection": _text("InPlanePhaseEncodingDirection"),
    "ReceiveCoilName": _text("ReceiveCoilName"),
    "NumberOfTemporalPositions": _whole("NumberOfTemporalPositions"),
    # PET
    "SeriesType": _text("SeriesType"),
    "Units": _text("Units"),
    "SUVType": _text("SUVType"),
    "CountsSource": _text("CountsSource"),
    "CorrectedImage": _text("CorrectedImage"),
    "DecayCorrection": _text("DecayCorrection"),
    "RandomsCorrectionMethod": _text("RandomsCorrectionMethod"),
    "AttenuationCorrectionMethod": _text("AttenuationCorrectionMethod"),
    "ScatterCorrectionMethod": _text("ScatterCorrectionMethod"),
    "ReconstructionMethod": _text("ReconstructionMethod"),
    "Radiopharmaceutical": _of_drug(lambda item: word(item, "Radiopharmaceutical")),
    "RadionuclideCodeMeaning": _of_drug(_coded("RadionuclideCodeSequence")),
    "RadionuclideTotalDose": _dose(),
    "RadionuclideHalfLife": _of_drug(lambda item: positive(item, "RadionuclideHalfLife")),
    "RadionuclidePositronFraction": _of_drug(lambda item: positive(item, "RadionuclidePositronFraction")),
    "NumberOfSlices": _whole("NumberOfSlices"),
    "NumberOfTimeSlices": _whole("NumberOfTimeSlices"),
    # X-ray projections
    "ViewPosition": _text("ViewPosition"),
    "ImageLaterality": _text("ImageLaterality"),
    "PatientOrientation": _text("PatientOrientation"),
    "PresentationIntentType": _text("PresentationIntentType"),
    "DetectorType": _text("DetectorType"),
    "ImagerPixelSpacing_row_mm": _nth("ImagerPixelSpacing", 0),
    "ImagerPixelSpacing_col_mm": _nth("ImagerPixelSpacing", 1),
    "DistanceSourceToDetector": _size("DistanceSourceToDetector"),
    "DistanceSourceToPatient": _size("DistanceSourceToPatient"),
    "EstimatedRadiographicMagnificationFactor": _size("EstimatedRadiographicMagnificationFactor"),
    "Grid": _text("Grid"),
    "AnodeTargetMaterial": _text("AnodeTargetMaterial"),
    "FilterMaterial": _text("FilterMaterial"),
    "BodyPartThickness": _size("BodyPartThickness"),
    "CompressionForce": _size("CompressionForce"),
    "BreastImplantPresent": _text("BreastImplantPresent"),
    "PositionerPrimaryAngle": _real("PositionerPrimaryAngle"),
    "PositionerSecondaryAngle": _real("PositionerSecondaryAngle"),
}  # fmt: skip
#: The b-value of the standard, or the private one of a vendor in the whole header.
_B_VALUE = "DiffusionBValue"
#: Columns of every value, sorted; an image that states none adds none.
LISTS: Mapping[str, Reader] = {
    "EchoTime": _size("EffectiveEchoTime", "EchoTime"),
    _B_VALUE: _size(_B_VALUE),
    "ActualFrameDuration": _size("FrameAcquisitionDuration", "ActualFrameDuration"),
    "ContrastBolusAgent": _several("ContrastBolusAgent", ended="ContrastBolusAgentSequence"),
    "ContrastBolusIngredient": _text("ContrastBolusIngredient"),
    "ContrastBolusRoute": _several("ContrastBolusRoute", ended="ContrastBolusAdministrationRouteSequence"),
}
#: Columns of a lowest and a highest value, `<name>_min` and `<name>_max`.
RANGES: Mapping[str, Reader] = {
    "XRayTubeCurrent": _scaled(("XRayTubeCurrent", "XRayTubeCurrentInmA"), "XRayTubeCurrentInuA", 1e-3),
    "ExposureTime": _scaled(("ExposureTime", "ExposureTimeInms"), "ExposureTimeInuS", 1e-3),
    "Exposure": _scaled(("Exposure", "ExposureInmAs"), "ExposureInuAs", 1e-3),
    "CTDIvol": _size("CTDIvol"),
}
_EACH = {**SINGLE, **LISTS, **RANGES}
_KEYWORDS = tuple(dict.fromkeys(name for reader in _EACH.values() for name in reader.keywords))
_TAGS = {name: tags_of(reader.keywords) for name, reader in _EACH.items()}
#: What each instance has a column of in `instances`: what may differ within a series.
OF_INSTANCES = (
    "ImageType", "SliceThickness", "KVP", "ConvolutionKernel", "XRayTubeCurrent", "ExposureTime", "Exposure", "CTDIvol", "EchoTime",
    "RepetitionTime", "InversionTime", "FlipAngle", "DiffusionBValue", "ActualFrameDuration", "ContrastBolusAgent", "ViewPosition",
    "ImageLaterality", "PatientOrientation",
)  # fmt: skip


def of_series(instances: Sequence[Instance]) -> Row:
    """The columns of `series` that its headers tell: `SINGLE`, `LISTS`, `RANGES`, `mixed`, what `placement` tells, and a few of the files.

    Args:
        instances: all of the series.
    """
    views = views_of(instances, (*_KEYWORDS, *PLACES))
    row: Row = {}
    mixed = []
    for name, reader in SINGLE.items():
        found = distinct(views, _TAGS[name], reader.read)
        row[name] = found[0] if len(found) == 1 else None
        if len(found) > 1:
            mixed.append(name)
    for name, reader in LISTS.items():
        row[name] = _sorted(distinct(views, _TAGS[name], reader.read))
    if row[_B_VALUE] is None and row["Modality"] == "MR":
        row[_B_VALUE] = _sorted([_vendors_b_value(each) for each in instances])
    for name, reader in RANGES.items():
        known = _sorted(distinct(views, _TAGS[name], reader.read)) or [None]
        row[f"{name}_min"], row[f"{name}_max"] = known[0], known[-1]
    syntaxes = sorted({each.syntax for each in instances if re.fullmatch(r"[0-9.]{1,64}", each.syntax or "") and each.syntax})
    row |= {
        "TransferSyntaxUID": "\\".join(syntaxes) or None,
        "transfer_syntax_name": "\\".join(_name(syntax) or "" for syntax in syntaxes) or None,
        "sop_class_name": _name(row["SOPClassUID"]),
        "n_instances": len(instances),
        "n_frames": sum(max(1, count(each.header, "NumberOfFrames") or 1) for each in instances),
        "series_size_MB": sum(each.file.stat().st_size for each in instances) / 1e6,
        "mixed": sorted(mixed),
    }
    return row | placement(views)


def of_instances(instances: Sequence[Instance]) -> list[Row]:
    """The columns of `instances` that its headers tell about the acquisition, a row each; null where an instance's frames differ."""
    each = [views_of([instance], _KEYWORDS) for instance in instances]
    rows: list[Row] = [{} for _ in instances]
    for name in OF_INSTANCES:
        read = remembering(_TAGS[name], _EACH[name].read)
        for row, views in zip(rows, each, strict=True):
            first, *others = [read(view) for view in views]
            row[name] = first if all(other == first for other in others) else None
    for row, views in zip(rows, each, strict=True):
        if row[_B_VALUE] is None and len(views) == 1 and word(views[0], "Modality") == "MR":
            row[_B_VALUE] = _vendors_b_value(views[0].instance)
    return rows


def outcome(volumes: Sequence[Mapping[str, Any]]) -> Row:
    """What became of a series, from its rows of `volumes`.

    Returns:
        `n_volumes`, `n_resampled` and `n_quarantined`, its parts by `status`, and `reason_codes`, sorted.
    """
    ends = [row["status"] for row in volumes]
    return {
        "n_volumes": ends.count("converted"),
        "n_resampled": ends.count("resampled"),
        "n_quarantined": ends.count("quarantined"),
        "reason_codes": sorted({row["reason_code"] for row in volumes if row["reason_code"]}),
    }


def _vendors_b_value(instance: Instance) -> float | None:
    """The b-value where vendors state it, in single-frame objects; None where it is no number of at least zero."""
    found = diffusion_b_value(instance.header) if hasattr(instance.header, "private") else None
    return found if found is not None and math.isfinite(found) and found >= 0 else None


def _sorted(found: Sequence[Any]) -> list[Any] | None:
    return sorted({each for each in found if each is not None}) or None


def _name(uid: str | None) -> str | None:
    """What PS3.6 calls a UID, or None."""
    known = UID(uid).name if uid else None
    return None if known in {None, uid} else known
