"""Findings as a structured report: TID 1500 Measurement Report of PS3.16, a measurement group a finding, never verified by us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues,
    GraphicTypeValues3D,
    ImageRegion,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from tasks.inference.manifest import Finding
from tasks.results import codes
from tasks.results.geometry import Slices
from tasks.results.occasion import MANUFACTURER, MODEL, Occasion, settle
from tasks.results.presentation import middle, name, outline, which
from tasks.results.reading import Said
from tasks.results.segmentation import segmented

Row = Mapping[str, Any]
Group = (
    MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations
)


@dataclass(frozen=True)
class Predecessor:
    """The report that this one replaces (PS3.3 C.17.2: Predecessor Documents Sequence)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str

    def dataset(self) -> Dataset:
        """As highdicom takes it."""
        made = Dataset()
        made.StudyInstanceUID, made.SeriesInstanceUID = self.study_instance_uid, self.series_instance_uid
        made.SOPClassUID, made.SOPInstanceUID = self.sop_class_uid, self.sop_instance_uid
        return made


def report(
    said: Said,
    boxes: Sequence[Row],
    slices: Slices | None,
    images: Sequence[Dataset],
    seg: Dataset | None,
    predecessor: Predecessor | None,
    occasion: Occasion,
) -> Dataset:
    """The report of a study.

    Args:
        said: the results.
        boxes: rows of `detections` that are to be told.
        slices: of the volume that was read; None where none was.
        images: headers of the images that the report is about: those of the volume, or of the study.
        seg: the segmentation that its segments are in.
        predecessor: what it replaces.
        occasion: names and times.
    """
    write = _Writer(said, images, slices, occasion)
    groups: list[Group] = []
    if not said.read:
        groups += [write.unread(row) for row in said.predictions]
    else:
        groups += [write.whole(row) for row in said.predictions if row["score"] is not None]
        groups += [write.box(row) for row in boxes]
        groups += [write.segment(row, seg) for row in said.segments]
    in_space = slices is not None and not slices.aligned and bool(boxes)
    observer = DeviceObserverIdentifyingAttributes(
        occasion.identity.device(), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL, serial_number=occasion.serial()
    )
    context = ObservationContext(observer_device_context=ObserverContext(standard.DCM.Device, observer))
    content = MeasurementReport(context, codes.procedure(str(images[0].get("Modality", ""))), groups)
    kind = Comprehensive3DSR if in_space else ComprehensiveSR
    made: Dataset = kind(
        evidence=[*images, *([seg] if seg is not None else [])], content=content[0], is_complete=True, is_final=False, is_verified=False,
        previous_versions=[predecessor.dataset()] if predecessor is not None else None, **occasion.naming("report", 0, images[0]),
    )  # fmt: skip
    settle(made, occasion, images[0])
    return made


