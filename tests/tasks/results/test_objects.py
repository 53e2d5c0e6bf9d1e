"""What the objects say, read back by others: highdicom, pydicom, dciodvfy, dsrdump; and that nothing is drawn where its images are not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation
from highdicom.sr import ComprehensiveSR
from pydicom import config, dcmread
from pydicom.sr.coding import Code

from tasks.errors import SafelightError
from tasks.pseudonyms import Pseudonyms
from tasks.results.checks import problems
from tasks.results.copies import encoded, residue
from tasks.results.geometry import slices
from tasks.results.passport import passport
from tests.peers import programs
from tests.tasks.results import made
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered, frames_of, objects, reread, result

KINDS = ("classification", "detection", "segmentation")
EXPECTED = {
    "classification": {"report"},
    "detection": {"report", "presentation"},
    "segmentation": {"segmentation", "report"},
}
NODULE, LUNG = Code("427359005", "SCT", "Solitary nodule of lung"), Code("39607008", "SCT", "Lung")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_lake", [False, True])
def test_each_object_keeps_its_checks(ward: Ward, kind: str, in_lake: bool) -> None:
    found = objects(ward, result(ward, answered(ward, kind)), in_lake=in_lake)
    assert set(found.objects) == EXPECTED[kind]
    for one in found.objects.values():
        assert problems(reread(one), found.images, [other for other in found.objects.values() if other is not one]) == []


@pytest.mark.peer("dciodvfy")
@pytest.mark.parametrize("in_lake", [False, True])
def test_dciodvfy_finds_no_error(ward: Ward, tmp_path: Path, in_lake: bool) -> None:
    for kind in KINDS:
        for name, one in objects(ward, result(ward, answered(ward, kind)), in_lake=in_lake).objects.items():
            path = tmp_path / f"{kind}-{name}.dcm"
            path.write_bytes(encoded(one))
            said = subprocess.run([str(programs.find("dciodvfy")), str(path)], capture_output=True, text=True, check=False)
            assert "Error" not in said.stdout + said.stderr, f"{kind} {name}: {said.stderr}"


@pytest.mark.peer("dsrdump")
def test_dsrdump_reads_the_report(ward: Ward, tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(encoded(objects(ward, result(ward, answered(ward, "detection"))).objects["report"]))
    said = subprocess.run([str(programs.find("dsrdump")), "+Pl", str(path)], capture_output=True, check=True).stdout
    text = said.decode()
    assert "Rönnblom" in text
    for words in (
        "Imaging Measurement Report",
        "Solitary nodule of lung",
        "Certainty of Finding",
        '"90.0" (%,UCUM,"Percent")',
        "weights_sha256=",
    ):
        assert words in text, words


def test_the_report_of_a_detection_reads_back(ward: Ward) -> None:
    manifest = answered(ward, "detection")
    found = objects(ward, result(ward, manifest))
    report = ComprehensiveSR.from_dataset(reread(found.objects["report"])).content
    (group,) = report.get_planar_roi_measurement_groups()  # the box below the operating point is not told
    assert group.finding_type == NODULE
    assert [site.value for site in group.finding_sites] == [LUNG]
    said = {each.name.value: (each.value, each.unit.value) for each in group.get_measurements()}
    # 6 voxels of 2.5 mm and 3 of 2 mm.
    assert said == {"111012": (90.0, "%"), "103339001": (15.0, "mm"), "103340004": (6.0, "mm")}
    # Voxels 5 to 10 and 4 to 6: from the outer corner of the first to that of the last.
    assert group.roi.value.tolist() == [[5, 4], [11, 4], [11, 7], [5, 7], [5, 4]]
    middle = found.images[3]  # slices 2, 3 and 4
    (source,) = group.roi.ContentSequence
    assert source.referenced_sop_instance_uid == middle.SOPInstanceUID == f"{made.STUDY}.1.4"
    (whole,) = report.get_image_measurement_groups()
    assert [each.value for each in whole.get_measurements()] == [90.0]
    evaluations = {each.name.value: each.value.meaning for each in whole.get_qualitative_evaluations()}
    assert evaluations == {"OUTCOME": "At or above the operating point", "BAND": "high: 20 % to 40 %"}
    assert len(whole.source_images) == made.SLICES
    document = found.objects["report"]
    assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert document.ContentQualification == "RESEARCH"
    assert len(ComprehensiveSR.from_dataset(reread(document)).get_evidence()) == made.SLICES


def test_the_report_of_a_segmentation_names_its_segments(ward: Ward) -> None:
    found = objects(ward, result(ward, answered(ward, "segmentation")))
    report = ComprehensiveSR.from_dataset(reread(found.objects["report"])).content
    groups = report.get_volumetric_roi_measurement_groups()
    voxels = {NODULE: int((made.label_map() == 1).sum()), LUNG: int((made.label_map() == 2).sum())}
    assert {group.finding_type: group.get_measurements()[0].value for group in groups} == {
        code: pytest.approx(n * 20 / 1000) for code, n in voxels.items()  # a voxel of 2.5 × 2 × 4 mm
    }  # fmt: skip
    seg = found.objects["segmentation"]
    references = [group[0].ContentSequence for group in groups]
    named = {
        (str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID), int(item.ReferencedSOPSequence[0].ReferencedSegmentNumber))
        for content in references for item in content if item.name.value == "121191"
    }  # fmt: skip
    assert named == {(str(seg.SOPInstanceUID), 1), (str(seg.SOPInstanceUID), 2)}
    (empty,) = report.get_image_measurement_groups()  # no voxel is of it
    assert (empty.finding_type.value, empty.get_measurements()[0].value) == ("60046008", 0.0)


def test_a_segmentation_is_the_label_map_voxel_by_voxel(ward: Ward) -> None:
    found = objects(ward, result(ward, answered(ward, "segmentation")))
    seg = reread(found.objects["segmentation"])
    slice_of = {str(image.SOPInstanceUID): k for k, image in enumerate(found.images)}
    rebuilt = np.zeros((made.COLUMNS, made.ROWS, made.SLICES), np.uint8)
    value = {"Solitary nodule of lung": 1, "Lung": 2}
    label = {int(item.SegmentNumber): value[item.SegmentLabel] for item in seg.SegmentSequence}
    for pixels, frame in zip(frames_of(seg), seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        k = slice_of[str(source.ReferencedSOPInstanceUID)]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == found.images[k].ImagePositionPatient
        rebuilt[:, :, k][pixels.T == 1] = label[int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)]
    np.testing.assert_array_equal(rebuilt, made.label_map())


def test_highdicom_places_a_segmentation_where_the_volume_is(ward: Ward) -> None:
    said = result(ward, answered(ward, "segmentation"))
    seg = Segmentation.from_dataset(reread(objects(ward, said).objects["segmentation"]))
    volume = seg.get_volume(combine_segments=True)
    labels = said.labels
    assert labels is not None
    assert said.volume is not None
    affine_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.reshape(said.volume["affine"], (4, 4))
    # Each labelled voxel of highdicom's volume (slice, row, column), by its own affine, is a voxel of ours with the same label.
    where = np.argwhere(volume.array)
    places = volume.affine @ np.c_[where, np.ones(len(where))].T
    ours = np.rint(np.linalg.inv(affine_lps) @ places)[:3].astype(int)
    np.testing.assert_allclose(np.linalg.inv(affine_lps) @ places, np.vstack([ours, np.ones(len(where))]), atol=1e-3)
    np.testing.assert_array_equal(labels[tuple(ours)], volume.array[tuple(where.T)])
    assert len(where) == np.count_nonzero(labels)


def test_a_presentation_state_draws_where_the_box_is(ward: Ward) -> None:
    found = objects(ward, result(ward, answered(ward, "detection")))
    state = reread(found.objects["presentation"])
    drawn = {}
    for annotation in state.GraphicAnnotationSequence:
        (image,) = annotation.ReferencedImageSequence
        (graphic,), (text,) = annotation.GraphicObjectSequence, annotation.TextObjectSequence
        assert text.UnformattedTextValue == "Solitary nodule of lung 0.90"
        assert (graphic.GraphicType, graphic.GraphicAnnotationUnits, graphic.GraphicFilled) == ("POLYLINE", "PIXEL", "N")
        drawn[str(image.ReferencedSOPInstanceUID)] = np.reshape(graphic.GraphicData, (-1, 2))
    assert set(drawn) == {f"{made.STUDY}.1.{number}" for number in (3, 4, 5)}  # slices 2, 3 and 4
    for points in drawn.values():
        mask = np.zeros((made.ROWS, made.COLUMNS), bool)
        (left, top), (right, bottom) = points.min(0).astype(int), points.max(0).astype(int)
        mask[top:bottom, left:right] = True
        assert np.argwhere(mask).min(0).tolist() == [4, 5]
        assert np.argwhere(mask).max(0).tolist() == [6, 10]
    assert "PixelData" not in state
    assert [state.RescaleSlope, state.SoftcopyVOILUTSequence[0].WindowCenter] == [1, -600]


def test_the_same_result_is_the_same_bytes(ward: Ward) -> None:
    for kind in KINDS:
        said = result(ward, answered(ward, kind))
        for in_lake in (False, True):
            once, again = (objects(ward, said, in_lake=in_lake).objects for _ in range(2))
            assert {name: encoded(one) for name, one in once.items()} == {name: encoded(one) for name, one in again.items()}


def test_a_copy_is_the_object_pulled_back_and_nothing_of_the_hospital(ward: Ward) -> None:
    for kind in KINDS:
        said = result(ward, answered(ward, kind))
        originals, copies = objects(ward, said), objects(ward, said, in_lake=True)
        keys = Pseudonyms(ward.vault.site_key())
        for name, copy in copies.objects.items():
            original = originals.objects[name]
            assert copy.SOPInstanceUID == keys.uid(original.SOPInstanceUID)
            assert copy.SeriesInstanceUID == keys.uid(original.SeriesInstanceUID)
            assert copy.StudyInstanceUID == ward.key
            content = encoded(copy)
            assert residue(content, [*originals.images, original]) == []
            for secret in made.SECRETS:
                assert secret.encode() not in content, secret
            assert b"20260921" not in content  # the day of the reading
            assert residue(encoded(original), originals.images) != []  # the search finds what it searches for


def test_nothing_is_drawn_on_an_image_that_is_not_where_the_volume_has_it(ward: Ward) -> None:
    said = result(ward, answered(ward, "detection"))
    headers = dict(passport(ward.vault, ward.key, "p"))
    assert said.volume is not None
    slices(said.volume, headers)
    name = said.volume["source_instances"][4]
    for keyword, value in (
        ("ImagePositionPatient", [-30, -20, 105.4]), ("PixelSpacing", [2.5, 2.0]), ("Rows", 24),
        ("ImageOrientationPatient", [1, 0, 0, 0, 1, 0]),
    ):  # fmt: skip
        kept = headers[name][keyword].value
        setattr(headers[name], keyword, value)
        with pytest.raises(SafelightError, match="E-RETURN-GEOMETRY"):
            slices(said.volume, headers)
        setattr(headers[name], keyword, kept)
    slices(said.volume, headers)
    swapped = dict(said.volume) | {"source_instances": said.volume["source_instances"][::-1]}
    with pytest.raises(SafelightError, match="E-RETURN-GEOMETRY"):
        slices(swapped, headers)
    del headers[name]
    with pytest.raises(SafelightError, match="E-RETURN-SOURCES"):
        slices(said.volume, headers)


def test_a_label_map_of_another_grid_or_count_is_refused(ward: Ward) -> None:
    manifest = answered(ward, "segmentation")
    published = ward.lake.manifest(f"infer:{manifest.name}@{manifest.version}", ward.key)
    assert published is not None
    assert ward.lake.root is not None
    path = next(ward.lake.root / name for name in published.files if name.endswith(".nii.gz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SafelightError, match="E-RETURN-STALE"):
        result(ward, manifest)
    fewer = made.label_map()
    fewer[6, 5, 4] = 0
    import nibabel

    nibabel.save(nibabel.Nifti1Image(fewer, np.reshape(ward.volume["affine"], (4, 4))), path)
    _republish(ward, published, path)
    with pytest.raises(SafelightError, match="E-RETURN-GEOMETRY"):
        result(ward, manifest)


def _republish(ward: Ward, published: object, path: Path) -> None:
    from dataclasses import replace
    from hashlib import sha256

    root = ward.lake.root
    assert root is not None
    name = str(path.relative_to(root))
    files = {**published.files, name: sha256(path.read_bytes()).hexdigest()}  # type: ignore[attr-defined]
    changed = replace(published, files=files)  # type: ignore[type-var]
    place = root / "manifests" / published.stage.replace(":", "/") / f"{ward.key}.json"  # type: ignore[attr-defined]
    place.write_bytes(changed.to_json())  # type: ignore[attr-defined]


def test_a_passport_outlives_the_spool(ward: Ward, wards: Callable[[str], Ward]) -> None:
    import shutil

    said = result(ward, answered(ward, "detection"))
    before = {name: encoded(one) for name, one in objects(ward, said).objects.items()}
    shutil.rmtree(ward.vault.spool / ward.key)
    assert {name: encoded(one) for name, one in objects(ward, said).objects.items()} == before
    kept = ward.vault.root / "results" / ward.key / "passport.json.gz"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    kept.unlink()
    with pytest.raises(SafelightError, match="E-RETURN-SOURCES"):
        objects(ward, said)


def test_an_unread_study_says_why(ward: Ward) -> None:
    manifest = made.model(ward.lake, "detection")
    made.read(ward, manifest, reason="E-INFER-KERNEL")
    found = objects(ward, result(ward, manifest))
    assert set(found.objects) == {"report"}
    assert problems(reread(found.objects["report"]), found.images) == []
    (group,) = ComprehensiveSR.from_dataset(reread(found.objects["report"])).content.get_image_measurement_groups()
    (why,) = group.get_qualitative_evaluations()
    assert (why.name.value, why.value.value) == ("NOT_READ", "KERNEL")
    assert group.get_measurements() == []


def test_names_in_any_script_and_places_with_all_their_digits(ward: Ward) -> None:
    said = result(ward, answered(ward, "segmentation"))
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    for path in ward.originals():
        image = dcmread(path)
        image.SpecificCharacterSet, image.PatientName = ["", "ISO 2022 IR 87"], name
        with config.disable_value_validation():
            image.PatientSex, image.StudyTime = "X", "8:15"  # malformed, as archives have it
        image.ImagePositionPatient = [f"{float(value) + 0.0123456789012:.12f}"[:16] for value in image.ImagePositionPatient]
        image.save_as(path)
    found = objects(ward, said)
    for one in found.objects.values():
        again = reread(one)
        assert problems(again, found.images, list(found.objects.values())) == []
        assert (str(again.PatientName), again.PatientSex, again.StudyTime) == (name, "", "")
    positions = {
        tuple(frame.PlanePositionSequence[0].ImagePositionPatient)
        for frame in found.objects["segmentation"].PerFrameFunctionalGroupsSequence
    }
    assert positions == {tuple(image.ImagePositionPatient) for image in found.images[2:8]}
