"""The list of private elements that may stay: what it names, where each row is from, and that nothing but numbers and codes passes."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.datadict import private_dictionary_VR
from pydicom.tag import Tag

from tasks.deid.rules import load
from tasks.deid.safe_private import SafePrivate, safe_private
from tasks.errors import ConfigurationError
from tests.tasks.deid.test_profile import written
from tests.tasks.volumes.phantom import csa

CREATORS = {
    "gems_acqu_01": "GEMS_ACQU_01", "gems_parm_01": "GEMS_PARM_01", "gems_helios_01": "GEMS_HELIOS_01", "gems_sers_01": "GEMS_SERS_01",
    "siemens mr header": "SIEMENS MR HEADER", "philips pet private group": "Philips PET Private Group", "elscint1": "ELSCINT1",
    "philips imaging dd 001": "Philips Imaging DD 001", "philips mr imaging dd 001": "Philips MR Imaging DD 001",
    "siemens csa header": "SIEMENS CSA HEADER",
}  # fmt: skip


def test_every_row_has_the_vr_that_another_dictionary_knows() -> None:
    entries, _ = safe_private("safe_private")
    assert len(entries) > 70
    unknown = []
    for (creator, group, number), entry in entries.items():
        try:
            assert private_dictionary_VR(Tag(group, 0x2000 + number), CREATORS[creator]) == entry.vr
        except KeyError:
            unknown.append((creator, number))
        assert entry.vr in {"DS", "IS", "FD", "FL", "SL", "SS", "UL", "US", "CS"} or (creator, entry.vr) == (
            "siemens csa header",
            "OB",
        )
        assert entry.source
    assert unknown == [("elscint1", 0x26)]  # phantom type: in Table E.3.10-1, not in pydicom's dictionary


@pytest.mark.parametrize(
    ("creator", "tag", "vr", "action"),
    [
        ("SIEMENS MR HEADER", 0x0019100C, "IS", "keep"), ("SIEMENS MR HEADER ", 0x0019110C, "UN", "keep"),
        ("Siemens MR Header", 0x0019100E, "FD", "keep"),
        ("GEMS_PARM_01", 0x00431039, "IS", "keep"), ("Philips PET Private Group", 0x70531000, "DS", "keep"),
        ("PHILIPS MR IMAGING DD 001", 0x2005100E, "FL", "keep"), ("SIEMENS MR HEADER", 0x00191009, "LO", "remove"),
        ("SIEMENS MR HEADER", 0x0019100C, "LO", "remove"), ("SIEMENS CSA HEADER", 0x00291010, "OB", "keep"),
        ("SIEMENS CSA HEADER", 0x00291020, "OB", "remove"), ("", 0x0019100C, "IS", "remove"),
        ("SIEMENS MR HEADER", 0x0029100C, "IS", "remove"), ("GEMS_PARM_01", 0x0019100C, "IS", "remove"),
        ("Philips PET Private Group", 0x70531003, "ST", "remove"),
    ],
)  # fmt: skip
def test_a_private_element_stays_by_creator_element_and_vr(creator: str, tag: int, vr: str, action: str) -> None:
    assert load("safe_harbor").decide_private(creator, tag, vr).action == action
    assert load("basic").decide_private(creator, tag, vr).action == "remove"


DIRECTION = SafePrivate("FD", 3, 3, "", "")
BVALUE = SafePrivate("IS", 1, 1, "", "")
CODE = SafePrivate("CS", 1, 1, "", "")


@pytest.mark.parametrize(
    ("entry", "value", "fine"),
    [
        (DIRECTION, struct.pack("<3d", 0.1, -0.7, 0.7), True), (DIRECTION, struct.pack(">3d", 0.1, -0.7, 0.7), True), (DIRECTION, b"", True),
        (DIRECTION, b"Erika Mustermann 1937041", False), (DIRECTION, struct.pack("<2d", 0.1, 0.7), False), (DIRECTION, b"\x01\x02\x03", False),
        (BVALUE, b"1000", True), (BVALUE, b" 1000 ", True), (BVALUE, b"Doe", False), (BVALUE, b"1000\\1000", False), (BVALUE, b"12-34", False),
        (BVALUE, b"", True), (CODE, b"DIRECTIONAL ", True), (CODE, b"Mustermann", False), (CODE, b"MRN47110815", False), (CODE, b"A\\B", False),
        (SafePrivate("US", 1, 1, "", ""), b"00", True), (SafePrivate("DS", 1, 4, "", ""), b"0.5\\-1e-3\\.5", True),
    ],
)  # fmt: skip
def test_only_numbers_and_codes_pass(entry: SafePrivate, value: bytes, fine: bool) -> None:
    assert entry.allows(value) is fine


def test_of_siemens_private_header_one_vector_stays() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom import csareader
    entry = SafePrivate("OB", 1, 1, "", "")
    whole = csa((0.0, 0.6, -0.8)) + b"Mustermann^Erika"
    kept = entry.kept(whole)
    assert kept is not None
    assert b"Muster" not in kept
    assert np.allclose(csareader.get_slice_normal(csareader.read(kept)), (0, 0.6, -0.8))
    assert entry.kept(b"SV10" + b"Mustermann^Erika" * 8) is None
    assert entry.kept(b"") is None
    assert entry.kept(csa((1.0, 1.0, 0.0))) is None, "no unit vector"


@pytest.mark.parametrize(
    "row",
    ["ACME,0019xx0C,LO,1,a text,somewhere", "ACME,0018xx0C,IS,1,a group of the standard's,somewhere",
     "ACME,0019100C,IS,1,not in xx notation,somewhere",
     "ACME,0019xx0C,IS,1,no source,", ",0019xx0C,IS,1,no creator,somewhere", "ACME,0019xx0C,IS,some,no number,somewhere", "ACME,0019xx0C"],
)  # fmt: skip
def test_a_slip_in_a_sites_own_list_is_told(row: str, tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(f"creator,element,vr,vm,meaning,source\n{row}\n")
    with pytest.raises(ConfigurationError, match=r"E-DEID-PROFILE.*safe_private: line 2"):
        load(written(tmp_path, safe_private=str(tmp_path / "ours.csv")))


def test_a_sites_own_list_is_followed(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text("creator,element,vr,vm,meaning,source\nACME,0019xx0C,IS,1,b-value,conformance statement\n")
    profile = load(written(tmp_path, safe_private=str(tmp_path / "ours.csv")))
    assert profile.decide_private("ACME", 0x0019100C, "IS").action == "keep"
    assert profile.decide_private("SIEMENS MR HEADER", 0x0019100C, "IS").action == "remove"
    assert profile.digest != load("safe_harbor").digest