class _Writer:
    """Writes measurement groups of one result."""

    def __init__(self, said: Said, images: Sequence[Dataset], slices: Slices | None, occasion: Occasion) -> None:
        self._said, self._images, self._slices, self._occasion = said, images, slices, occasion

    def whole(self, row: Row) -> Group:
        """TID 1501: the score of a finding in the whole volume, beside its operating point and its calibrated band."""
        finding = self._finding(row)
        evaluations = []
        if finding.operating_points:
            reached = row["score"] >= finding.operating_point.threshold
            evaluations.append(QualitativeEvaluation(codes.OUTCOME, codes.REACHED if reached else codes.BELOW))
        if finding.bands:
            band = [each for each in finding.bands if each.lowest <= row["score"]][-1]
            evaluations.append(QualitativeEvaluation(codes.BAND, codes.band(band)))
        return MeasurementsAndQualitativeEvaluations(
            **self._common(finding, self._track("finding", finding.finding)), source_images=self._sources(),
            measurements=[self._score(finding, row["score"])], qualitative_evaluations=evaluations or None,
        )  # fmt: skip

    def box(self, row: Row) -> Group:
        """TID 1410: a box, outlined in the image through its centre, with its edges there and its score."""
        finding, slices = self._finding(row), self._slices
        if slices is None:
            raise ValueError("a box without a volume")
        edges = sorted(row["extent_mm"][:2], reverse=True)
        measurements = [self._score(finding, row["score"])] + [
            Measurement(axis, _number(edge), codes.MILLIMETRE, method=codes.BOX_EDGE)
            for axis, edge in zip((codes.LONG_AXIS, codes.SHORT_AXIS), edges, strict=True)
        ]
        track = TrackingIdentifier(self._occasion.tracking("box", *which(row)), name(self._said, row))
        return PlanarROIMeasurementsAndQualitativeEvaluations(
            **self._common(finding, track), referenced_region=self._region(row, slices), measurements=measurements
        )

    def segment(self, row: Row, seg: Dataset | None) -> Group:
        """TID 1411: a segment with its volume; TID 1501 where no voxel is of it."""
        finding = self._finding(row)
        volume = Measurement(codes.VOLUME, _number(row["volume_ml"]), codes.MILLILITRE)
        common = self._common(finding, self._track("segment", finding.finding))
        number = segmented(self._said).get(finding.finding)
        if number is None or seg is None:
            return MeasurementsAndQualitativeEvaluations(**common, source_images=self._sources(), measurements=[volume])
        reference = ReferencedSegment(
            seg.SOPClassUID,
            seg.SOPInstanceUID,
            number,
            source_series=SourceSeriesForSegmentation(self._images[0].SeriesInstanceUID),
        )
        return VolumetricROIMeasurementsAndQualitativeEvaluations(
            **common, referenced_segment=reference, measurements=[volume]
        )  # fmt: skip

    def unread(self, row: Row) -> Group:
        """TID 1501: that a finding was not looked for, and why."""
        finding = self._finding(row)
        track = self._track("unread", finding.finding, str(row["SeriesInstanceUID"] or ""), str(row["volume_path"] or ""))
        why = QualitativeEvaluation(codes.NOT_READ, codes.reason(row["reason_code"]))
        return MeasurementsAndQualitativeEvaluations(**self._common(finding, track), qualitative_evaluations=[why])

    def _finding(self, row: Row) -> Finding:
        found = self._said.manifest.finding(row["finding"])
        if found is None:
            raise ValueError("a finding that the manifest does not name")
        return found

    def _common(self, finding: Finding, track: TrackingIdentifier) -> dict[str, Any]:
        said = self._said
        parameters = [f"weights_sha256={said.weights_sha256}", f"manifest_sha256={said.manifest_sha256}"]
        if finding.operating_points:
            point = finding.operating_point
            parameters.append(f"operating_point={point.name}, threshold={point.threshold:g}")
        return {
            "tracking_identifier": track,
            "finding_type": codes.concept(finding.code),
            "finding_sites": [FindingSite(codes.concept(finding.site))] if finding.site is not None else None,
            "algorithm_id": AlgorithmIdentification(said.manifest.name, said.manifest.version, parameters),
        }

    def _track(self, kind: str, finding: str, *more: str) -> TrackingIdentifier:
        return TrackingIdentifier(self._occasion.tracking(kind, finding, *more), f"{self._said.manifest.name} {finding}")

    def _score(self, finding: Finding, score: float) -> Measurement:
        if finding.score == "probability-like":
            return Measurement(codes.CERTAINTY, _number(100 * score), codes.PERCENT)
        return Measurement(codes.SCORE, _number(score), codes.NO_UNITS)

    def _sources(self) -> list[SourceImageForMeasurementGroup]:
        return [SourceImageForMeasurementGroup.from_source_image(image) for image in self._images]

    def _region(self, row: Row, slices: Slices) -> ImageRegion | ImageRegion3D:
        """The outline in the image through the box's centre; in the patient's space where the volume is on another grid."""
        corners = outline(row)
        k = middle(row)
        if not slices.aligned:
            # A voxel's outer corner is half a voxel before its middle.
            places = np.array([slices.place((i - 0.5, j - 0.5, k)) for i, j in corners])
            return ImageRegion3D(GraphicTypeValues3D.POLYGON, places, slices.images[0].FrameOfReferenceUID)
        image, frame = slices.images[k], [slices.frames[k]] if slices.frames is not None else None
        source = SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frame)
        return ImageRegion(GraphicTypeValues.POLYLINE, corners, source)


def _number(value: float) -> float:
    """A value as it is told: to six digits, which DS holds in any notation."""
    return float(f"{value:.6g}")
