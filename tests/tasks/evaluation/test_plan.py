"""A plan says what is evaluated, is refused in one sentence where it can't be, and is hashed by what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan, load_plan

GOOD = {
    "title": "T", "intended_use": "None.", "finding": "nodule", "model": "m", "threshold": 0.5,
    "subgroups": [{"attribute": "sex", "levels": ["F", "M"]}],
}  # fmt: skip


def written(folder: Path, **changes: object) -> Path:
    path = folder / "my_plan.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in {**GOOD, **changes}.items() if value is not ...}))
    return path


def test_a_plan_is_named_by_its_file_unless_it_says_otherwise(tmp_path):
    assert load_plan(written(tmp_path)).name == "my_plan"
    assert load_plan(written(tmp_path, name="other")).name == "other"


def test_the_demo_plan_is_found_by_name_and_says_that_it_is_synthetic():
    plan = load_plan("demo")
    assert (plan.name, plan.synthetic, plan.threshold) == ("demo", True, "manifest")


def test_the_hash_is_of_what_the_plan_says_and_not_of_the_file(tmp_path):
    path = written(tmp_path)
    first = load_plan(path).sha256
    path.write_text("# a comment\n" + path.read_text())
    assert load_plan(path).sha256 == first
    assert load_plan(written(tmp_path, confidence=0.95)).sha256 == first
    assert load_plan(written(tmp_path, confidence=0.9)).sha256 != first


def test_a_version_may_follow_the_models_name(tmp_path):
    plan = load_plan(written(tmp_path, model="m@1.2.0"))
    assert (plan.model_name, plan.model_version) == ("m", "1.2.0")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finding": ...}, "finding is missing"),
        ({"treshold": 0.5}, "treshold is not a known field"),
        ({"confidence": 95}, "confidence input should be less than 1"),
        ({"confidence": 0.0}, "confidence input should be greater than or equal to 0.5"),
        ({"threshold": float("nan")}, "threshold.float input should be a finite number"),
        ({"minimum_cases": 0}, "minimum_cases input should be greater than or equal to 1"),
        ({"name": "Über Plan"}, "name string should match pattern"),
        ({"subgroups": [{"attribute": "sex", "levels": []}]}, "subgroups.0.levels tuple should have at least 1 item"),
        ({"subgroups": [{"attribute": "sex", "levels": ["F", "F"]}]}, "subgroups.0.levels names 'F' twice"),
        ({"subgroups": [{"attribute": "sex", "levels": ["not stated"]}]}, "subgroups.0.levels must not name 'not stated'"),
        ({"subgroups": [{"attribute": "sex", "levels": ["F"]}] * 2}, "subgroups name the attribute 'sex' twice"),
        ({"several_series": "mean"}, "several_series input should be 'refuse' or 'maximum'"),
    ],
)
def test_what_cannot_be_is_named_with_its_field(tmp_path, changes, said):
    with pytest.raises(ConfigurationError) as caught:
        load_plan(written(tmp_path, **changes))
    assert caught.value.code == "E-EVAL-PLAN"
    assert said in str(caught.value)
    assert "my_plan.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"), [(b"a: [", "it is not valid YAML"), (b"- 1", "keys and values"), (b"\xff\xfe\xfa", "YAML")]
)
def test_a_file_that_is_no_plan_is_refused(tmp_path, content, said):
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        load_plan(path)


@pytest.mark.parametrize("name", ["absent", "../plans/demo", "/no/such/plan.yaml"])
def test_a_plan_that_is_not_there_is_refused(name):
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_plan(name)


def test_a_plan_can_be_made_without_a_file():
    assert Plan(name="p", **GOOD).subgroups[0].levels == ("F", "M")
