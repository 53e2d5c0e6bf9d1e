"""Every row of PS3.15 Table E.1-1, under the basic profile and each option. The oracle is the table's text, not our reading of it."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.sequence import Sequence

from tasks.deid import declared
from tasks.deid.rules import Decision, Profile
from tests.tasks.deid.making import ct, element, rewritten

PLANTED: dict[str, Any] = {
    "DA": "19640229", "TM": "113355", "DT": "19640229113355", "AS": "077Y", "UI": "1.3.6.1.4.1.99999.5.5", "CS": "GEHEIM", "DS": "4711.5",
    "IS": "47115", "US": 47115, "UL": 47115, "SS": 4711, "FD": 4711.5, "FL": 4711.5, "OB": b"GEHEIM", "OW": b"GEHEIM", "UN": b"GEHEIM",
    "AT": 0x00100010, "SV": 47115, "SL": 47115, "UV": 47115, "OF": b"GEHE", "OD": b"GEHEIMER", "OL": b"GEHE", "OV": b"GEHEIMER",
}  # fmt: skip
TEXT = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
OPTIONS = (
    "retain_safe_private", "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "clean_descriptors", "clean_structured_content", "clean_graphics",
)  # fmt: skip
IODS = (
    "",
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.11.1",
)
#: What a letter of the table allows, for attributes and for sequences (PS3.15 E.1: a Z may be a dummy; an emptied sequence holds nothing).
LETTERS = {
    "X": {"remove"}, "Z": {"empty", "dummy"}, "D": {"dummy", "uid"}, "U": {"uid"}, "U*": {"recurse"},
}  # fmt: skip
OF_SEQUENCES = {
    "X": {"remove"},
    "Z": {"empty", "remove"},
    "D": {"recurse", "empty", "remove"},
    "U": {"recurse"},
    "U*": {"recurse"},
}


@cache
def lines() -> tuple[dict[str, str], ...]:
    text = files("configs").joinpath("standards", "ps3_15_table_e1_1_2026d.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def rows() -> dict[int, dict[str, str]]:
    return {int(row["tag"], 16): row for row in lines() if re.fullmatch("[0-9A-F]{8}", row["tag"])}


@cache
def vr_of(tag: int) -> str:
    return dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "LO"


@cache
def with_options(*options: str) -> Profile:
    """The table with these options, and nothing of a profile's own."""
    dates = "remove"
    if "retain_longitudinal_full_dates" in options:
        dates = "keep"
    elif "retain_longitudinal_modified_dates" in options:
        dates = "year"
    changes = {
        "options": list(options),
        "dates": dates,
        "safe_harbor": False,
        "attributes": {},
        "sop_classes": {"image": {IODS[1]: "CT"}},
    }
    return Profile.compile({**declared.read("safe_harbor"), **changes})


def demanded(row: dict[str, str], option: str, vr: str) -> set[str]:
    """What the table's row asks for."""
    granted = row[option] if option else ""
    sequence = vr == "SQ"
    if granted == "K":
        if sequence:
            return {"recurse"}
        return {"keep"} if option == "retain_patient_characteristics" else {"retain"}
    if granted == "C" and option == "retain_longitudinal_modified_dates":
        if vr in ("DA", "DT"):
            return {"year"}
    elif granted == "C":
        if sequence:
            return {"recurse"}
        if vr in TEXT:
            return {"clean"}
    letters = row["basic"].split("/")
    if vr in ("OB", "OW", "UN") and letters != ["U"]:
        return {"remove"}
    return set().union(*((OF_SEQUENCES if sequence else LETTERS)[letter] for letter in letters))


def fits_its_type(profile: Profile, tag: int, vr: str, iod: str, code: str, action: str) -> bool:
    """Whether an action that the code alone would not allow is what the attribute's type asks for, and only then."""
    kind = profile.types.kind(iod, (), tag)
    if kind in ("2", "2C"):
        return action == "empty"
    return kind in ("1", "1C") and vr != "SQ" and action in ("dummy", "uid")


def breaches(profile: Profile, tag: int, option: str) -> Iterator[tuple[str, str]]:
    """The IODs in which the profile does not do to the attribute what its row demands, and what it does."""
    row, vr = rows()[tag], vr_of(tag)
    for iod in IODS:
        action = profile.decide(tag, vr, iod).action
        if not dictionary_has_tag(tag):
            fine = action == "remove"
        else:
            want = demanded(row, option, vr)
            fine = action in want or fits_its_type(profile, tag, vr, iod, row["basic"], action)
            if (
                want <= set().union(*LETTERS.values(), *OF_SEQUENCES.values())
                and "X" in row["basic"]
                and row[option or "basic"] not in ("K", "C")
            ):
                known = profile.types.kind(iod, (), tag)
                fine = fine and (known != "" or action == "remove")  # optional: not kept without a reason
        if not fine:
            yield iod, action


@pytest.mark.parametrize("tag", sorted(rows()), ids=lambda tag: f"{tag:08X}")
def test_a_row_meets_its_code_under_every_option(tag: int) -> None:
    for option in ("", *OPTIONS):
        profile = with_options(*([option] if option else []))
        assert not list(breaches(profile, tag, option)), option or "basic"


