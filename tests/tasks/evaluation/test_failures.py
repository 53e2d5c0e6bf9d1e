"""The studies that were read most wrongly: which, in which order, and with an image of just what the model read."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.contract import Contract
from data_contracts.deid_audit import CONTRACT as AUDIT
from data_contracts.deid_evidence import CONTRACT as EVIDENCE
from data_contracts.reference import CONTRACT as REFERENCE
from tasks.evaluation.analysis import analyse
from tasks.evaluation.of_cases import FailedCase
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import Results
from tasks.evaluation.stage import evaluate_lake
from tasks.lake import Lake
from tests.tasks.evaluation.cohorts import changed, columns, plan, tables
from tests.tasks.review import made
from tests.tasks.review.conftest import _no_waiting_for_the_disk  # noqa: F401 - a fixture

BOX = ((4, 6, 3), (10, 12, 7))


def by_hand(kind: str, n: int, cut: float) -> list[tuple[str, float]]:
    """Keys and scores in the order of the list, in plain Python."""
    found = columns()
    wrong = [
        (str(key), float(score)) for key, score, label in zip(found["study"], found["score"], found["label"], strict=True)
        if (kind == "false_negative" and label and score < cut) or (kind == "false_positive" and not label and score >= cut)
    ]  # fmt: skip
    return sorted(wrong, key=lambda each: (-abs(each[1] - cut), each[0]))[:n]


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_the_most_extreme_come_first_of_each_kind(n: int) -> None:
    asked = plan(failures={"cases": n})
    results = analyse(*tables(), asked)
    for kind, whole in (("false_negative", results.overall().counts.fn), ("false_positive", results.overall().counts.fp)):
        rows = [row for row in results.failures if row.kind == kind]
        assert [(row.study, row.score) for row in rows] == by_hand(kind, n, float(asked.threshold))
        assert [row.distance for row in rows] == [abs(row.score - float(asked.threshold)) for row in rows]
        assert len(rows) == min(n, whole)


def test_what_the_plan_counts_as_an_error_was_not_read_wrongly() -> None:
    predictions, reference, cohort = tables()
    predictions = changed(predictions, "score", {0: None, 1: None}, pa.float64())
    reference = changed(reference, "label", {2: None, 3: None}, pa.float64())
    results = analyse(predictions, reference, cohort, plan(failures={"cases": 1000}, failed="error", indeterminate="error"))
    keys = {row.study for row in results.failures}
    assert not keys & {str(columns()["study"][number]) for number in range(4)}
    assert results.overall().studies == 300


def test_none_is_listed_by_default_or_where_all_cases_are_withheld() -> None:
    assert analyse(*tables(), plan()).failures == ()
    assert analyse(*tables(4), plan(failures={}, minimum_cases=50)).failures == ()
    assert {row.no_image for row in analyse(*tables(), plan(failures={"images": False})).failures} == {"the plan asks for none"}


# ---- images -----------------------------------------------------------------------------------------------------------------


def put(lake: Lake, contract: Contract, rows: list[dict[str, Any]], name: str = "all") -> None:
    names = [column.name for column in contract.columns]
    with lake.publication("test", f"{contract.name}-{name}", "") as publication:
        publication.write_table(contract, [{each: row.get(each) for each in names} for row in rows], part=name)
        publication.commit()


def audited(study: str, profile: str) -> dict[str, Any]:
    return {
        "StudyInstanceUID": study, "PatientID": made.PATIENT, "profile": profile, "edition": "2026d", "tag": "(0010,0010)",
        "keyword": "PatientName", "rule": "x", "action": "empty", "n": 1,
    }  # fmt: skip


def looked(study: str, series: str, source: str = "face") -> dict[str, Any]:
    return {
        "StudyInstanceUID": study, "PatientID": made.PATIENT, "SeriesInstanceUID": series, "Modality": "CT", "source": source, "view": "volume",
        "looks": 1, "frames": 30, "boxes": 0,
    }  # fmt: skip


KEYS = {"PatientID": made.PATIENT, "finding": "nodule", "site": "Site 1", "age_band": "45-64"}
PLAN: dict[str, Any] = {
    "model": "tiny_detection", "threshold": 0.5, "minimum_cases": 1, "subgroups": [], "failures": {"cases": 5}, "name": "failures",
}  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Four studies of a detector: a false positive with a box, a false negative, and two right ones."""
    lake, model = Lake.open(tmp_path / "lake"), made.bundle(tmp_path / "model", "detection")
    for number, (score, boxes) in enumerate([(0.9, {"nodule": [(BOX, 0.9)]}), (0.1, {}), (0.8, {}), (0.2, {})], start=1):
        rows = made.publish(lake, number, made.volume(number, voxels=made.with_block(made.chest(seed=number), BOX)))
        made.say(lake, model, rows, {"nodule": score}, boxes=boxes)
    labels = {1: 0, 2: 1, 3: 1, 4: 0}
    put(lake, REFERENCE, [KEYS | {"StudyInstanceUID": f"2.25.{n}", "label": label} for n, label in labels.items()])
    put(lake, COHORT, [KEYS | {"StudyInstanceUID": f"2.25.{n}"} for n in labels])
    put(lake, AUDIT, [audited(f"2.25.{n}", "safe_harbor") for n in labels])
    return lake


