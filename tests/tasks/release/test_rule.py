"""A rule says of every volume whether it is taken, and if not, why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_contracts.volumes import CONTRACT
from tasks.errors import ConfigurationError
from tasks.release.about import load_about
from tasks.release.rule import Rule, load_rule, reasons

ROOT = Path(__file__).parents[3]
PLAIN: dict[str, Any] = {column.name: None for column in CONTRACT.columns} | {
    "StudyInstanceUID": "2.25.1", "status": "converted", "path": "volumes/a.nii.gz", "kind": "3d", "regularly_spaced_3d_volume": True,
    "is_sheared": False, "lossy": False, "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": "SIEMENS", "n_slices": 100,
    "ConvolutionKernel": "B30f", "SliceThickness": 1.0, "slice_spacing_mm": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "rule", "reason"),
    [
        ({}, {}, ""),
        ({"status": "quarantined", "path": None}, {"unknown": "take"}, "E-RELEASE-QUARANTINED"),
        ({"status": "resampled", "regularly_spaced_3d_volume": False}, {}, ""),
        ({"status": "resampled"}, {"statuses": ["converted"]}, "E-RELEASE-STATUS"),
        ({"kind": "2d"}, {}, "E-RELEASE-KIND"),
        ({"kind": "2d", "regularly_spaced_3d_volume": None}, {"kinds": ["2d"]}, ""),
        ({"kind": "4d"}, {"kinds": ["3d"]}, "E-RELEASE-KIND"),
        ({"is_sheared": True, "regularly_spaced_3d_volume": False}, {}, "E-RELEASE-SHEARED"),
        ({"is_sheared": True, "regularly_spaced_3d_volume": False}, {"sheared": "take"}, ""),
        ({"regularly_spaced_3d_volume": False}, {}, "E-RELEASE-IRREGULAR"),
        ({"regularly_spaced_3d_volume": None}, {}, "E-RELEASE-IRREGULAR"),
        ({"regularly_spaced_3d_volume": False}, {"irregular": "take"}, ""),
        ({"lossy": True}, {}, ""),
        ({"lossy": True}, {"lossy": "leave"}, "E-RELEASE-LOSSY"),
        ({"Modality": "MR"}, {"modalities": ["CT"]}, "E-RELEASE-MODALITY"),
        ({"Modality": None}, {"modalities": ["CT"]}, "E-RELEASE-MODALITY"),
        ({"Modality": None}, {"modalities": ["CT"], "unknown": "take"}, ""),
        ({"BodyPartExamined": "ABDOMEN"}, {"body_parts": ["*chest*"]}, "E-RELEASE-BODY-PART"),
        ({"BodyPartExamined": "Chest  Abdomen"}, {"body_parts": ["chest abd*"]}, ""),
        ({}, {"manufacturers": ["GE*"]}, "E-RELEASE-MANUFACTURER"),
        ({}, {"kernels": ["b3?F"]}, ""),
        ({"ConvolutionKernel": "FC[1]"}, {"kernels": ["fc[1]"]}, ""),
        ({}, {"kernels": ["B7*"]}, "E-RELEASE-KERNEL"),
        ({}, {"slice_thickness_mm": {"minimum": 1.5}}, "E-RELEASE-THICKNESS"),
        ({}, {"slice_thickness_mm": {"minimum": 1.0, "maximum": 1.0}}, ""),
        ({"slice_spacing_mm": None}, {"slice_spacing_mm": {"maximum": 3}}, "E-RELEASE-SPACING"),
        ({}, {"minimum_slices": 101}, "E-RELEASE-SLICES"),
    ],
)
def test_the_first_thing_that_is_not_as_asked_is_the_reason(row: dict[str, Any], rule: dict[str, Any], reason: str) -> None:
    assert Rule.model_validate(rule).reason(PLAIN | row) == reason


def test_one_volume_a_study_is_the_thinnest_and_then_the_one_with_the_most_slices() -> None:
    rows = [
        PLAIN | {"path": "volumes/a.nii.gz", "slice_spacing_mm": 5.0},
        PLAIN | {"path": "volumes/b.nii.gz", "n_slices": 50},
        PLAIN | {"path": "volumes/c.nii.gz"},
        PLAIN | {"path": "volumes/d.nii.gz", "StudyInstanceUID": "2.25.2", "SliceThickness": None, "slice_spacing_mm": None},
        PLAIN | {"path": "volumes/e.nii.gz", "SliceThickness": 0.5, "slice_spacing_mm": 0.5},
    ]
    found = reasons(rows, Rule(per_study="one"), [True, True, True, True, False])
    assert found == ["E-RELEASE-OTHER-VOLUME", "E-RELEASE-OTHER-VOLUME", "", "", "E-RELEASE-NOT-CHOSEN"]


def test_the_examples_are_valid() -> None:
    rule = load_rule(ROOT / "configs/releases/thin_chest_ct.yaml")
    assert rule.reason(PLAIN) == ""
    assert rule.reason(PLAIN | {"SliceThickness": 5.0}) == "E-RELEASE-THICKNESS"
    assert load_about(ROOT / "configs/releases/about_example.yaml").licence_url() == "https://spdx.org/licenses/CC-BY-4.0"
    assert load_rule(None) == Rule()


@pytest.mark.parametrize("text", ["modality: [CT]", "kinds: [5d]", "[1]", "name: 'A b'", "a: [", "minimum_slices: 0"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="E-RELEASE-RULE"):
        load_rule(file)
    with pytest.raises(ConfigurationError, match="E-RELEASE-ABOUT"):
        load_about(file) if text != "name: 'A b'" else load_about(tmp_path / "none.yaml")
