"""The first rule that fits decides; what the PACS does not say is taken or left as the rule has it; nothing is asked in vain."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.pacs.asking.selection import Choice, Selection, load_selection

EXAMPLE = "thin_chest_ct"


def selection(folder: Path, *rules: dict[str, Any], **more: Any) -> Selection:
    path = folder / "rule.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "meaning": "For a test.", "rules": list(rules), **more}))
    made = load_selection(str(path))
    assert made is not None
    return made


def choose(made: Selection, instances: int = 100, **told: str) -> Choice:
    return made.choose(instances, lambda keyword: told.get(keyword, ""))


CASES: list[tuple[dict[str, Any], dict[str, str], dict[str, str]]] = [
    ({"modalities": ["CT", "PT"]}, {"Modality": "PT"}, {"Modality": "MR"}),
    ({"body_parts": ["CHEST", "LUNG*"]}, {"BodyPartExamined": "Lungs"}, {"BodyPartExamined": "HEAD"}),
    ({"descriptions": ["*lung*"]}, {"SeriesDescription": "Lung 1.0"}, {"SeriesDescription": "Soft"}),
    ({"not_descriptions": ["*mip*"]}, {"SeriesDescription": "Lung 1.0"}, {"SeriesDescription": "Lung MIP"}),
    ({"image_type_all": ["AXIAL"]}, {"ImageType": "ORIGINAL\\PRIMARY\\AXIAL"}, {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}),
    (
        {"image_type_none": ["LOCALIZER"]},
        {"ImageType": "ORIGINAL\\PRIMARY\\AXIAL"},
        {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"},
    ),
    ({"slice_thickness_mm": {"minimum": 0.5, "maximum": 2}}, {"SliceThickness": "2.0"}, {"SliceThickness": "2.01"}),
    ({"slice_thickness_mm": {"minimum": 0.5}}, {"SliceThickness": "0.5"}, {"SliceThickness": "0.49"}),
    ({"kernels": ["b6*", "B7?f"]}, {"ConvolutionKernel": "B60f"}, {"ConvolutionKernel": "B30f"}),
    ({"kernels": ["I70f"]}, {"ConvolutionKernel": "I70f\\3"}, {"ConvolutionKernel": "I30f\\3"}),
]


@pytest.mark.parametrize(("rule", "yes", "no"), CASES)
def test_each_part_of_a_rule_tells_series_apart(
    tmp_path: Path, rule: dict[str, Any], yes: dict[str, str], no: dict[str, str]
) -> None:
    made = selection(tmp_path, {"name": "wanted", **rule})
    assert choose(made, **yes) == Choice(True, "wanted")
    assert choose(made, **no) == Choice(False, "no_rule")
    keyword = next(iter(yes))
    assert choose(made) == Choice(True, "wanted", (keyword,))
    assert choose(selection(tmp_path, {"name": "wanted", **rule}, unknown="leave")) == Choice(False, "no_rule")
    leaving = {"name": "unwanted", "action": "leave", **rule}
    rest = {"name": "rest"}
    assert choose(selection(tmp_path, leaving, rest), **yes) == Choice(False, "unwanted")
    assert choose(selection(tmp_path, leaving, rest)) == Choice(True, "rest")
    assert choose(selection(tmp_path, {**leaving, "unknown": "leave"}, rest)) == Choice(False, "unwanted", (keyword,))


@pytest.mark.parametrize(("n", "chosen"), [(9, False), (10, True), (20, True), (21, False)])
def test_numbers_of_instances_are_inclusive(tmp_path: Path, n: int, chosen: bool) -> None:
    assert choose(selection(tmp_path, {"name": "some", "minimum_instances": 10, "maximum_instances": 20}), n).chosen is chosen


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    made = selection(tmp_path, {"name": "ct", "modalities": ["CT"]}, {"name": "rest", "action": "leave"})
    assert choose(made, Modality="CT") == Choice(True, "ct")
    assert choose(made, Modality="MR") == Choice(False, "rest")


def test_what_costs_a_query_is_asked_only_where_the_rest_fits() -> None:
    made = load_selection(EXAMPLE)
    assert made is not None
    asked: list[str] = []

    def told(keyword: str) -> str:
        asked.append(keyword)
        return {"Modality": "SR", "SeriesDescription": "Dose Report"}.get(keyword, "")

    assert made.choose(1, told) == Choice(False, "not_ct")
    assert not {"ImageType", "SliceThickness", "ConvolutionKernel"} & set(asked)


@pytest.mark.parametrize(
    ("n", "told", "rule"),
    [
        (300, {"Modality": "CT", "ImageType": "ORIGINAL\\PRIMARY\\AXIAL", "SliceThickness": "1", "SeriesDescription": "Lung"}, "thin_axial"),
        (300, {"Modality": "CT", "ImageType": "ORIGINAL\\PRIMARY\\AXIAL", "SliceThickness": "5", "SeriesDescription": "Lung"}, "no_rule"),
        (60, {"Modality": "CT", "ImageType": "DERIVED\\SECONDARY\\MPR", "SliceThickness": "1", "SeriesDescription": "x"}, "no_rule"),
        (60, {"Modality": "CT", "ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER", "SeriesDescription": "x"}, "scout_or_derived"),
        (2, {"Modality": "CT", "SeriesDescription": "Topogram 0.6"}, "screenshot_or_dose"),
        (20, {"Modality": "CT", "SeriesDescription": "x"}, "too_few"),
        (300, {"Modality": "MR", "SeriesDescription": "x"}, "not_ct"),
        (300, {"Modality": "CT"}, "thin_axial"),
    ],
)  # fmt: skip
def test_the_example_does_what_it_says(n: int, told: dict[str, str], rule: str) -> None:
    made = load_selection(EXAMPLE)
    assert made is not None
    choice = choose(made, n, **told)
    assert choice.rule == rule
    assert choice.chosen is (rule == "thin_axial")


def test_the_hash_is_of_the_file(tmp_path: Path) -> None:
    text = files("configs").joinpath("selections", f"{EXAMPLE}.yaml").read_text("utf-8")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text + "\n# reviewed\n")
    one, same, other = load_selection(EXAMPLE), load_selection(str(tmp_path / "a.yaml")), load_selection(str(tmp_path / "b.yaml"))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.sha256 == same.sha256 != other.sha256
    assert load_selection(None) is None


@pytest.mark.parametrize(
    "content",
    [
        "name: x", "rules: [", "- 1", "name: x\nmeaning: y\nrules: []", "name: x\nmeaning: y\nrules: [{name: A B}]",
        "name: x\nmeaning: y\nrules: [{name: a, colour: red}]", "name: x\nmeaning: y\nrules: [{name: a}, {name: a}]",
        "name: x\nmeaning: y\nrules: [{name: no_rule}]", "name: x\nmeaning: y\nrules: [{name: a, minimum_instances: -1}]",
        "name: x\nmeaning: y\nunknown: maybe\nrules: [{name: a}]",
    ],
)  # fmt: skip
def test_a_selection_that_says_too_little_or_too_much_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.yaml").write_text(content)
    with pytest.raises(ConfigurationError, match="E-PULL-SELECTION"):
        load_selection(str(tmp_path / "s.yaml"))


def test_a_selection_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="E-PULL-SELECTION"):
        load_selection("no_such_rule")
