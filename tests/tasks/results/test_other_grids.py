"""Volumes that are not a stack of single images: frames of an enhanced object, and grids that were resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from highdicom.sr import Comprehensive3DSR
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from tasks.errors import SafelightError
from tasks.pseudonyms import Pseudonyms
from tasks.results.checks import problems
from tasks.results.geometry import slices
from tasks.results.headers import cut
from tasks.results.identity import Identity
from tasks.results.objects import Made, make
from tasks.results.occasion import Occasion
from tasks.results.passport import passport
from tasks.results.policy import Sayable
from tasks.results.reading import Said
from tests.tasks.results import made
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import READ_AT, answered, frames_of, reread, result, settings


def enhanced() -> Dataset:
    """The header of an Enhanced CT with the study's slices as frames, stored from the top down."""
    whole, shared, frames = made.image(1), Dataset(), []
    whole.SOPClassUID, whole.NumberOfFrames = EnhancedCTImageStorage, made.SLICES
    whole.SOPInstanceUID = f"{made.STUDY}.5.1"
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, whole.SliceThickness
    orientation.ImageOrientationPatient = whole.ImageOrientationPatient
    rescale, window = Dataset(), Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = -1024, 1, "HU"
    window.WindowCenter, window.WindowWidth = 40, 400
    shared.PixelValueTransformationSequence, shared.FrameVOILUTSequence = [rescale], [window]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    for number in range(made.SLICES, 0, -1):
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = made.image(number).ImagePositionPatient
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], frames
    for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth"):
        del whole[keyword]
    for keyword in ("PixelData", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        del whole[keyword]
    return cut(whole)


def changed(said: Said, **volume: Any) -> Said:
    """The same answer about another volume."""
    assert said.volume is not None
    return Said(
        said.manifest, said.manifest_sha256, said.weights_sha256, said.predictions, said.detections, said.segments,
        dict(said.volume) | volume, said.labels,
    )  # fmt: skip


def objects_of(ward: Ward, said: Said, headers: dict[str, Dataset]) -> Made:
    identity = Identity(Pseudonyms(ward.vault.site_key()), made.STUDY, said.model, in_lake=False)
    occasion = Occasion(identity, settings(), said.digest, READ_AT, "1")
    return make(said, headers, Sayable(report=True, overlay=True), occasion, None)


def frames(said: Said) -> Said:
    return changed(said, source_instances=["2.25.5"] * made.SLICES, source_frames=list(range(made.SLICES, 0, -1)))


def test_a_segmentation_names_the_frame_of_each_slice(ward: Ward) -> None:
    headers = {"2.25.5": enhanced()}
    found = objects_of(ward, frames(result(ward, answered(ward, "segmentation"))), headers)
    seg = reread(found.objects["segmentation"])
    assert problems(seg, found.images) == []
    rebuilt = np.zeros((made.COLUMNS, made.ROWS, made.SLICES), np.uint8)
    for pixels, frame in zip(frames_of(seg), seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == f"{made.STUDY}.5.1"
        k = made.SLICES - int(source.ReferencedFrameNumber)
        rebuilt[:, :, k][pixels.T == 1] = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    np.testing.assert_array_equal(rebuilt, made.label_map())  # the nodule is segment 1, the lung segment 2
    source = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedFrameNumber = source.ReferencedFrameNumber % made.SLICES + 1
    assert "frame 0: is not where its source image is" in problems(seg, found.images)


def test_a_box_names_the_frame_that_it_is_drawn_on(ward: Ward) -> None:
    headers = {"2.25.5": enhanced()}
    found = objects_of(ward, frames(result(ward, answered(ward, "detection"))), headers)
    for name, one in found.objects.items():
        assert problems(reread(one), found.images) == [], name
    state = found.objects["presentation"]
    assert (state.RescaleIntercept, state.SoftcopyVOILUTSequence[0].WindowCenter) == (-1024, 40)
    drawn = [int(each.ReferencedImageSequence[0].ReferencedFrameNumber) for each in state.GraphicAnnotationSequence]
    assert drawn == [8, 7, 6]  # slices 2, 3 and 4 of ten, stored from the top down
    headers["2.25.5"].PerFrameFunctionalGroupsSequence[6].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]
    with pytest.raises(SafelightError, match="E-RETURN-GEOMETRY"):
        objects_of(ward, frames(result(ward, answered(ward, "detection", name="detection_model", version="1.0.1"))), headers)


def resampled(said: Said) -> Said:
    """The same voxels on a grid of half the slices' distance, as a volume that was made regular."""
    assert said.volume is not None
    affine = np.reshape(said.volume["affine"], (4, 4)).copy()
    affine[:3, 2] /= 2
    return changed(said, affine=affine.ravel().tolist(), resampled_from=0)


def test_a_box_of_a_resampled_volume_is_outlined_in_space(ward: Ward) -> None:
    headers = dict(passport(ward.vault, ward.key, "p"))
    said = resampled(result(ward, answered(ward, "detection")))
    found = objects_of(ward, said, headers)
    assert set(found.objects) == {"report"}  # there is no image to draw over
    report = reread(found.objects["report"])
    assert problems(report, found.images) == []
    (group,) = Comprehensive3DSR.from_dataset(report).content.get_planar_roi_measurement_groups()
    corners = np.asarray(group.roi.value)
    # The outer corner of voxel (5, 4) in slice 3: half a voxel before its middle, along row and column.
    expected = made.ORIGIN + made.ALONG_ROW * 4.5 * 2.5 + made.ALONG_COLUMN * 3.5 * 2.0 + [0, 0, 3 * 2.0]
    np.testing.assert_allclose(corners[0], expected, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(np.diff(corners, axis=0), axis=1)[:2], [15.0, 6.0], atol=1e-3)
    assert group.roi.frame_of_reference_uid == f"{made.STUDY}.99"


def test_a_segmentation_of_a_resampled_volume_lies_on_its_own_grid(ward: Ward) -> None:
    headers = dict(passport(ward.vault, ward.key, "p"))
    said = resampled(result(ward, answered(ward, "segmentation")))
    found = objects_of(ward, said, headers)
    seg = reread(found.objects["segmentation"])
    assert problems(seg, found.images) == []
    stack = slices(said.volume or {}, headers)
    places = sorted(
        {tuple(frame.PlanePositionSequence[0].ImagePositionPatient) for frame in seg.PerFrameFunctionalGroupsSequence}
    )
    np.testing.assert_allclose(sorted(place[2] for place in places), [105.0 + 2.0 * k for k in range(2, 8)], atol=1e-3)
    assert float(seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness) == pytest.approx(2.0)
    assert not stack.aligned


def test_a_projection_has_no_place(ward: Ward) -> None:
    said = result(ward, answered(ward, "detection"))
    with pytest.raises(SafelightError, match="E-RETURN-GEOMETRY"):
        objects_of(ward, changed(said, kind="2d", affine=None), dict(passport(ward.vault, ward.key, "p")))


def test_images_of_different_rescaling_have_a_presentation_state_each(ward: Ward) -> None:
    """PET: every slice has a slope of its own, and a presentation state holds but one."""
    manifest = made.model(ward.lake, "detection")
    made.read(ward, manifest, score=0.9, boxes=(made.box(), made.box(0.7, start=(2, 2, 6), stop=(4, 4, 9))))
    headers = dict(passport(ward.vault, ward.key, "p"))
    for number, header in enumerate(headers.values(), start=1):
        header.RescaleSlope = 0.5 + number
        del header.RescaleType
    found = objects_of(ward, result(ward, manifest), headers)
    states = [one for name, one in found.objects.items() if name.startswith("presentation")]
    assert len(states) == 2
    by_uid = {str(image.SOPInstanceUID): image for image in found.images}
    for state in states:
        assert problems(reread(state), found.images, []) == []
        (annotation,) = state.GraphicAnnotationSequence
        image = by_uid[str(annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID)]
        assert float(state.RescaleSlope) == float(image.RescaleSlope)
    drawn = sorted(state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID for state in states)
    assert drawn == [f"{made.STUDY}.1.4", f"{made.STUDY}.1.8"]  # slices 3 and 7