def test_a_rule_that_does_not_follow_the_table_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = with_options()
    monkeypatch.setattr(type(profile), "decide", lambda self, tag, vr, sop_class="", path=(): Decision("keep", "lazy"))
    assert all(list(breaches(profile, tag, "")) for tag in rows())
    monkeypatch.undo()
    swapped = dataclasses.replace(profile, rows={**profile.rows, 0x00081030: profile.rows[0x00080018]}, _decided={})
    assert list(breaches(swapped, 0x00081030, ""))


@pytest.mark.parametrize("option", ["", *OPTIONS])
def test_curves_overlays_and_private_elements_are_removed_under_every_option(option: str) -> None:
    patterns = {row["tag"] for row in lines()} - {f"{tag:08X}" for tag in rows()}
    assert patterns == {"50xxxxxx", "60xx3000", "60xx4000", "PRIVATE"}
    profile = with_options(*([option] if option else []))
    for group in range(0, 0x20, 2):
        for number in (0x50000010, 0x50003000, 0x60003000, 0x60004000, 0x60000022):
            assert profile.decide(number + (group << 16), "OW").action == "remove"
    assert profile.decide(0x00291010, "OB").action == "remove"
    assert profile.decide_private("SIEMENS CSA HEADER", 0x00291020, "OB").action == "remove"
    safe = profile.decide_private("SIEMENS MR HEADER", 0x0019100C, "IS").action
    assert safe == ("keep" if option == "retain_safe_private" else "remove")


def test_all_combinations_of_options_give_each_row_a_decision_that_one_of_them_allows() -> None:
    shared = [tag for tag, row in rows().items() if sum(bool(row[option]) for option in OPTIONS) > 1 and dictionary_has_tag(tag)]
    assert len(shared) > 150
    sample = [tag for tag in shared if rows()[tag]["retain_device_identity"] or rows()[tag]["clean_descriptors"]] + shared[:5]
    base = with_options()
    for size in range(len(OPTIONS) + 1):
        for chosen in itertools.combinations(OPTIONS, size):
            full, modified = "retain_longitudinal_full_dates" in chosen, "retain_longitudinal_modified_dates" in chosen
            dates: Any = "keep" if full else "shift" if modified else "remove"
            profile = dataclasses.replace(base, options=frozenset(chosen), dates=dates, _decided={}, _required={})
            for tag in sample:
                row, vr = rows()[tag], vr_of(tag)
                action = profile.decide(tag, vr).action
                if vr in ("DA", "DT", "TM") and modified and not full and row["retain_longitudinal_modified_dates"]:
                    assert action == "shift", (chosen, f"{tag:08X}")  # never beside a date that is shifted
                    continue
                want = demanded(row, "", vr).union(*(demanded(row, option, vr) for option in chosen if row[option]))
                assert action in want, (chosen, f"{tag:08X}", action)
                if not any(row[option] for option in chosen):
                    assert action in demanded(row, "", vr)


def plant(vr: str) -> Any:
    if vr == "SQ":
        item = Dataset()
        item.TextValue = "GEHEIM"
        item.PatientName = "GEHEIM"
        return Sequence([item])
    return PLANTED.get(vr, "GEHEIM^Gerda" if vr == "PN" else "GEHEIM")


@cache
def released() -> tuple[Dataset, bytes]:
    """All rows planted in one data set, de-identified as Safe Harbor does and read back."""
    dataset = ct()
    for tag in rows():
        if tag >> 16 in (0x0000, 0x0002) or tag in DECIDED_BY_TESTS_OF_THEIR_OWN:
            continue
        dataset[tag] = element(tag, vr_of(tag), plant(vr_of(tag)))
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    content = rewritten(buffer.getvalue())
    return dcmread(BytesIO(content)), content


DECIDED_BY_TESTS_OF_THEIR_OWN = {0x00100010, 0x00100020, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E}


@pytest.mark.parametrize("tag", [tag for tag in rows() if tag >> 16 not in (0x0000, 0x0002)], ids=lambda tag: f"{tag:08X}")
def test_a_planted_value_meets_its_rows_code(tag: int) -> None:
    dataset, _ = released()
    row, vr = rows()[tag], vr_of(tag)
    ends = set(row["basic"].split("/"))
    value = dataset[tag].value if tag in dataset else None
    assert "GEHEIM" not in str(value)
    if row["retain_patient_characteristics"] == "K" or tag in DECIDED_BY_TESTS_OF_THEIR_OWN or tag not in dataset:
        return
    if row["retain_longitudinal_modified_dates"] and vr in ("DA", "DT"):
        assert str(value) == ("19640101" if vr == "DA" else "1964")
    elif vr == "SQ":
        assert (
            ends & {"Z", "D", "U", "U*"} or row["clean_descriptors"] or row["clean_structured_content"] or row["clean_graphics"]
        )
    elif value not in (None, ""):
        assert ends & {"D", "U"}
        assert str(value) != str(plant(vr))
        assert vr != "UI" or str(value).startswith("2.25.")


def test_no_planted_text_is_left_anywhere() -> None:
    _, content = released()
    assert b"GEHEIM" not in content.upper()
    assert b"1.3.6.1.4.1.99999" not in content
    assert b"19640229" not in content


def test_the_table_has_all_its_rows() -> None:
    assert (len(lines()), len(rows())) == (657, 653)
