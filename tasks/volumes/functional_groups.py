"""What each frame of a multi-frame object says, from its functional groups (PS3.3 C.7.6.16), by the keywords that single-frame objects use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydicom import Dataset

from tasks.errors import SafelightError

#: Functional groups that are read, all of one item but the last; a frame's own come before the shared ones (C.7.6.16.1.1).
_GROUPS = (
    "FrameContentSequence", "PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "PixelValueTransformationSequence",
    "CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence", "XRay3DFrameTypeSequence", "CTAcquisitionTypeSequence",
    "CTAcquisitionDetailsSequence", "CTReconstructionSequence", "CTExposureSequence", "CTXRayDetailsSequence", "CTGeometrySequence",
    "CTPositionSequence", "MREchoSequence", "MRTimingAndRelatedParametersSequence", "MRDiffusionSequence", "MRModifierSequence",
    "MRImagingModifierSequence", "MRAveragesSequence", "MRVelocityEncodingSequence", "CardiacSynchronizationSequence",
    "RespiratorySynchronizationSequence", "TemporalPositionSequence", "PETFrameAcquisitionSequence", "PETReconstructionSequence",
    "PETFrameCorrectionFactorsSequence", "PlanePositionVolumeSequence", "PlaneOrientationVolumeSequence",
)  # fmt: skip
#: Sequences within these whose one item is read too.
_WITHIN = ("DiffusionGradientDirectionSequence", "RRIntervalTimeNominalSequence")
#: What enhanced objects call by another name.
_ALSO = {
    "EchoTime": "EffectiveEchoTime", "ImageType": "FrameType", "TemporalPositionIdentifier": "TemporalPositionIndex",
    "AcquisitionNumber": "FrameAcquisitionNumber", "TriggerTime": "NominalCardiacTriggerDelayTime", "InversionTime": "InversionTimes",
    "AcquisitionTime": "FrameAcquisitionDateTime", "FrameReferenceTime": "FrameReferenceDateTime",
}  # fmt: skip


class FrameHeader:
    """Reads like a data set of one frame: `get` and `in`, by keyword. Values of the frame come before shared ones, these before the object's."""

    def __init__(self, header: Dataset, own: Mapping[str, Any]) -> None:
        self._header, self._own = header, own
        self.file_meta = getattr(header, "file_meta", None)

    def get(self, keyword: str, default: Any = None) -> Any:
        """A value, or `default`."""
        for name in (keyword, _ALSO.get(keyword)):
            if name is not None and name in self._own:
                return self._own[name]
        return self._header.get(keyword, default)

    def private(self, group: int, creator: str, element: int) -> Any:
        """The value of a private element of the object, or None."""
        try:
            return self._header.private_block(group, creator)[element].value
        except KeyError:
            return None

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._own or _ALSO.get(keyword) in self._own or keyword in self._header

    def __getattr__(self, keyword: str) -> Any:
        if keyword.startswith("_"):
            raise AttributeError(keyword)
        return getattr(self._header, keyword)


def frame_headers(header: Dataset, n_frames: int) -> list[FrameHeader]:
    """One header a frame, in the order of the pixels.

    Raises:
        SafelightError: E-VOLUME-FRAMES where the frames that are described are not those that are counted.
    """
    shared = dict(_values(_first(header, "SharedFunctionalGroupsSequence")))
    each = header.get("PerFrameFunctionalGroupsSequence")
    if not each or len(each) != n_frames:
        raise SafelightError("E-VOLUME-FRAMES")
    return [FrameHeader(header, shared | dict(_values(item))) for item in each]


def _first(header: Dataset | None, keyword: str) -> Dataset | None:
    sequence = header.get(keyword) if header is not None else None
    return sequence[0] if sequence else None


def _values(item: Dataset | None) -> Iterator[tuple[str, Any]]:
    for group in _GROUPS:
        yield from _elements(_first(item, group))


def _elements(item: Dataset | None) -> Iterator[tuple[str, Any]]:
    for element in item or ():
        if element.VR != "SQ":
            yield element.keyword, element.value
        elif element.keyword in _WITHIN:
            yield from _elements(element.value[0] if element.value else None)
