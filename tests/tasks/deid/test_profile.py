"""A profile is read whole or not at all: a slip in a site's own file is told, and never a rule that is silently missing."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom.datadict import dictionary_has_tag
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from tasks.deid import declared
from tasks.deid.rules import Profile, identifying_text_tags, load
from tasks.errors import ConfigurationError

SHIPPED = ("basic", "safe_harbor", "expert_determination", "research_longitudinal")
#: CID 7050 as pydicom lists it, by the options' names.
CODES = {
    "retain_safe_private": codes.cid7050.RetainSafePrivateOption, "retain_uids": codes.cid7050.RetainUidsOption,
    "retain_device_identity": codes.cid7050.RetainDeviceIdentityOption, "retain_institution_identity": codes.cid7050.RetainInstitutionIdentityOption,
    "retain_patient_characteristics": codes.cid7050.RetainPatientCharacteristicsOption,
    "retain_longitudinal_full_dates": codes.cid7050.RetainLongitudinalTemporalInformationFullDatesOption,
    "retain_longitudinal_modified_dates": codes.cid7050.RetainLongitudinalTemporalInformationModifiedDatesOption,
    "clean_descriptors": codes.cid7050.CleanDescriptorsOption, "clean_structured_content": codes.cid7050.CleanStructuredContentOption,
    "clean_graphics": codes.cid7050.CleanGraphicsOption,
}  # fmt: skip
TEXT = files("configs").joinpath("profiles", "safe_harbor.yaml").read_text("utf-8")


def written(folder: Path, **entries: Any) -> str:
    """A site's own profile over `safe_harbor`, as `--profile` takes it."""
    path = folder / f"site-{len(list(folder.glob('site-*')))}.yaml"
    path.write_text(yaml.safe_dump({"extends": "safe_harbor", "name": "our_site", "meaning": "Ours.", **entries}), "utf-8")
    return str(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_that_ship_are_profiles(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    assert profile.safe_harbor is (name in ("basic", "safe_harbor"))
    shipped = {
        entry.name.removesuffix(".yaml")
        for entry in files("configs").joinpath("profiles").iterdir()
        if entry.name.endswith(".yaml")
    }
    assert shipped == set(SHIPPED)


def test_what_the_shipped_profiles_do_to_a_date_a_device_an_institution_and_an_age() -> None:
    ct = "1.2.840.10008.5.1.4.1.1.2"
    asked = (
        (0x00080020, "DA"),
        (0x00181000, "LO"),
        (0x00080080, "LO"),
        (0x00101010, "AS"),
        (0x00081030, "LO"),
        (0x0020000D, "UI"),
    )
    did = {name: tuple(load(name).decide(tag, vr, ct).action for tag, vr in asked) for name in SHIPPED}
    assert did == {
        "basic": ("empty", "remove", "remove", "remove", "remove", "uid"),
        "safe_harbor": ("year", "remove", "remove", "keep", "clean", "uid"),
        "expert_determination": ("shift", "retain", "remove", "keep", "clean", "uid"),
        "research_longitudinal": ("shift", "retain", "remove", "keep", "clean", "uid"),
    }
    assert [load(name).highest_age for name in SHIPPED] == [89, 89, 89, 150]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_sop_class_is_what_pydicom_calls_it_and_has_a_kind(name: str) -> None:
    kinds = {"image": set[str](), "structured": set[str](), "presentation": set[str]()}
    for uid, sop_class in load(name).sop_classes.items():
        assert UID(uid).name == sop_class.name
        kinds[sop_class.kind].add(sop_class.name)
    assert all("Image" in each or each == "Segmentation Storage" for each in kinds["image"])
    assert all("SR" in each or "Document" in each for each in kinds["structured"])
    assert all("Presentation State" in each for each in kinds["presentation"])
    assert "1.2.840.10008.5.1.4.1.1.104.1" not in load(name).sop_classes  # Encapsulated PDF


@pytest.mark.parametrize("option", CODES)
def test_each_option_states_its_code_of_cid_7050(option: str) -> None:
    dates = {"retain_longitudinal_full_dates": "keep", "retain_longitudinal_modified_dates": "shift"}.get(option, "remove")
    changes = {"options": [option], "dates": dates, "safe_harbor": False, "sop_classes": {"image": {}}}
    stated = Profile.compile({**declared.read("safe_harbor"), **changes}).method_codes
    basic = codes.cid7050.BasicApplicationConfidentialityProfile
    assert stated == ((basic.value, basic.meaning), (CODES[option].value, CODES[option].meaning))


def test_full_dates_beside_modified_ones_are_kept_and_only_that_is_stated() -> None:
    both = ["retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"]
    profile = Profile.compile(
        {**declared.read("safe_harbor"), "options": both, "dates": "keep", "safe_harbor": False, "sop_classes": {"image": {}}}
    )
    assert [value for value, _ in profile.method_codes] == ["113100", "113106"]
    assert profile.decide(0x00080020, "DA").action == "retain"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": ["retain_uids"], "dates": "remove"}, "retain_uids"),
        ({"options": ["retain_device_identity"], "dates": "remove"}, "retain_device_identity"),
        ({"options": ["retain_institution_identity"], "dates": "remove"}, "retain_institution_identity"),
        ({"options": ["retain_longitudinal_full_dates"], "dates": "keep"}, "retain_longitudinal_full_dates"),
        ({"dates": "shift"}, "dates: shift"), ({"highest_age": 90}, "highest_age"),
    ],
)  # fmt: skip
def test_what_breaks_safe_harbor_is_refused_and_both_are_named(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    if "options" in changes:
        changes = {**changes, "sop_classes": {"structured": {}, "presentation": {}}}
    with pytest.raises(ConfigurationError) as refused:
        load(written(tmp_path, **changes))
    assert refused.value.code == "E-DEID-PROFILE"
    assert "safe_harbor: true" in refused.value.place
    assert told in refused.value.place
    assert load(written(tmp_path, safe_harbor=False, **changes)).safe_harbor is False


@pytest.mark.parametrize(
    ("options", "dates"),
    [(options, dates) for options, fitting in (
        ([], ("remove",)), (["retain_longitudinal_modified_dates"], ("year", "shift")), (["retain_longitudinal_full_dates"], ("keep",)),
    ) for dates in ("remove", "year", "shift", "keep") if dates not in fitting],
)  # fmt: skip
def test_dates_that_do_not_go_with_the_options_are_refused(options: list[str], dates: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"E-DEID-PROFILE.*dates: {dates}"):
        load(
            written(tmp_path, options=options, dates=dates, safe_harbor=False, sop_classes={"structured": {}, "presentation": {}})
        )


@pytest.mark.parametrize(("kind", "option"), [("structured", "clean_structured_content"), ("presentation", "clean_graphics")])
def test_what_nothing_would_clean_cannot_be_allowed(kind: str, option: str, tmp_path: Path) -> None:
    options = [each for each in yaml.safe_load(TEXT)["options"] if each != option]
    with pytest.raises(ConfigurationError, match=f"E-DEID-PROFILE.*{kind}.*{option}"):
        load(written(tmp_path, options=options))


def test_a_profile_that_extends_another_states_what_differs(tmp_path: Path) -> None:
    profile = load(written(tmp_path, attributes={"PatientSize": "empty", "SourceImageSequence": None}, faces="keep"))
    parent = load("safe_harbor")
    assert (profile.name, profile.faces, profile.options) == ("our_site", "keep", parent.options)
    assert set(profile.attributes) == (set(parent.attributes) | {0x00101020}) - {0x00082112}
    assert profile.keep_text == parent.keep_text


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"extends": "no_such_profile"}, "no_such_profile"), ({"extends": "../safe_harbor"}, "extends"), ({"extends": None}, "extends"),
        ({"extends": "/etc/passwd.yaml"}, "extends"), ({"sop_classes": {"waveform": {}}}, "sop_classes"), ({"safe_harbor": "maybe"}, "safe_harbor"),
        ({"sop_classes": {"structured": {"1.2.840.10008.5.1.4.1.1.2": "CT"}}}, "twice"), ({"dates": "guess"}, "dates"),
        ({"safe_private": "no_such_list"}, "FileNotFoundError"), ({"options": "clean_descriptors"}, "options"),
    ],
)  # fmt: skip
def test_a_slip_in_what_extends_is_told(entries: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(written(tmp_path, **entries))
    assert (refused.value.code, told in refused.value.place) == ("E-DEID-PROFILE", True)


@pytest.mark.parametrize("entry", ["name", "meaning"])
def test_a_profile_has_its_own_name_and_meaning(entry: str, tmp_path: Path) -> None:
    entries = {"extends": "safe_harbor", "name": "our_site", "meaning": "Ours."}
    del entries[entry]
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(entries))
    with pytest.raises(ConfigurationError, match=f"E-DEID-PROFILE.*{entry}"):
        load(str(tmp_path / "site.yaml"))


