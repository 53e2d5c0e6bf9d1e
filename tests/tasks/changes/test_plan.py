"""A change plan says all of its parts, reaches nobody, and is refused with the field that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.changes.limits import fit
from tasks.changes.plan import evaluation_plan_of, load_change_plan
from tasks.errors import ConfigurationError
from tasks.evaluation.plan import load_plan
from tests.tasks.changes.made import change_plan, evaluation

LIMITS = "modification_protocol__performance_evaluation__limits"
MARGIN = {"metric": "auc", "margin": 0.1}


def test_the_shipped_example_fits_its_evaluation_plan() -> None:
    plan = load_change_plan("demo")
    fit(plan, load_plan(evaluation_plan_of(plan, "demo")))


def test_the_hash_is_of_what_the_plan_says(tmp_path: Path) -> None:
    said = change_plan()
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(said.model_dump(mode="json")), "utf-8")
    (tmp_path / "two.yaml").write_text(
        "# a comment\n" + yaml.safe_dump(said.model_dump(mode="json", exclude_defaults=True)), "utf-8"
    )
    assert load_change_plan(tmp_path / "one.yaml").sha256 == load_change_plan(tmp_path / "two.yaml").sha256 == said.sha256
    assert change_plan(title="Another").sha256 != said.sha256


@pytest.mark.parametrize(
    "words", ["jane.doe@example.org", "call 0301 234567 at night", "+1 (301) 555-0199", "since 2024-03-01", "from 1.3.2024 on"]
)
@pytest.mark.parametrize(
    "field", ["title", "modification_protocol__retraining", "modification_protocol__update_procedures__description"]
)
def test_nobody_can_be_reached_by_a_plan(tmp_path: Path, words: str, field: str) -> None:
    with pytest.raises(ValueError, match="name roles and years") as caught:
        change_plan(**{field: words})
    assert words not in str(caught.value)


@pytest.mark.parametrize(
    "words", ["Version 1.0.10 of 31,425 parameters", "2020-2024, bands of 45-64 and 90+", "a" * 8 + " 0.85 to 0.95"]
)
def test_versions_years_and_numbers_are_no_telephone_numbers(words: str) -> None:
    assert change_plan(title=words).title == words


@pytest.mark.parametrize("who", ["jane@example.org", "Dr. J. Doe 4711", "555 0199", ""])
def test_only_roles_are_told(who: str) -> None:
    with pytest.raises(ValueError, match="told"):
        change_plan(modification_protocol__update_procedures__told=[who])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("impact_assessment", [{"modifications": ["weights"], "benefits": "a", "risks": "b", "mitigations": "c"}], "nothing about operating_point"),
        ("description_of_modifications", [{"kind": "operating_point", "description": "free"}], "needs bounds"),
        ("description_of_modifications", [{"kind": "weights", "description": "x", "bounds": {"a": [2, 1]}}], "lower one first"),
        ("description_of_modifications", [{"kind": "intended_use", "description": "x"}], "kind"),
        (LIMITS, [{"metric": "auc", "at_least": 0.7}], "running version"),
        (LIMITS, [{"metric": "auc", "at_least": 0.7, "margin": 0.1}], "either"),
        (LIMITS, [{"metric": "ppv", "margin": 0.1}], "auc, sensitivity or specificity"),
        (LIMITS, [{"metric": "auc", "margin": 0.1, "levels": ["F"]}], "attribute"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, field: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        change_plan(**{field: value})


def test_a_file_is_refused_with_its_fields_and_no_value(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(change_plan().model_dump(mode="json") | {"secret": "4711", "model": "UPPER"}), "utf-8")
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-PLAN.*model.*secret is not a known field") as caught:
        load_change_plan(path)
    assert "4711" not in str(caught.value)
    for content in ("- a\n- b\n", "a: [", "a: \x00"):
        path.write_text(content, "utf-8")
        with pytest.raises(ConfigurationError, match="E-CHANGE-PLAN"):
            load_change_plan(path)
    with pytest.raises(ConfigurationError, match="no such file"):
        load_change_plan(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("model", "other_model", "must be about other_model"),
        ("modification_protocol__data_management__evaluation_sha256", "ab" * 32, "evaluation_sha256"),
        ("modification_protocol__data_management__minimum_patients_in", [{"attribute": "sex", "level": "X", "patients": 1}], "sex = X"),
        (LIMITS, [MARGIN, {"metric": "auc", "at_least": 0.5, "attribute": "race"}], "by race"),
        (LIMITS, [MARGIN, {"metric": "auc", "at_least": 0.5, "attribute": "sex", "levels": ["D"]}], "sex = D"),
        ("monitoring", {"description": "x", "limits": [{"metric": "auc", "at_least": 0.5, "attribute": "race"}]}, "by race"),
    ],
)  # fmt: skip
def test_a_plan_must_fit_its_evaluation_plan(field: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        fit(change_plan(**{field: value}), evaluation())
    right = change_plan(modification_protocol__data_management__evaluation_sha256=evaluation().sha256)
    fit(right, evaluation())
    with pytest.raises(ConfigurationError, match="without a version"):
        fit(change_plan(), evaluation(model="demo_nodule@1.1.0"))
