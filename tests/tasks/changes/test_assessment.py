"""A candidate passes where everything that changed is allowed and every limit holds, and fails by name where anything does not."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.changes import verdict as verdicts
from tasks.changes.assessment import Assessment, assess, versions
from tasks.changes.modifications import FIXED, KINDS, Ran, _fields, compare, kind_of
from tasks.changes.tables import Tables, ran
from tasks.changes.verdict import Judged, Verdict
from tasks.errors import ConfigurationError
from tasks.evaluation.paired import paired_auc
from tasks.evaluation.results import Results
from tasks.inference import registry
from tasks.inference.bundle import Bundle, load
from tasks.lake import Lake
from tests.tasks.changes.made import N, change_plan, cohort, evaluation, put, readings, scores, two_versions, version
from tests.tasks.evaluation.cohorts import columns
from tests.tasks.inference.networks import segmenter

LIMITS = "modification_protocol__performance_evaluation__limits"
DATA = "modification_protocol__data_management__"
RAN = Ran(("01" * 32,), ("reference",), ("cpu",))
PASSED = Judged(about="data", metric="patients", value=1.0, bound=1.0, passed=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Bundle, Bundle]:
    return two_versions(tmp_path_factory.mktemp("world"))


def failed(made: Assessment) -> list[tuple[str, str, str, str]]:
    return [(each.about, each.metric, each.attribute, each.level) for each in made.verdict.limits if not each.passed]


def test_a_better_candidate_passes_and_its_numbers_are_the_evaluations(world: Any) -> None:
    made = assess(world[0], change_plan(), evaluation(), world[1], world[2])
    assert made.verdict.verdict == "pass"
    assert made.verdict.changes == ()
    found = columns(N)
    direct = paired_auc(scores(), scores(noise=0.8), found["label"], found["patient"].astype(str)).difference
    (compared,) = [each for each in made.verdict.limits if each.about == "non_inferiority"]
    assert (compared.value, compared.lower, compared.upper) == pytest.approx(
        (direct.estimate, direct.lower, direct.upper), rel=1e-12
    )
    assert made.running.overall().studies == made.results.overall().studies == N
    assert made.verdict.results_sha256 == sha256((made.results.model_dump_json(indent=1) + "\n").encode()).hexdigest()


def test_the_same_lake_gives_the_same_bytes(world: Any) -> None:
    one, other = (assess(world[0], change_plan(), evaluation(), world[1], world[2]).verdict.to_json() for _ in range(2))
    assert one == other
    assert Verdict.model_validate_json(one).to_json() == one


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (LIMITS, [{"metric": "auc", "at_least": 0.95}, {"metric": "auc", "margin": 0.05}], [("performance", "auc", "", "")]),
        (LIMITS, [{"metric": "specificity", "at_least": 0.99}, {"metric": "auc", "margin": 0.05}], [("performance", "specificity", "", "")]),
        (
            LIMITS,
            [{"metric": "auc", "margin": 0.05}, {"metric": "auc", "margin": 0.3, "attribute": "sex"}],
            [("non_inferiority", "auc", "sex", "O")],
        ),
        (
            LIMITS,
            [{"metric": "auc", "margin": 0.05}, {"metric": "ppv", "at_least": 0.1, "attribute": "sex", "levels": ["F", "O"]}],
            [("performance", "ppv", "sex", "O")],
        ),
        (DATA + "minimum_patients", 10_000, [("data", "patients", "", ""), ("data", "patients compared", "", "")]),
        (DATA + "minimum_patients_in", [{"attribute": "sex", "level": "M", "patients": 1000}], [("data", "patients", "sex", "M")]),
        (DATA + "reference_sha256", "ab" * 32, [("data", "reference standard", "", "")]),
    ],
)  # fmt: skip
def test_each_limit_fails_by_its_name(world: Any, field: str, value: Any, expected: list[tuple[str, str, str, str]]) -> None:
    made = assess(world[0], change_plan(**{field: value}), evaluation(), world[1], world[2])
    assert failed(made) == expected
    assert made.verdict.verdict == "fail"
    assert all(each.reason for each in made.verdict.limits if not each.passed)


def test_the_reference_standard_that_the_plan_names_passes(world: Any) -> None:
    said = assess(world[0], change_plan(), evaluation(), world[1], world[2]).results.provenance.reference_sha256
    made = assess(world[0], change_plan(**{DATA + "reference_sha256": said}), evaluation(), world[1], world[2])
    assert made.verdict.passed


def test_a_worse_candidate_fails_the_margin(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path, noise=(0.0, 1.5))
    made = assess(lake, change_plan(), evaluation(), old, new)
    assert failed(made) == [("non_inferiority", "auc", "", "")]


def test_a_candidate_that_says_the_same_passes_though_its_difference_has_no_variance(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path, noise=(0.0, 0.0))
    limits = [{"metric": "auc", "margin": 0.01}, {"metric": "auc", "margin": 0.01, "attribute": "sex"}]
    plan = change_plan(**{LIMITS: limits})
    made = assess(lake, plan, evaluation(), old, new)
    assert failed(made) == [("non_inferiority", "auc", "sex", "O")]  # nobody is there: the same as nothing
    assert [each.lower for each in made.verdict.limits if each.about == "non_inferiority"] == [0.0, 0.0, 0.0, None]
    studies = cohort()
    theirs = scores()
    theirs[:2] = theirs[1::-1]  # two cases change places: no longer alike, and now there is a variance
    put(lake, studies, readings(studies, old, scores()), readings(studies, new, theirs))
    (overall, *_) = [
        each for each in assess(lake, plan, evaluation(), old, new).verdict.limits if each.about == "non_inferiority"
    ]
    assert overall.lower != 0.0


def test_a_candidate_that_leaves_hard_cases_unread_fails(tmp_path: Path) -> None:
    """What it reads it reads better: only the cases that were lost tell."""
    lake, old, new = two_versions(tmp_path)
    studies, given = cohort(), scores()
    label = columns(N)["label"]
    hard = np.abs(given - label) > 0.7
    put(lake, studies, readings(studies, old, scores(noise=0.8)), readings(studies, new, np.where(hard, np.nan, given)))
    made = assess(lake, change_plan(), evaluation(), old, new)
    assert failed(made) == [("data", "share lost", "", "")]
    (lost,) = [each for each in made.verdict.limits if each.metric == "share lost"]
    assert lost.value == hard.sum() / N
    assert assess(lake, change_plan(**{DATA + "maximum_lost": 0.5}), evaluation(), old, new).verdict.passed


def test_levels_of_few_patients_are_not_estimable_and_fail(world: Any) -> None:
    limits = [{"metric": "auc", "margin": 0.05}, {"metric": "auc", "at_least": 0.1, "attribute": "sex", "levels": ["F"]}]
    made = assess(world[0], change_plan(**{LIMITS: limits}), evaluation(minimum_cases=80), world[1], world[2])
    (level,) = [each for each in made.verdict.limits if each.level == "F"]
    assert not level.passed
    assert level.reason.startswith("not estimable")
    assert level.value is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"intended_use": "Another one."}, "intended_use"),
        ({"synthetic_only": False}, "synthetic_only"),
        ({"accepted.slice_mm": [1.0, 20.0]}, "accepted.slice_mm"),
        ({"profile.mean": [0.1, 0.4]}, "profile.mean"),
        ({"input.window.center": -500.0}, "input.window.center"),
        ({"input.floor": -2000.0}, "input.floor"),
        ({"head.activation": "sigmoid"}, "head.activation"),
        ({"findings.0.code.value": "1"}, "findings.nodule.code.value"),
        ({"findings.0.operating_points.0.threshold": 0.5}, "findings.nodule.point.screening.threshold"),
        ({"findings.0.operating_points.1.threshold": 0.7}, "findings.nodule.point.specific.threshold"),
        ({"findings.0.operating_points.0.name": "other"}, "findings.nodule.order_of_points"),
        ({"input.dtype": "bfloat16"}, "input.dtype"),
        ({"weights.architecture.arguments.channels": 8.0, "weights.network_id": "x"}, "weights.network_id"),
    ],
)  # fmt: skip
def test_a_change_that_the_plan_does_not_allow_is_refused_by_its_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    found = compare(load("demo_nodule"), version(tmp_path / "new", "1.1.0", **changes), RAN, RAN, change_plan())
    refused = {each.field: each for each in found if not each.permitted}
    assert field in refused
    assert refused[field].reason
    assert verdicts.verdict_of(found, [PASSED]) == "fail"


def test_a_change_that_is_not_allowed_fails_a_candidate_that_is_better(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path, intended_use="Another one.")
    made = assess(lake, change_plan(), evaluation(), old, new)
    assert made.verdict.verdict == "fail"
    assert failed(made) == []  # nothing but the change itself


def test_a_change_within_its_bounds_is_permitted(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path, **{"findings.0.operating_points.0.threshold": 0.3, "training.seed": 2})
    made = assess(lake, change_plan(), evaluation(), old, new)
    assert [(each.field, each.permitted) for each in made.verdict.changes] == [
        ("findings.nodule.point.screening.threshold", True), ("training.seed", True),
    ]  # fmt: skip
    assert (made.verdict.running.threshold, made.verdict.candidate.threshold) == (0.2164, 0.3)
    assert made.verdict.passed


def test_readings_by_other_code_are_a_change_of_the_runtime(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path)
    studies = cohort()
    put(
        lake,
        studies,
        readings(studies, old, scores(noise=0.8)),
        readings(studies, new, scores(), code_sha256="02" * 32, variant="bf16"),
    )
    made = assess(lake, change_plan(), evaluation(), old, new)
    assert [(each.field, each.kind, each.permitted) for each in made.verdict.changes] == [
        ("code_sha256", "runtime", False), ("variant", "runtime", False),
    ]  # fmt: skip


def test_every_field_of_a_manifest_has_a_kind_and_the_fixed_ones_are_meant(world: Any) -> None:
    named = _fields(world[1], RAN)
    fixed = {name.split(".")[0] for name in named if kind_of(name) == FIXED}
    assert fixed == {"name", "version", "intended_use", "synthetic_only", "head", "findings"}
    assert {kind_of(name) for name in named} == {FIXED, *(kind for _, kind in KINDS)}
    assert kind_of("findings.nodule.bands") == "calibration"
    assert kind_of("weightsx") == FIXED


def test_a_plan_that_bounds_a_field_which_no_version_has_is_refused(world: Any) -> None:
    wrong = [{"kind": "operating_point", "description": "x", "bounds": {"findings.nodule.point.screning.threshold": [0, 1]}}]
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-PLAN.*screning"):
        assess(world[0], change_plan(description_of_modifications=wrong), evaluation(), world[1], world[2])


def test_a_finding_that_nobody_evaluated_fails_a_candidate_of_several(tmp_path: Path) -> None:
    more = [*(finding.model_dump(mode="json", exclude_none=True) for finding in load("demo_nodule").manifest.findings)]
    more.append(more[0] | {"finding": "effusion", "channel": 1})
    lake, old, new = two_versions(tmp_path, findings=more)
    loose = change_plan()
    made = assess(lake, loose, evaluation(), old, new)
    assert failed(made) == [("data", "findings not evaluated", "", "")]
    assert "effusion" in next(each.reason for each in made.verdict.limits if not each.passed)
    assert {each.field.split(".")[1] for each in made.verdict.changes} == {
        "effusion"
    }  # a new finding is no permitted change either
    named = change_plan(**{DATA + "not_evaluated": ["effusion"]})
    assert failed(assess(lake, named, evaluation(), old, new)) == []


def test_a_model_that_only_outlines_has_no_verdict(tmp_path: Path) -> None:
    model = load(segmenter(tmp_path / "m", "safetensors"))
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-READINGS.*gives no score"):
        ran(Tables.of(Lake.open(tmp_path / "lake")), model, "nodule")


def test_a_version_that_has_not_read_is_told_how(tmp_path: Path) -> None:
    lake, old, _ = two_versions(tmp_path)
    late = version(tmp_path / "late", "1.2.0")
    registry.register(lake, late)
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-READINGS.*safelight infer --model demo_nodule@1.2.0"):
        assess(lake, change_plan(), evaluation(), old, late)


@pytest.mark.parametrize("name", ["weights_sha256", "manifest_sha256", "preprocessing_sha256"])
def test_scores_that_something_else_made_are_refused(tmp_path: Path, name: str) -> None:
    lake, old, new = two_versions(tmp_path)
    studies = cohort()
    theirs = readings(studies, new, scores())
    theirs[7][name] = "09" * 32
    put(lake, studies, readings(studies, old, scores()), theirs)
    with pytest.raises(ConfigurationError, match=f"E-CHANGE-READINGS.*1 of {N} scores have another {name}"):
        assess(lake, change_plan(), evaluation(), old, new)


def test_versions_must_be_two_of_the_plans_model(world: Any) -> None:
    lake = world[0]
    old, new = versions(lake, change_plan(), None, "demo_nodule@1.1.0")
    assert (old.label, new.label) == ("demo_nodule@1.0.1", "demo_nodule@1.1.0")
    for running, candidate in (
        (None, "demo_nodule"),
        (None, "deepbet@1.0.0"),
        ("demo_nodule@1.1.0", "demo_nodule@1.1.0"),
        ("deepbet@1.0.0", "demo_nodule@1.1.0"),
    ):
        with pytest.raises(ConfigurationError, match="E-CHANGE-MODEL"):
            versions(lake, change_plan(), running, candidate)
    with pytest.raises(ConfigurationError, match="E-INFER-MODEL-MISSING"):
        versions(lake, change_plan(), None, "demo_nodule@7.0.0")


def test_verdicts_are_kept_in_their_order_and_never_changed(tmp_path: Path) -> None:
    lake, old, new = two_versions(tmp_path)
    strict = change_plan(**{DATA + "minimum_patients": 10_000})
    first = assess(lake, strict, evaluation(), old, new)
    folder = first.keep(lake)
    assert folder == f"models/demo_nodule/1.1.0/changes/0001_{strict.sha256[:12]}"
    assert first.keep(lake) == folder
    before = {path: lake.read(path) for path in lake.files(folder)}
    assert sha256(before[f"{folder}/results.json"]).hexdigest() == first.verdict.results_sha256
    assert sha256(before[f"{folder}/running.json"]).hexdigest() == first.verdict.running_results_sha256
    Results.model_validate_json(before[f"{folder}/results.json"])
    second = assess(lake, change_plan(), evaluation(), old, new)
    assert second.keep(lake) != folder
    assert first.keep(lake).endswith(f"0003_{strict.sha256[:12]}")  # said again after another one, it is the last word again
    assert {path: lake.read(path) for path in lake.files(folder)} == before
    assert [each.verdict for each in verdicts.verdicts(lake, "demo_nodule", "1.1.0")] == ["fail", "pass", "fail"]
    assert registry.verify(lake, "demo_nodule", "1.1.0").label == "demo_nodule@1.1.0"


def test_a_verdict_that_does_not_follow_is_none(world: Any) -> None:
    made = assess(world[0], change_plan(**{DATA + "minimum_patients": 10_000}), evaluation(), world[1], world[2]).verdict
    said = made.model_dump(mode="json")
    for changes in ({"verdict": "pass"}, {"limits": []}, {"plan": change_plan().model_dump(mode="json")}):
        with pytest.raises(ValueError, match=r"verdict does not follow|plan_sha256"):
            Verdict.model_validate(said | {"verdict": "pass"} | changes)
    assert verdicts.verdict_of((), ()) == "fail"