def test_a_profile_that_extends_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = {"one": "extends: two\nname: one\nmeaning: One.\n", "two": "extends: one\nname: two\nmeaning: Two.\n"}

    class Shelf:
        def __init__(self, name: str = "") -> None:
            self.name = name

        def joinpath(self, *names: str) -> Shelf:
            return Shelf(names[-1].removesuffix(".yaml"))

        def is_file(self) -> bool:
            return self.name in circle

        def read_text(self, _encoding: str) -> str:
            return circle[self.name]

    monkeypatch.setattr(declared, "files", lambda _package: Shelf())
    with pytest.raises(ValueError, match="extends itself"):
        declared.read("one")


def test_pairs_of_profiles_differ_in_their_digests() -> None:
    assert all(load(one).digest != load(other).digest for one, other in itertools.combinations(SHIPPED, 2))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"faces": "Quarantine"}, "Quarantine"), ({"faces": None}, "None"), ({"head_wrods": ["head"]}, "head_wrods"),
        ({"name": "Our Profile"}, "name"),
        ({"attributes": {"PatientNmae": "patient"}}, "PatientNmae"), ({"attributes": {"PatientID": "keep"}}, "keep"),
        ({"keep_text": {"StationNmae": {}}}, "StationNmae"), ({"keep_text": {"StationName": {"otherwise": "keep"}}}, "keep"),
        ({"keep_text": {"StationName": {"words": ["no such list"]}}}, "no such list"), ({"options": ["retain_everything"]}, "retain_everything"),
        ({"keep_bulk": ["PixelDate"]}, "PixelDate"), ({"highest_age": "old"}, "old"), ({"edition": "ps3_15_table_e1_1_1999a"}, "FileNotFoundError"),
        ({"keep_uids": ["1.2.("]}, "error"), ({"pixels": None}, "TypeError"), ({"code_strings": {"pattern": "("}}, "error"),
    ],
)  # fmt: skip
def test_a_slip_is_told(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(written(tmp_path, **changes))
    assert refused.value.code == "E-DEID-PROFILE"
    assert told in refused.value.place


@pytest.mark.parametrize("entry", re.findall(r"^([a-z_]+):", TEXT, re.MULTILINE))
def test_no_entry_may_be_missing(entry: str) -> None:
    whole = declared.read("safe_harbor")
    del whole[entry]
    with pytest.raises(ValueError, match=f"missing or unknown: {entry}$"):
        Profile.compile(whole)


def test_a_file_without_an_entry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(re.sub(r"^faces: .*$", "", TEXT, flags=re.MULTILINE))
    with pytest.raises(ConfigurationError, match=r"E-DEID-PROFILE.*site\.yaml: missing or unknown: faces"):
        load(str(tmp_path / "site.yaml"))


@pytest.mark.parametrize("content", ["", "[]", "name: [", "a: b: c", "\x00", "just text"])
def test_a_file_that_is_no_profile_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(content)
    with pytest.raises(ConfigurationError, match="E-DEID-PROFILE"):
        load(str(tmp_path / "site.yaml"))


def test_every_change_of_a_rule_changes_the_digest(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"faces": "keep"}, {"highest_age": 88}, {"most_text_digits": 6}, {"attributes": {"StudyID": "remove"}}, {"head_words": ["head"]},
        {"keep_text": {"Manufacturer": {"words": []}}}, {"face_slices": 9}, {"pixels": {"catalogue": "quarantine"}},
    ]  # fmt: skip
    digests = {load("safe_harbor").digest, *(load(written(tmp_path, **change)).digest for change in changes)}
    assert len(digests) == len(changes) + 1


