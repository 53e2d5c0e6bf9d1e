"""The proof fires when a rule is missing: each group of rules is turned off in turn, and the study is held back with the tag, never the value."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset

from tasks.deid.header import Rewriter
from tasks.deid.identifiers import Identifiers
from tasks.deid.residue import Residue
from tasks.deid.rules import Decision, Profile, load
from tasks.deid.stage import DeidentifyStage
from tasks.deid.uids import Uids
from tasks.deid.values import Changed, Values
from tasks.dicom.instances import Instance, of_bytes
from tasks.lake import Lake
from tasks.vault import Vault
from tests.tasks.deid.making import PLANTED, ct, encoded, planted, spool


def held_back(vault: Vault, lake: Lake, profile: str = "safe_harbor", content: bytes | None = None) -> list[str]:
    """The tags where residue was found; empty when the study was released."""
    key = spool(vault, [content or planted()])
    outcome = DeidentifyStage(vault, lake, profile).run(key, "", "f")
    listed = vault.quarantine / key / "quarantine.json"
    if outcome.passed:
        return []
    said = json.loads(listed.read_text())
    assert set(said["instances"].values()) == {"E-DEID-RESIDUE"}
    assert not lake.files("dicom")
    assert not [text for text in PLANTED if text in listed.read_text()]
    return list(said["residue"])


def test_with_all_rules_nothing_is_found(vault: Vault, lake: Lake) -> None:
    assert held_back(vault, lake) == []


@pytest.mark.parametrize(
    ("rule", "tag"),
    [
        ("private", "raw"), ("curve or overlay", "(6000,0022)"), ("text list", "(0010,4000)"), ("E.1-1", "(0010,1040)"), ("E.1-1", "(0008,0050)"),
        ("year only", "(0008,0020)"), ("profile", "(0010,0020)"), ("profile", "(0010,0010)"),
    ],
)  # fmt: skip
def test_turning_off_a_rule_group_makes_it_fire(
    rule: str, tag: str, vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, decide_private, change = Profile.decide, Profile.decide_private, Values.change

    def lazy(self: Profile, at: int, vr: str, *place: Any) -> Decision:
        decision = decide(self, at, vr, *place)
        return Decision("keep", "off") if decision.rule == rule or (rule == "text list" and at == 0x00104000) else decision

    def lazy_with_private(self: Profile, creator: str, at: int, vr: str) -> Decision:
        return Decision("keep", "off") if rule == "private" else decide_private(self, creator, at, vr)

    def careless(self: Values, at: int, vr: str, value: bytes, decision: Decision, *more: Any, **named: Any) -> Changed:
        return Changed("keep", "off", value) if decision.rule == "off" else change(self, at, vr, value, decision, *more, **named)

    monkeypatch.setattr(Profile, "decide", lazy)
    monkeypatch.setattr(Profile, "decide_private", lazy_with_private)
    monkeypatch.setattr(Values, "change", careless)
    load.cache_clear()
    try:
        found = held_back(vault, lake)
    finally:
        load.cache_clear()
    assert found
    if tag != "raw":
        assert tag in found


def test_uids_that_are_not_replaced_make_it_fire(vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uids, "__call__", lambda _self, uid: uid)
    assert "(0020,000D)" in held_back(vault, lake)


def test_file_meta_that_is_passed_on_makes_it_fire(vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    preamble = Rewriter._preamble

    def lazy(self: Rewriter, instance: Instance) -> bytes:
        return b"PRAEAMBEL Zwiebelturm^Zita Mustermann".ljust(128, b"\0") + preamble(self, instance)[128:]

    monkeypatch.setattr(Rewriter, "_preamble", lazy)
    assert held_back(vault, lake) == ["raw"]


def test_a_text_list_that_is_too_generous_makes_it_fire(vault: Vault, lake: Lake, bent: Callable[..., str]) -> None:
    profile = bent(keep_text={"ImageComments": {"patterns": [".*"]}}, attributes={"PatientBirthDate": "empty"})
    assert load(profile).keep_text[0x00204000].allows("Notiz Zwiebel")
    dataset = ct()
    dataset.ReceiveCoilName = "MUSTERMANN"
    profile = bent(keep_text={"ReceiveCoilName": {"patterns": [".*"]}})
    assert held_back(vault, lake, profile, encoded(dataset)) == ["(0018,1250)"]


@pytest.mark.parametrize(
    "text",
    ["for Mustermann", "ERIKA", "id MRN0047110", "born 12.04.1937", "1937-04-12", "on 17/03/2021", "20210317", "acc acc8815522", "X7741 7741",
     "1.3.6.1.4.1.99999.77.1001", "call +49 89 4711 0815", "müstermann"],
)  # fmt: skip
def test_an_identifier_is_found_however_it_is_written(text: str) -> None:
    dataset = ct()
    dataset.PatientTelephoneNumbers = "+49 89 4711 0815"
    dataset.PatientComments = "rufname Müstermann^E"
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(dataset)))
    out = Dataset()
    out.SpecificCharacterSet = "ISO_IR 192"
    out.ImageComments = text
    assert Residue(identifiers).find(file_of(out)) == {"(0020,4000)"}


@pytest.mark.parametrize(
    "text", ["STANDARD", "CHEST", "20210101", "SIEMENS SOMATOM", "chest lung", "000000", "SL-ABCDEFGHIJKL", "2.25.771001"]
)
def test_the_field_s_own_words_are_no_finding(text: str) -> None:
    dataset = ct()
    dataset.PatientName, dataset.StationName = "Chest^Siemens", "000000"
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(dataset)))
    out = Dataset()
    out.ImageComments = text
    assert Residue(identifiers).find(file_of(out)) == set()


def test_utf_16_in_raw_bytes_is_found() -> None:
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(ct())))
    out = Dataset()
    out.add_new(0x00281201, "OW", "Mustermann".encode("utf-16-le"))
    assert Residue(identifiers).find(file_of(out)) == {"raw"}


def test_an_identifying_number_as_a_number_string_is_found() -> None:
    dataset = ct(patient="5583917")
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(dataset)))
    out = Dataset()
    out.SeriesNumber = "5583917"
    assert Residue(identifiers).find(file_of(out)) == {"(0020,0011)"}


@pytest.mark.parametrize(("keyword", "value"), [
    ("SeriesNumber", "47110"), ("SeriesNumber", "+0047110"), ("SliceThickness", "47110.0"), ("SeriesNumber", "20210317"),
    ("AcquisitionNumber", "17032021"), ("SliceThickness", "19370412"),
])  # fmt: skip
def test_an_identifying_number_or_a_date_is_found_as_any_number_string(keyword: str, value: str) -> None:
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(ct(patient="0047110"))))
    out = Dataset()
    setattr(out, keyword, value)
    assert len(Residue(identifiers).find(file_of(out))) == 1


@pytest.mark.parametrize("value", ["47111", "471100", "4711", "20210101", "1.5", "-1024", "0", "2021"])
def test_other_numbers_are_no_finding(value: str) -> None:
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(encoded(ct(patient="0047110"))))
    out = Dataset()
    out.SliceThickness = value
    assert Residue(identifiers).find(file_of(out)) == set()


def test_a_series_that_is_numbered_by_its_date_is_held_back(vault: Vault, lake: Lake) -> None:
    dataset = ct()
    dataset.SeriesNumber = "20210317"
    assert held_back(vault, lake, content=encoded(dataset)) == ["(0020,0011)"]


def test_the_identifiers_do_not_show_themselves() -> None:
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(planted()))
    assert not [text for text in PLANTED if text.lower() in repr(identifiers).lower()]


def file_of(dataset: Dataset) -> bytes:
    whole = ct()
    for element in list(whole):
        del whole[element.tag]
    whole.SOPClassUID, whole.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.1"
    whole.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    whole.update(dataset)
    return encoded(whole)