def evaluated(lake: Lake, asked: Plan | None = None) -> dict[str, FailedCase]:
    evaluate_lake(lake, asked or plan(**PLAN))
    results = Results.model_validate_json(lake.read("results/results.json"))
    return {row.kind: row for row in results.failures}


def shown(lake: Lake, row: FailedCase) -> np.ndarray:
    with Image.open(BytesIO(lake.read(row.image))) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image).astype(int)


def canonical(lake: Lake, number: int, k: int) -> np.ndarray:
    """The axial slice through voxel k of the file, as radiologists see it, by nibabel: rows to posterior, columns to the patient's left."""
    path = next(path for path in lake.files("volumes") if f"/2.25.{number}/" in path)
    assert lake.root is not None
    image = nibabel.load(lake.root / path)
    turned = nibabel.as_closest_canonical(image)
    place = k if nibabel.aff2axcodes(image.affine)[2] == "S" else image.shape[2] - 1 - k
    return np.asarray(turned.dataobj)[::-1, ::-1, place].T


def test_the_image_is_the_slice_through_the_box_and_the_middle_one_elsewhere(lake: Lake) -> None:
    rows = evaluated(lake)
    for kind, number, k in (("false_positive", 1, 4), ("false_negative", 2, 15)):
        pixels, wanted = shown(lake, rows[kind]), canonical(lake, number, k)
        assert rows[kind].image == f"results/failures/2.25.{number}.png"
        assert f"number {k + 1} of 30" in rows[kind].alternative
        small = np.asarray(Image.fromarray(pixels.astype(np.uint8)).resize(wanted.shape[::-1], Image.Resampling.BOX)).astype(int)
        bright = wanted > 0
        assert bright.any() == (kind == "false_positive")
        if bright.any():
            assert (small[bright] > 230).mean() > 0.6
            assert small[~bright].mean() < 140 < small[bright].mean()
    assert max(shown(lake, rows["false_positive"]).shape) == 384


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_the_patients_right_is_on_the_left_however_the_file_lies(lake: Lake, tmp_path: Path, order: Any, signs: Any) -> None:
    affine = made.affine(order, signs, (1.0, 1.0, 1.0))
    model = made.bundle(tmp_path / "model", "detection")
    rows = made.publish(lake, 1, made.volume(1, voxels=made.with_block(made.chest((30, 30, 30)), BOX), affine=affine))
    made.say(lake, model, rows, {"nodule": 0.9}, boxes={"nodule": [(BOX, 0.9)]})
    pixels = shown(lake, evaluated(lake)["false_positive"])
    y, x = (np.mean(each) / 384 for each in np.nonzero(pixels > 200))
    centre = affine @ [*((np.array(BOX[0]) + BOX[1] - 1) / 2), 1]
    middle = affine @ [14.5, 14.5, 14.5, 1]
    assert (x > 0.5) == (centre[0] < middle[0])  # towards the patient's left on the viewer's right
    assert (y > 0.5) == (centre[1] < middle[1])  # posterior below


def test_the_same_volume_gives_the_same_bytes_and_a_changed_one_another_fingerprint(lake: Lake) -> None:
    first = lake.read(evaluated(lake)["false_positive"].image)
    assert evaluate_lake(lake, plan(**PLAN)) is None
    evaluated(lake, plan(**{**PLAN, "failures": {"cases": 4}}))
    assert lake.read("results/failures/2.25.1.png") == first
    evaluated(lake, plan(**{**PLAN, "failures": {"cases": 4, "images": False}}))
    assert lake.files("results/failures") == []


def test_a_volume_that_is_not_the_published_one_is_not_shown(lake: Lake) -> None:
    assert lake.root is not None
    path = next(path for path in lake.files("volumes") if "/2.25.1/" in path)
    other = nibabel.Nifti1Image(made.chest(seed=9), made.affine())
    (lake.root / path).write_bytes(gzip.compress(other.to_bytes(), 1, mtime=0))
    row = evaluated(lake)["false_positive"]
    assert (row.image, row.no_image.partition(":")[0]) == ("", "E-INFER-STALE")


def test_no_image_where_a_face_may_be_in_it(lake: Lake) -> None:
    for place, profile in (("all", "a_sites_own"), ("all", "safe_harbor_of_theirs")):
        put(lake, AUDIT, [audited(f"2.25.{n}", profile) for n in (1, 2, 3, 4)], place)
        row = evaluated(lake)["false_positive"]
        assert (row.image, row.no_image) == ("", "the de-identification profile keeps faces, or is not known not to")
    assert lake.files("results/failures") == []


def test_a_profile_that_looked_for_a_face_anywhere_does_not_keep_them(lake: Lake) -> None:
    put(lake, AUDIT, [audited(f"2.25.{n}", "a_sites_own") for n in (1, 2, 3, 4)])
    put(lake, EVIDENCE, [looked("2.25.4", "2.25.1004")])
    assert evaluated(lake)["false_positive"].image
    put(lake, EVIDENCE, [looked("2.25.4", "2.25.1004", "text")])
    assert not evaluated(lake)["false_positive"].image


def test_a_lake_that_does_not_say_how_it_was_deidentified_has_no_image(lake: Lake) -> None:
    put(lake, AUDIT, [audited("2.25.9", "safe_harbor")])
    row = evaluated(lake)["false_positive"]
    assert (row.image, row.no_image) == ("", "the lake does not say how the study was de-identified: it may show a face")
