"""What tells frames of one series apart besides where they are: image type, echo, b-value, kernel, time … by DICOM's keywords.

Numbers that differ by less than their tolerance are the same. Values that de-identification removed tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.dicom.headers import number, numbers, value, word
from tasks.volumes.frames import Frame
from tasks.volumes.kinds import CT, ENHANCED_CT
from tasks.volumes.mosaic import is_mosaic

Trait = Hashable


def diffusion_b_value(header: Any) -> float | None:
    """The b-value in s/mm², as the standard (0018,9087), Siemens, Philips or GE state it; GE adds a multiple of 10⁹ (or 10⁶)."""
    stated = number(header, "DiffusionBValue")
    if stated is not None:
        return stated
    siemens, philips = _private(header, _SIEMENS), _private(header, _PHILIPS)
    if siemens is not None or philips is not None:
        return siemens if siemens is not None else philips
    coded = _private(header, _GE)
    return None if coded is None else coded % 1e9 % 1e6


#: Vendors' private creators and elements (PS3.15 Table E.3.10-1 lists them as safe).
_SIEMENS, _PHILIPS, _GE = (
    (0x0019, "SIEMENS MR HEADER", 0x0C),
    (0x2001, "Philips Imaging DD 001", 0x03),
    (0x0043, "GEMS_PARM_01", 0x39),
)


def _private(header: Any, where: tuple[int, str, int]) -> float | None:
    group, creator, element = where
    found = header.private(group, creator, element)
    first = found[0] if isinstance(found, Sequence) and not isinstance(found, str) and found else found
    try:
        return None if first is None else float(first)
    except (TypeError, ValueError):
        return None


def _direction(header: Any) -> tuple[float, ...] | None:
    found = numbers(header, "DiffusionGradientOrientation")
    return None if found is None else tuple(round(part, 4) for part in found)


def _text(keyword: str) -> Callable[[Any], Trait]:
    return lambda header: word(header, keyword)


def _real(keyword: str) -> Callable[[Any], Trait]:
    return lambda header: number(header, keyword)


def _repetition(header: Any) -> float | None:
    """The acquisition of a mosaic: it counts the repetitions of a volume."""
    return number(header, "AcquisitionNumber") if is_mosaic(header) else None


def _rescale_type(header: Any) -> Trait:
    """CT without the element gives HU (PS3.3 Table C.8-3)."""
    return word(header, "RescaleType") or ("HU" if word(header, "SOPClassUID") in {CT} | ENHANCED_CT else None)


def _several(keyword: str) -> Callable[[Any], Trait]:
    """Words, whatever they are; for values that may be one or several."""
    return lambda header: str(value(header, keyword) or "") or None


@dataclass(frozen=True, slots=True)
class Rule:
    """How a trait is read, and what counts as the same: numbers within `absolute`, or within `relative` of their size.

    may_vary: some scanners state another value for each slice of a volume; then it tells nothing.
    """

    read: Callable[[Any], Trait]
    absolute: float = 0.0
    relative: float = 0.0
    may_vary: bool = False


#: What two frames of one volume never differ in.
ALWAYS: Mapping[str, Rule] = {
    "SOPClassUID": Rule(_text("SOPClassUID")),
    "ImageType": Rule(_text("ImageType")),
    "PhotometricInterpretation": Rule(_text("PhotometricInterpretation")),
    "SamplesPerPixel": Rule(_real("SamplesPerPixel")),
    "FrameOfReferenceUID": Rule(_text("FrameOfReferenceUID")),
    "ComplexImageComponent": Rule(_text("ComplexImageComponent")),
    "Units": Rule(_text("Units")),
    "RescaleType": Rule(_rescale_type),
    "ConvolutionKernel": Rule(_text("ConvolutionKernel")),
    "FilterType": Rule(_text("FilterType")),
    "EchoNumbers": Rule(_several("EchoNumbers")),
    "EchoTime": Rule(_real("EchoTime"), 0.02, 0.005, may_vary=True),
    "DiffusionBValue": Rule(diffusion_b_value, 1.0, 0.01, may_vary=True),
    "SliceThickness": Rule(_real("SliceThickness"), 0.01, 0.01, may_vary=True),
    "StackID": Rule(_text("StackID")),
}
#: What may run along a fourth axis, tried in this order where positions repeat.
AXES: Mapping[str, Rule] = {
    "TemporalPositionIdentifier": Rule(_real("TemporalPositionIdentifier")),
    "TemporalPositionTimeOffset": Rule(_real("TemporalPositionTimeOffset"), 1e-6),
    "NominalPercentageOfCardiacPhase": Rule(_real("NominalPercentageOfCardiacPhase"), 0.01),
    "NominalPercentageOfRespiratoryPhase": Rule(_real("NominalPercentageOfRespiratoryPhase"), 0.01),
    "TriggerTime": Rule(_real("TriggerTime"), 0.01),
    "FrameReferenceTime": Rule(_real("FrameReferenceTime"), 0.01),
    "InversionTime": Rule(_real("InversionTime"), 0.01),
    "FlipAngle": Rule(_real("FlipAngle"), 0.01),
    "DiffusionGradientOrientation": Rule(_direction),
    "AcquisitionNumber": Rule(_repetition),
}
#: What tells volumes apart where positions repeat, and makes no axis.
SPLITS: Mapping[str, Rule] = {
    "AcquisitionNumber": Rule(_real("AcquisitionNumber")),
    "KVP": Rule(_real("KVP"), 0.5),
    "ScanOptions": Rule(_text("ScanOptions")),
    "SequenceName": Rule(_text("SequenceName")),
    "RepetitionTime": Rule(_real("RepetitionTime"), 0.01),
    "ContrastBolusAgent": Rule(_text("ContrastBolusAgent")),
    "ReconstructionDiameter": Rule(_real("ReconstructionDiameter"), 0.01),
    "AcquisitionTime": Rule(_text("AcquisitionTime")),
}


def classes(frames: Sequence[Frame], rule: Rule) -> list[int]:
    """The class of each frame, from 0; numbers are told apart where a gap between neighbours exceeds the tolerance."""
    found = [rule.read(frame.header) for frame in frames]
    distinct = sorted({trait for trait in found if isinstance(trait, float)})
    label: dict[Trait, int] = {}
    group = 0
    for before, here in zip([None, *distinct], distinct, strict=False):
        if before is not None and here - before > max(rule.absolute, rule.relative * abs(before)):
            group += 1
        label[here] = group
    for other in sorted(
        {trait for trait in found if not isinstance(trait, float)}, key=lambda trait: (trait is not None, str(trait))
    ):
        label[other] = max(label.values(), default=-1) + 1
    return [label[trait] for trait in found]