def test_a_sites_own_rule_is_followed(bent: Callable[..., str]) -> None:
    profile = load(bent(attributes={"PatientSize": "empty"}, name="our_site"))  # a whole file, without `extends`
    assert (profile.name, profile.decide(0x00101020, "DS").action) == ("our_site", "empty")
    assert load("safe_harbor").decide(0x00101020, "DS").action == "keep"


def test_the_page_about_profiles_says_what_the_files_say() -> None:
    page = (Path(__file__).parents[3] / "docs" / "deidentify" / "profiles.md").read_text("utf-8")
    standards = files("configs").joinpath("standards")
    types = standards.joinpath("ps3_3_attribute_types_2026b.csv").read_text("utf-8").splitlines()
    table = csv.DictReader(standards.joinpath("ps3_15_table_e1_1_2026d.csv").read_text("utf-8").splitlines())
    unknown = [
        row["tag"] for row in table if re.fullmatch("[0-9A-F]{8}", row["tag"]) and not dictionary_has_tag(int(row["tag"], 16))
    ]
    kinds = Counter(sop_class.kind for sop_class in load("safe_harbor").sop_classes.values())
    said = " ".join(page.split())
    assert f"{len(types) - 1:,} rows for the {len(load('safe_harbor').sop_classes)} SOP classes" in said
    assert f"those are {len(unknown)}" in said
    assert f"{kinds['image']} kinds of `image`" in said
    assert (kinds["structured"], kinds["presentation"]) == (6, 2)
    assert dict(re.findall(r"^\| `(\w+)` \| (\d{6}) \|", page, re.MULTILINE)) == {
        option: code.value for option, code in CODES.items()
    }
    example = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    assert (
        Profile.compile(declared.merged(declared.read("safe_harbor"), {k: v for k, v in example.items() if k != "extends"})).name
        == "our_site"
    )


def test_what_an_option_retains_is_no_identifier_to_search_for() -> None:
    serial, station_ae, institution, patient = 0x00181000, 0x00080055, 0x00080080, 0x00100020
    assert {serial, station_ae, institution, patient} <= identifying_text_tags(load("safe_harbor"))
    longitudinal = identifying_text_tags(load("research_longitudinal"))
    assert serial not in longitudinal
    assert {station_ae, institution, patient} <= longitudinal
