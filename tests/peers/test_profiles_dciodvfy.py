"""dciodvfy (dicom3tools) misses nothing in an object of any allowed SOP class that a profile rewrote and that it did not miss before.

The objects are made from the types of `configs/standards`: every attribute that a profile may have to take away stands at every place
where PS3.3 has it, with a value. dicom3tools has its own tables of the IODs, so what it asks for is not what we read.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComprehensiveSRStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
)

from tasks.deid.attribute_types import attribute_types
from tasks.deid.rules import load
from tests.tasks.deid import making
from tests.tasks.deid.making import element, rewritten

pytestmark = [pytest.mark.peer("dciodvfy"), pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

PROFILES = ("basic", "safe_harbor", "research_longitudinal")  # expert_determination differs from the last one in ages only
VALUES: dict[str, Any] = {
    "DA": "20210317", "TM": "101112", "DT": "20210317101112", "AS": "044Y", "CS": "YES", "DS": "1.5", "IS": "1", "UI": "1.3.6.1.4.1.99999.5.5",
    "US": 1, "UL": 1, "SS": 1, "SL": 1, "FD": 1.5, "FL": 1.5, "OB": b"\1\2", "OW": b"\1\2", "PN": "Zwiebelturm^Zita", "UN": b"\1\2", "AT": 0x00100010,
}  # fmt: skip
#: What dciodvfy says of an attribute that its module needs, and of a sequence.
MISSING = re.compile("(Missing|Empty) attribute|Bad Sequence number of Items|no value", re.IGNORECASE)


def full(sop_class: str) -> bytes:
    """An object with a value at each place of the SOP class's IOD that the list of types names, sequences with one item."""
    types = attribute_types()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, "1.3.6.1.4.1.99999.5.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = sop_class, "1.3.6.1.4.1.99999.5.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = "1.3.6.1.4.1.99999.5.2", "1.3.6.1.4.1.99999.5.3", "OT"
    for path, tag in sorted(types.places, key=lambda place: len(place[0])):
        if not types.kind(sop_class, path, tag) or tag == 0x00080005:  # a made-up character set would only be warned of
            continue
        inner: Dataset = made
        for sequence in path:
            if sequence not in inner or not inner[sequence].value:
                inner[sequence] = element(sequence, "SQ", Sequence([Dataset()]))
            inner = inner[sequence].value[0]
        vr = dictionary_VR(tag).split(" or ")[0]
        if tag not in inner:
            inner[tag] = element(tag, vr, Sequence([Dataset()]) if vr == "SQ" else VALUES.get(vr, "Zwiebelturm"))
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def missed(content: bytes, folder: Path) -> frozenset[str]:
    """What dciodvfy says is missing or empty, without item numbers."""
    (folder / "one.dcm").write_bytes(content)
    done = subprocess.run(["dciodvfy", "-new", str(folder / "one.dcm")], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert any("Storage" in line or line.isalnum() for line in lines)
    return frozenset(re.sub(r"\[\d+\]", "[]", line) for line in lines if line.startswith("Error") and MISSING.search(line))


@pytest.mark.parametrize("sop_class", load("safe_harbor").sop_classes)
def test_nothing_is_missed_that_was_not_missed_before(sop_class: str, tmp_path: Path) -> None:
    with pydicom.config.disable_value_validation():
        before = full(sop_class)
        known = missed(before, tmp_path)
        for profile in PROFILES:
            if sop_class in load(profile).sop_classes:
                after = rewritten(before, profile=profile)
                assert missed(after, tmp_path) - known == set(), profile


@pytest.mark.parametrize("sop_class", [EnhancedCTImageStorage, ComprehensiveSRStorage, GrayscaleSoftcopyPresentationStateStorage])
def test_a_profile_without_types_would_be_found(sop_class: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load("safe_harbor")
    blind = dataclasses.replace(profile, types=dataclasses.replace(profile.types, places={}), _decided={}, _required={})
    with pydicom.config.disable_value_validation():
        before = full(sop_class)
        monkeypatch.setattr(making, "load", lambda _name: blind)
        assert missed(rewritten(before), tmp_path) - missed(before, tmp_path)
