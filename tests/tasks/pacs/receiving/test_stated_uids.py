"""What a data set states of itself is read from its start as pydicom reads the whole, in every encoding; what cannot be, pydicom reads."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)

from tasks.pacs.receiving.stated import HEAD, SERIES, SOP_INSTANCE, STUDY, stated, stated_by_file
from tests.tasks.pacs.hospital import instance
from tests.tasks.pacs.receiving.wire import encoded

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
REAL = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "rtplan.dcm",
    "test-SR.dcm",
    "JPEG2000.dcm",
    "image_dfl.dcm",
    "nested_priv_SQ.dcm",
)


def truth(made: Dataset) -> dict[int, str]:
    """By pydicom's data set."""
    return {tag: str(made[tag].value) for tag in (SOP_INSTANCE, STUDY, SERIES) if tag in made}


def with_sequences(undefined: bool) -> Dataset:
    """An instance that references others, as real ones do, in sequences within sequences before the study's UID."""
    made, inner, innermost = instance(), Dataset(), Dataset()
    innermost.StudyInstanceUID, innermost.SeriesInstanceUID, innermost.SOPInstanceUID = "9.9.1", "9.9.2", "9.9.3"
    inner.ReferencedSOPSequence = Sequence([innermost, innermost])
    inner.SOPInstanceUID = "9.9.4"
    made.ReferencedStudySequence = Sequence([inner])
    made.SourceImageSequence = Sequence([])
    for each in (made, inner):
        for element in each:
            if element.VR == "SQ":
                element.is_undefined_length = undefined
                for item in element.value:
                    item.is_undefined_length_sequence_item = undefined
    return made


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_uids_of_sequences_are_not_taken_for_the_instances_own(syntax: str, undefined: bool) -> None:
    made = with_sequences(undefined)
    content = encoded(made, syntax)
    if syntax == DeflatedExplicitVRLittleEndian and content[:4] == encoded(made)[:4]:
        content = deflated(content)
    assert stated(content, syntax, whole=True) == truth(made)


def deflated(content: bytes) -> bytes:
    """As PS3.5 A.5 has it: raw."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_pydicom_reads_them(name: str, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    whole = dcmread(path)
    syntax = str(whole.file_meta.TransferSyntaxUID)
    offset = 144 + int(whole.file_meta.FileMetaInformationGroupLength)
    content = path.read_bytes()[offset:]
    quick = stated(content[:HEAD], syntax, whole=len(content) <= HEAD)
    assert quick in (None, truth(whole))
    assert stated_by_file(path, offset, syntax) == truth(whole)
    if name in {"CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "JPEG2000.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"}:
        assert quick is not None


def test_uids_behind_a_great_element_are_read_from_the_file(tmp_path: Path) -> None:
    made = instance()
    made.add_new(0x00091001, "OB", bytes(3 * HEAD))
    content = encoded(made)
    assert stated(content[:HEAD], ExplicitVRLittleEndian, whole=False) is None
    (tmp_path / "x").write_bytes(b"before" + content)
    assert stated_by_file(tmp_path / "x", 6, ExplicitVRLittleEndian) == truth(made)


def test_a_few_kilobytes_that_inflate_to_gigabytes_are_inflated_only_so_far(tmp_path: Path) -> None:
    made = instance()
    made.add_new(0x00091001, "OB", bytes(64 << 20))
    content = deflated(encoded(made))
    assert len(content) < 1 << 17
    assert stated(content[:HEAD], DeflatedExplicitVRLittleEndian, whole=False) is None
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever pydicom makes of a data set that ends too early
        assert STUDY in stated_by_file(tmp_path / "x", 0, DeflatedExplicitVRLittleEndian)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_reader_says_of_damaged_bytes_pydicom_says_too(data: st.DataObject) -> None:
    """The short reader may give up; it must not see other UIDs than pydicom, by which all later stages go."""
    syntax = data.draw(st.sampled_from([ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1]))
    undefined = data.draw(st.booleans())
    uid = UID(syntax)
    content = bytearray(encoded(with_sequences(undefined), ExplicitVRLittleEndian if uid == JPEGLosslessSV1 else syntax))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, min(len(content) - 1, 700)))
        match data.draw(st.integers(0, 2)):
            case 0:
                content[place] = data.draw(st.integers(0, 255))
            case 1:
                del content[place : place + data.draw(st.integers(1, 12))]
            case _:
                content[place:place] = data.draw(st.binary(max_size=12))
    found = stated(bytes(content), syntax, whole=True)
    if found is None:
        return
    try:
        whole = read_dataset(
            BytesIO(bytes(content)), uid.is_implicit_VR, uid.is_little_endian, stop_when=lambda tag, *_: tag > SERIES
        )
    except Exception:  # noqa: BLE001 - a broken one
        return
    for tag, text in found.items():
        raw = whole.get_item(tag)
        assert raw is not None
        value = raw.value if isinstance(raw.value, bytes) else str(raw.value or "").encode()
        assert value.decode("ascii", "replace").rstrip(" \0") == text
