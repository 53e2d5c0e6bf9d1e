"""A threshold that the plan leaves to the manifest is that of the model, version and finding that the plan means, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.evaluation.plan import load_plan
from tasks.evaluation.threshold import OperatingPoint, operating_point
from tasks.inference.bundle import folder_of, load
from tests.tasks.evaluation.cohorts import plan

DEMO = {"model": "demo_nodule", "finding": "nodule", "threshold": "manifest"}


def test_a_number_in_the_plan_needs_no_model() -> None:
    assert operating_point(plan(threshold=0.25, model="nowhere")) == OperatingPoint(0.25)


def test_the_shipped_plan_takes_the_first_operating_point_of_the_shipped_model() -> None:
    manifest = load("demo_nodule").manifest
    assert operating_point(load_plan("demo")) == OperatingPoint(
        manifest.findings[0].operating_points[0].threshold, manifest.version
    )


def test_a_bundle_elsewhere_is_asked_where_its_path_is_given(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(folder_of("demo_nodule"), bundle)
    said = yaml.safe_load((bundle / "manifest.yaml").read_text("utf-8"))
    said["findings"][0]["operating_points"][0]["threshold"], said["version"] = 0.125, "9.0.0"
    (bundle / "manifest.yaml").write_text(yaml.safe_dump(said), "utf-8")
    assert operating_point(plan(**DEMO), str(bundle)) == OperatingPoint(0.125, "9.0.0")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "other"}, "E-INFER-MODEL-MISSING"), ({"model": "demo_nodule@0.0.1"}, "the manifest is of demo_nodule@"),
        ({"finding": "effusion"}, "demo_nodule, effusion; the manifest is of"),
    ],
)  # fmt: skip
def test_another_model_version_or_finding_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"E-EVAL-THRESHOLD.*{why}"):
        operating_point(plan(**(DEMO | change)))


def test_it_applies_to_the_predictions_of_its_version_alone() -> None:
    predictions = pa.table({"score": [0.1, 0.2, 0.3], "model_version": ["1.0.0", "2.0.0", None]})
    assert OperatingPoint(0.5, "2.0.0").applies_to(predictions)["score"].to_pylist() == [0.2]
    assert OperatingPoint(0.5).applies_to(predictions) is predictions
    unversioned = predictions.select(["score"])
    assert OperatingPoint(0.5, "2.0.0").applies_to(unversioned) is unversioned
