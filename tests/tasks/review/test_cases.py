"""What is said of each study, beside the reference; and that nothing is shown of what the model did not see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.errors import ConfigurationError, SafelightError
from tasks.inference.bundle import Bundle
from tasks.inference.manifest import Detection
from tasks.lake import Lake
from tasks.review import index, reference, sights
from tasks.review.cases import Case, collect
from tasks.review.command import chosen
from tasks.review.counts import count
from tasks.review.measures import checks, contradiction, statistics
from tests.tasks.review import made

SMALL = (8, 7, 6)
BOX: made.Box = ((1, 2, 1), (4, 5, 4))


def small(n: int = 0, **change: object) -> dict[str, object]:
    return made.volume(n, **{"voxels": made.chest(SMALL, n)} | change)


def only(lake: Lake, model: Bundle) -> Case:
    (case,) = collect(lake, model)
    return case


def test_every_study_is_counted_once_in_each_line(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path, findings=[made.finding("nodule", 0), made.finding("effusion", 1)])
    scores = [0.9, 0.4, 0.39, 0.0]  # the operating point is 0.4: that score counts
    for n, score in enumerate(scores):
        made.say(lake, model, made.publish(lake, n + 1, small(n)), {"nodule": score, "effusion": 0.1})
    made.say(lake, model, made.publish(lake, 5, small(5, KVP=200.0)), {}, reasons=["E-INFER-KVP"])
    made.publish(lake, 6)
    made.say(lake, model, [], {}, study=6)
    labels = {
        ("2.25.1", "nodule"): 1,
        ("2.25.2", "nodule"): 0,
        ("2.25.3", "nodule"): 1,
        ("2.25.5", "nodule"): 1,
        ("2.25.4", "effusion"): 0,
    }
    cases = collect(lake, model, labels)
    assert [case.is_current for case in cases] == [True] * 6
    assert [case.is_positive for case in cases] == [True, True, False, False, False, False]
    assert [case.readings[0].outcome for case in cases] == ["true_positive", "false_positive", "false_negative", "", "", ""]
    told = count(cases, model.manifest, with_reference=True)
    assert (told.studies, told.read, told.not_read, dict(told.reasons)) == (6, 4, 2, {"E-INFER-KVP": 1, "E-INFER-NO-VOLUME": 1})
    nodule = dict(zip(told.columns, told.findings[0].numbers, strict=True))
    assert nodule == {
        "true positive": 1, "false positive": 1, "false negative": 1, "true negative": 0, "read, no label": 1, "not read, present": 1,
        "not read, absent": 0, "not read, no label": 1,
    }  # fmt: skip
    assert [sum(line.numbers) for line in told.findings] == [6, 6]
    assert [sum(line.numbers) for line in count(cases, model.manifest, with_reference=False).findings] == [6, 6]
    shown = index.in_order(cases, with_reference=True)
    assert [case.study[5:] for case in shown] == ["3", "2", "1", "4", "5", "6"]
    assert [case.study[5:] for case in chosen(cases, "disagreement", None, with_reference=True)] == ["3", "2"]
    assert [case.study[5:] for case in chosen(cases, "positive", 1, with_reference=False)] == ["1"]
    assert [case.study[5:] for case in chosen(cases, "not_read", None, with_reference=False)] == ["5", "6"]
    assert len(chosen(cases, "read", None, with_reference=False)) == 4


def test_of_several_volumes_the_one_that_came_furthest_is_shown(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    rows = made.publish(lake, 1, small(0, Modality="MR"), small(1), small(2))
    made.say(lake, model, rows, {}, reasons=["E-INFER-MODALITY", "E-INFER-INPUT", "E-INFER-OTHER-SERIES"], input_mean=0.9)
    case = only(lake, model)
    assert (case.reason_code, case.row["volume_path"]) == ("E-INFER-INPUT", rows[1]["path"])
    assert [(path, code) for _, path, code in case.others] == [
        (rows[0]["path"], "E-INFER-MODALITY"), (rows[2]["path"], "E-INFER-OTHER-SERIES"),
    ]  # fmt: skip


def test_gates_stand_in_order_with_what_was_measured(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    made.say(lake, model, made.publish(lake, 1, small(KVP=200.0)), {}, reasons=["E-INFER-KVP"])
    found = {check.code: check for check in checks(only(lake, model), model.manifest)}
    assert (found["E-INFER-KVP"].measured, found["E-INFER-KVP"].accepted, found["E-INFER-KVP"].state) == (
        "200",
        "80 to 140",
        "failed",
    )
    assert (found["E-INFER-SPACING"].measured, found["E-INFER-SPACING"].accepted) == ("2.5", "0.5 to 10")
    assert (found["E-INFER-MODALITY"].measured, found["E-INFER-MODALITY"].state) == ("CT", "passed")
    assert found["E-INFER-KERNEL"].state == "not asked"
    assert [found[code].state for code in ("E-INFER-GEOMETRY", "E-INFER-INPUT")] == ["not reached", "not reached"]
    assert contradiction(only(lake, model), tuple(found.values())) == ""
    made.say(lake, model, made.publish(lake, 1, small(KVP=200.0)), {"nodule": 0.5})
    assert contradiction(only(lake, model), checks(only(lake, model), model.manifest)) == "E-INFER-KVP"


def test_the_input_stands_beside_its_ranges(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    made.say(
        lake,
        model,
        made.publish(lake, 1, small()),
        {},
        reasons=["E-INFER-INPUT"],
        input_mean=0.4000001,
        input_std=0.5001,
        input_p50=None,
    )
    case = only(lake, model)
    told = {each.column: (each.value, each.limits, each.is_inside) for each in statistics(case, model.manifest.profile)}
    assert told["input_mean"] == (0.4000001, (0.1, 0.4), True)  # as the gate takes it
    assert told["input_std"] == (0.5001, (0.1, 0.5), False)
    assert told["input_p50"] == (None, (0.0, 0.5), None)
    assert told["input_p99"] == (0.9, None, None)
    last = checks(case, model.manifest)[-1]
    assert (last.state, last.measured) == ("failed", "outside: standard deviation")


def test_a_volume_that_has_changed_since_is_not_shown(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    made.say(lake, model, made.publish(lake, 1, small()), {"nodule": 0.5})
    assert only(lake, model).is_current
    sights.of(lake, only(lake, model), model.manifest)
    made.publish(lake, 1, small(voxels=made.chest(SMALL, 9)))
    case = only(lake, model)
    assert not case.is_current
    with pytest.raises(SafelightError, match="E-REVIEW-STALE"):
        sights.of(lake, case, model.manifest)


def test_a_file_with_other_bytes_is_not_shown(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    (row,) = made.publish(lake, 1, small())
    made.say(lake, model, [row], {"nodule": 0.5})
    made.publish(lake, 2, small(3))
    assert lake.root is not None
    other = next(path for path in lake.files("volumes") if "2.25.2/" in path)
    (lake.root / row["path"]).write_bytes(lake.read(other))
    with pytest.raises(SafelightError, match="E-INFER-STALE"):
        sights.of(lake, only(lake, model), model.manifest)


def test_a_label_map_of_other_voxels_is_refused(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path, "segmentation")
    labels = made.with_block(np.zeros(SMALL, np.uint8), BOX, 1)
    (row,) = made.publish(lake, 1, small())
    for wrong in (labels[:, :, :5], labels.swapaxes(0, 1)):
        made.say(lake, model, [row], {}, labels=wrong)
        with pytest.raises(SafelightError, match="E-REVIEW-LABELS"):
            sights.of(lake, only(lake, model), model.manifest)
    made.say(lake, model, [row | {"affine": list(made.affine(signs=(1, -1, 1)).ravel())}], {}, labels=labels)
    with pytest.raises(SafelightError, match="E-REVIEW-LABELS"):
        sights.of(lake, only(lake, model), model.manifest)
    made.say(lake, model, [row], {}, labels=labels)
    assert len(sights.of(lake, only(lake, model), model.manifest).sights) == 1


def test_a_box_beyond_the_volume_is_refused(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path, "detection")
    made.say(lake, model, made.publish(lake, 1, small()), {"nodule": 0.9}, boxes={"nodule": [(((0, 0, 0), (9, 2, 2)), 0.9)]})
    with pytest.raises(SafelightError, match="E-REVIEW-PLACE"):
        sights.of(lake, only(lake, model), model.manifest)


def test_the_boxes_with_the_highest_scores_are_pictured(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path, "detection")
    boxes = [(((0, 0, k % 6), (2, 2, k % 6 + 1)), 0.9 - k / 20) for k in range(9)]
    made.say(lake, model, made.publish(lake, 1, small()), {"nodule": 0.9}, boxes={"nodule": boxes})
    assert isinstance(model.manifest.head, Detection)
    found = sights.of(lake, only(lake, model), model.manifest)
    assert [sight.title for sight in found.sights] == [f"nodule {n + 1}, score {0.9 - n / 20:.4g}" for n in range(6)]
    assert found.left_out.startswith("3 more boxes")
    first = found.sights[0].pictures[0]
    assert [(mark.text, mark.is_main) for mark in first.marks] == [("nodule 1", True), ("nodule 7", False)]


def test_the_plane_of_a_structure_is_its_largest(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path, "segmentation")
    labels = made.with_block(np.zeros(SMALL, np.uint8), ((1, 1, 1), (3, 3, 5)), 1)
    labels[1:6, 1:6, 3] = 1  # the largest axial one; of the others those through the small block
    made.say(lake, model, made.publish(lake, 1, small()), {}, labels=labels)
    (sight,) = sights.of(lake, only(lake, model), model.manifest).sights
    for picture, axis in zip(sight.pictures, (2, 1, 0), strict=True):
        areas = np.count_nonzero(labels, axis=tuple({0, 1, 2} - {axis}))
        assert (picture.plane.axis, areas[picture.plane.index]) == (axis, areas.max())


def test_a_version_that_read_nothing_and_another_manifest_are_told(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    with pytest.raises(ConfigurationError, match=r"E-REVIEW-EMPTY.*nothing of this model"):
        collect(lake, model)
    made.say(lake, model, made.publish(lake, 1, small()), {"nodule": 0.5})
    newer = made.bundle(tmp_path / "newer", version="1.1.0")
    with pytest.raises(ConfigurationError, match=r"E-REVIEW-EMPTY.*tiny_classification@1.0.0"):
        collect(lake, newer)
    other = made.bundle(tmp_path / "other", intended_use="Something else.")
    with pytest.raises(ConfigurationError, match="E-REVIEW-MANIFEST"):
        collect(lake, other)


@pytest.mark.parametrize("wrong", ["2", "yes", "", "0.5", "-1"])
def test_a_reference_has_labels_of_0_and_1(wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "reference.csv"
    file.write_text(f"StudyInstanceUID,finding,label\n2.25.1,nodule,1.0\n2.25.2,nodule,{wrong}\n", "utf-8")
    with pytest.raises(ConfigurationError, match="E-REVIEW-REFERENCE"):
        reference.read(file)
    file.write_text("StudyInstanceUID,finding,label,name\n2.25.1,nodule,1.0,x\n2.25.2,nodule,0,y\n", "utf-8")
    assert reference.read(file) == {("2.25.1", "nodule"): 1, ("2.25.2", "nodule"): 0}


@pytest.mark.parametrize(
    "text",
    ["StudyInstanceUID,label\n2.25.1,1\n", "StudyInstanceUID,finding,label\n12345,nodule,1\n",
     "StudyInstanceUID,finding,label\n2.25.1,nodule,1\n2.25.1,nodule,0\n"],
)  # fmt: skip
def test_a_reference_has_its_columns_the_lakes_keys_and_one_label_each(text: str, tmp_path: Path) -> None:
    file = tmp_path / "reference.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="E-REVIEW-REFERENCE") as told:
        reference.read(file)
    assert "12345" not in str(told.value)
