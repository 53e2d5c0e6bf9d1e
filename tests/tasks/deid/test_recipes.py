"""A site's recipe makes a profile stricter, never weaker; what contradicts it, or is not understood, is refused with both sides named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.datadict import keyword_for_tag

from tasks.deid import recipes
from tasks.deid.recipes import load_with, merge, parse
from tasks.deid.rules import load
from tasks.errors import ConfigurationError

Write = Callable[[str], Path]


@dataclass(frozen=True)
class Decision:
    action: str
    rule: str


TABLE = {"InstitutionName": "remove", "StudyDate": "year", "AccessionNumber": "empty", "OperatorsName": "remove", "DeviceSerialNumber": "dummy",
         "FrameOfReferenceUID": "uid", "SeriesDescription": "clean"}  # fmt: skip


def decide(tag: int, vr: str) -> Decision:
    action = TABLE.get(keyword_for_tag(tag))
    return Decision(action, "E.1-1") if action else Decision("keep", "unlisted")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(lines: str) -> Path:
        path = tmp_path / "deid.site"
        path.write_text(f"FORMAT dicom\n\n# ours\n%header\n{lines}\n", "utf-8")
        return path

    return make


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        merge({"name": "safe_harbor", "attributes": {}}, path, decide)
    assert refused.value.code == "E-DEID-RECIPE"
    return refused.value.place


def test_the_four_actions_become_entries_of_the_profile(write: Write) -> None:
    lines = ["REMOVE SoftwareVersions  # why", "BLANK (0018,0020)", "REPLACE ProtocolName CT CHEST # routine", "KEEP PatientSex"]
    path = write("\n".join([*lines, "REPLACE (0020,0011) 7", "REMOVE FrameOfReferenceUID"]))
    merged, literals = merge({"name": "x", "attributes": {"PatientID": "patient"}, "faces": "keep"}, path, decide)
    assert merged == {
        "name": "x",
        "faces": "keep",
        "attributes": {"PatientID": "patient", "SoftwareVersions": "remove", "ScanningSequence": "empty", "ProtocolName": "dummy",
                       "SeriesNumber": "dummy", "FrameOfReferenceUID": "remove"},
    }  # fmt: skip
    assert literals == {0x00181030: "CT CHEST", 0x00200011: "7"}


def test_what_was_declared_is_not_changed(write: Write) -> None:
    declared = {"name": "x", "attributes": {"PatientID": "patient"}}
    merge(declared, write("REMOVE SoftwareVersions"), decide)
    assert declared == {"name": "x", "attributes": {"PatientID": "patient"}}


@pytest.mark.parametrize(("line", "action"), [
    ("KEEP InstitutionName", "remove"), ("KEEP StudyDate", "year"), ("KEEP AccessionNumber", "empty"), ("KEEP DeviceSerialNumber", "dummy"),
    ("KEEP FrameOfReferenceUID", "uid"), ("KEEP (0008,103E)", "clean"), ("BLANK InstitutionName", "remove"),
    ("REPLACE OperatorsName CHEST", "remove"),
])  # fmt: skip
def test_a_recipe_that_is_weaker_names_both_sides(line: str, action: str, write: Write) -> None:
    said = refusal(write(f"REMOVE SoftwareVersions\n{line}"))
    verb, field = line.split()[:2]
    assert said.startswith("line 6: ")
    assert f"{verb} {'SeriesDescription' if field.startswith('(') else field}" in said
    assert f"E.1-1 ({action}) of profile safe_harbor" in said


@pytest.mark.parametrize(("line", "why"), [
    ("JITTER StudyDate 5", "not Safe Harbor"),
    ("ADD PatientIdentityRemoved Yes", "ADD"),
    ("LABEL x", "filters"),
    ("remove SoftwareVersions", "no action"),
    ("REMOVEX SoftwareVersions", "no action: use REMOVE"),
    ("Zwiebelturm was here", "no action"),
    ("REMOVE", "needs a field"),
    ("REPLACE SoftwareVersions", "value"),
    ("REPLACE SoftwareVersions # 1", "value"),
    ("REPLACE ProtocolName func:make", "functions"),
    ("REPLACE ProtocolName var:name", "functions"),
    ("REMOVE ProtocolName func:is_odd", "functions"),
    ("BLANK ProtocolName now", "nothing else"),
    ("REMOVE endswith:Time", "expanders"),
    ("REMOVE ALL", "expanders"),
    ('REMOVE (0033,"CREATOR",1E)', "private"),
    ("REMOVE (0009,1001)", "private"),
    ("REMOVE NoSuchKeyword", "no keyword"),
    ("REMOVE PatientID", "PatientID is written"),
    ("REMOVE Rows", "Rows"),
    ("REMOVE PixelData", "PixelData"),
    ("REMOVE ProtocolName\nBLANK ProtocolName", "against REMOVE in line 5"),
    ("%filter x\nLABEL y", "only a %header"),
    ("%values x\nFIELD y", "only a %header"),
])  # fmt: skip
def test_what_is_not_supported_is_refused(line: str, why: str, write: Write) -> None:
    said = refusal(write(line))
    assert why in said
    assert said.startswith("line ")
    assert "Zwiebelturm" not in said


@pytest.mark.parametrize("line", [
    "REPLACE ProtocolName Dr Zwiebelturm", "REPLACE ProtocolName CT CHEST Zwiebelturm", "REPLACE ProtocolName 20210317",
    "REPLACE SeriesNumber 47110815",
    "REPLACE SeriesNumber 1.5", "REPLACE StudyTime 101112", "REPLACE BodyPartExamined Chest", "REPLACE BodyPartExamined CHEST ABDOMEN PELVIS",
    "REPLACE AcquisitionDate 20210101",
    "REPLACE SOPClassesInStudy 1.2.3", "REPLACE ReferencedImageSequence CHEST",
])  # fmt: skip
def test_a_literal_must_be_clean_and_is_never_repeated(line: str, write: Write) -> None:
    said = refusal(write(line))
    assert f"REPLACE {line.split()[1]}" in said
    assert not any(word in said for word in ("Zwiebelturm", "20210317", "47110815", "101112", "20210101"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%header\nREMOVE ProtocolName\n",
        "FORMAT nifti\n%header\n",
        "FORMAT dicom\nREMOVE ProtocolName\n",
        "FORMAT dicom\n%header\n%labels\n",
    ],
)
def test_another_form_of_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deid.site"
    path.write_text(text, "utf-8")
    assert refusal(path)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"FORMAT dicom\n\xff\xfe")
    assert "cannot be read" in refusal(tmp_path / "binary")


def test_a_line_that_the_package_leaves_out_is_not_lost(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("REMOVE ProtocolName\nREMOVE SoftwareVersions")
    assert [step.field for step in parse(path)] == ["ProtocolName", "SoftwareVersions"]
    understood = recipes._understood
    monkeypatch.setattr(recipes, "_understood", lambda path: understood(path)[:1])
    assert "2 lines with actions, but 1" in refusal(path)


def test_the_package_says_nothing(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    parse(write("REPLACE ProtocolName CT CHEST"))
    assert capfd.readouterr() == ("", "")


def test_safe_harbor_itself_is_asked(write: Write) -> None:
    profile = load("safe_harbor")
    declared = {"name": profile.name, "attributes": {}}
    for field in ("InstitutionName", "StudyDate", "PatientBirthDate", "OperatorsName", "StationName"):
        with pytest.raises(ConfigurationError, match=rf"KEEP {field}, against .* of profile safe_harbor"):
            merge(declared, write(f"KEEP {field}"), profile.decide)
    for field in ("PatientSex", "Modality", "SliceThickness"):
        assert merge(declared, write(f"KEEP {field}"), profile.decide)[0] == declared
    assert merge(declared, write("REMOVE PatientSex"), profile.decide)[0]["attributes"] == {"PatientSex": "remove"}


def test_a_profile_is_compiled_with_its_recipe(write: Write) -> None:
    plain = load("safe_harbor")
    assert load_with("safe_harbor", None) == (plain, {})
    profile, literals = load_with(
        "safe_harbor", write("REMOVE PatientSex\nREPLACE ProtocolName CHEST\nBLANK AccessionNumber\nKEEP Modality")
    )
    assert profile.decide(0x00100040, "CS").action == "remove"
    assert profile.decide(0x00181030, "LO").action == "dummy"
    assert profile.decide(0x00080050, "SH").action == "empty"
    assert profile.digest != plain.digest
    assert literals == {0x00181030: "CHEST"}


def test_the_pages_recipe_can_be_applied_and_its_conflict_is_as_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "deidentify" / "text.md").read_text("utf-8")
    (recipe,) = re.findall(r"```\n(FORMAT.*?)```", page, re.DOTALL)
    path = tmp_path / "deid.site"
    path.write_text(recipe, "utf-8")
    assert load_with("safe_harbor", path)[1] == {0x00200011: "1"}
    path.write_text(recipe.replace("PatientSex", "StudyDate"), "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_with("safe_harbor", path)
    (said,) = re.findall(r"^    (E-DEID-RECIPE.*) …$", page, re.MULTILINE)
    assert str(refused.value).startswith(said)
