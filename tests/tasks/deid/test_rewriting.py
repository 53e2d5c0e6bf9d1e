"""The rewriter works on bytes; here pydicom reads what went in and what came out, and both must tell the same story, however it was encoded."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tasks.deid import codes
from tasks.deid.header import Rewriter
from tasks.deid.rules import Profile, load
from tasks.deid.uids import Uids
from tasks.deid.values import Values
from tasks.dicom import instances
from tasks.dicom.stretches import Stretches
from tasks.errors import SafelightError
from tasks.pseudonyms import Pseudonyms
from tests.tasks.deid.making import ct

PROFILE, PSEUDONYMS = load("safe_harbor"), Pseudonyms(b"k" * 32)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
#: Attributes of every VR and of all kinds of decisions; the value is drawn by the VR.
ATTRIBUTES = (
    "StudyDate", "ContentTime", "AcquisitionDateTime", "PatientAge", "PatientWeight", "KVP", "ImageComments", "StudyDescription",
    "OperatorsName", "FrameOfReferenceUID", "ReferencedSOPInstanceUID", "ReferencedSOPClassUID", "BodyPartExamined", "ScanOptions",
    "SpacingBetweenSlices", "EchoTime", "EchoNumbers", "RecommendedDisplayFrameRate", "ImagePositionPatient", "FrameTime", "TriggerTime",
    "DiffusionBValue", "EffectiveEchoTime", "SliceThickness", "RetrieveURL", "TextValue", "InstitutionName", "StationName",
    "FrameIncrementPointer", "SmallestImagePixelValue", "RedPaletteColorLookupTableData", "PatientState", "ReviewDate", "DeviceUID",
    "DataSetTrailingPadding", "LossyImageCompression", "Exposure", "ReconstructionDiameter", "ReferencedFrameNumber",
)  # fmt: skip
SEQUENCES = (
    "SharedFunctionalGroupsSequence", "ReferencedImageSequence", "SourceImageSequence", "AnatomicRegionSequence", "PlanePositionSequence",
    "RequestAttributesSequence", "DerivationImageSequence", "FrameContentSequence", "OriginalAttributesSequence", "IconImageSequence",
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "DA": st.sampled_from(["20210317", "", "19991231"]), "TM": st.sampled_from(["101112", "10"]),
    "DT": st.sampled_from(["20210317101112", "2021"]), "AS": st.sampled_from(["045Y", "093Y"]),
    "DS": st.sampled_from(["1.5", "-3", "1e3", ["1", "2", "3"]]), "IS": st.sampled_from(["7", "1234", ["1", "2"]]),
    "FD": st.floats(-1e6, 1e6), "FL": st.just(1.5), "US": st.integers(0, 65535), "SS": st.integers(-9, 9), "UL": st.integers(0, 2**32 - 1),
    "AT": st.just(0x00181063), "UI": st.sampled_from(["1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.2", "1.3.6.1.4.1.99999.1.22.333"]),
    "CS": st.sampled_from(["CHEST", "YES", "A B", "x y", "12345678"]), "PN": st.just("Doe^John"), "OW": st.just(b"\1\2\3\4"), "OB": st.just(b"\1\2"),
}  # fmt: skip
TEXTS = st.sampled_from(["CHEST", "for John Doe", "", "W CONTRAST", "5 mm"])


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    made = Dataset()
    for keyword in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=8, unique=True)):
        setattr(made, keyword, draw(VALUES.get(_vr(keyword), TEXTS)))
        if keyword == "RedPaletteColorLookupTableData":
            made[keyword].VR = "OW"
        if keyword == "SmallestImagePixelValue":
            made[keyword].VR = "US"
    if draw(st.booleans()):
        made.add_new(0x00191010, "LO", "NOBODY KNOWS")
        made.add_new(0x0019100C, "IS", "1000")
        made.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
        made.add_new(0x00211088, "SQ" if draw(st.booleans()) else "LO", None)
    if depth < 3:
        for keyword in draw(st.lists(st.sampled_from(SEQUENCES), max_size=3, unique=True)):
            items = draw(st.lists(data_sets(depth + 1), max_size=2))
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            element = DataElement(_tag(keyword), "SQ", Sequence(items))
            element.is_undefined_length = draw(st.booleans())
            made[element.tag] = element
    return made


def _vr(keyword: str) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(_tag(keyword)).split(" or ")[0]


def _tag(keyword: str) -> int:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag


def file_of(content: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A CT with these attributes, encoded by pydicom."""
    made = ct()
    for element in content:
        made[element.tag] = element
    made.file_meta.TransferSyntaxUID = syntax
    if "SOPInstanceUID" not in content:
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    buffer = BytesIO()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    whole = FileDataset("", made, file_meta=made.file_meta, preamble=b"\0" * 128)
    dcmwrite(buffer, whole, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


def rewriter() -> Rewriter:
    return Rewriter(
        PROFILE, Values(PROFILE, Uids(PROFILE, PSEUDONYMS), lambda text: text if text == "CHEST" else "", "SL-AAAAAAAAAAAA")
    )


def header(content: bytes, by: Rewriter | None = None, stretches: Stretches | None = None) -> bytes:
    return (by or rewriter()).rewrite(instances.of_bytes(content, stretches))


def plain(dataset: Dataset) -> list[Any]:
    """A data set as nested lists, as pydicom reads it."""
    return [(int(each.tag), [plain(item) for item in each.value] if each.VR == "SQ" else str(each.value)) for each in dataset]


@given(data_sets())
@settings(max_examples=150, deadline=None)
def test_pydicom_reads_in_the_release_what_the_profile_decided_of_what_it_read_in_the_original(content: Dataset) -> None:
    original, released = dcmread(BytesIO(file_of(content))), dcmread(BytesIO(header(file_of(content))))
    _agree(original, released, PROFILE, (), str(original.SOPClassUID))
    assert [each.tag for each in released] == sorted(each.tag for each in released)


def _agree(original: Dataset, released: Dataset, profile: Profile, path: tuple[int, ...], sop_class: str) -> None:
    """Every element of the one stands in the other as its decision says, at every depth, and nothing else does."""
    expected = set()
    for element in original:
        tag = int(element.tag)
        if tag in codes.CODE_TAGS or (path == () and tag >> 16 == 0x7FE0):
            continue
        decision = profile.decide(tag, element.VR, sop_class, path) if not element.tag.is_private else None
        after = released.get(element.tag)
        if decision is None or decision.action == "remove" or tag >> 16 == 0x7FE0 or "PaletteColor" in element.keyword:
            assert after is None, element.keyword
            continue
        expected.add(tag)
        assert after is not None, (element.keyword, decision)
        if element.VR == "SQ":
            kept = decision.action in ("recurse", "keep", "retain", "clean")
            assert len(after.value) == (len(element.value) if kept else 0), element.keyword
            for one, other in zip(element.value, after.value, strict=False):
                _agree(one, other, profile, (*path, tag), sop_class)
        elif decision.action in ("keep", "retain") and element.VR in ("DS", "IS", "FD", "FL", "US", "SS", "UL", "AT"):
            assert after.value == element.value, element.keyword
        elif decision.action == "uid":
            well_known = str(element.value).startswith("1.2.840.10008.")
            assert after.value == (element.value if well_known or not element.value else PSEUDONYMS.uid(str(element.value)))
        elif decision.action == "empty":
            assert not after.value, element.keyword
        elif decision.action == "year" and element.VR == "DA":
            assert after.value == (f"{str(element.value)[:4]}0101" if element.value else "")
    said = {0x00120062, 0x00120063, 0x00120064, 0x00280303} if path == () else set()
    assert {int(each.tag) for each in released} - said - codes.CODE_TAGS == expected


@given(data_sets())
@settings(max_examples=60, deadline=None)
def test_however_it_is_encoded_the_release_says_the_same(content: Dataset) -> None:
    read = [plain(dcmread(BytesIO(header(file_of(content, syntax))))) for syntax in SYNTAXES]
    assert read[0] == read[2] == read[3]
    # Without VRs, what pydicom wrote as another VR than the dictionary's comes back as the dictionary's: only that may differ.
    assert [tag for tag, _ in read[0]] == [tag for tag, _ in read[1]]


@given(st.lists(data_sets(), min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_was_rewritten_before_changes_nothing(contents: list[Dataset], order: Any) -> None:
    files = [file_of(content, syntax) for content, syntax in zip(contents, SYNTAXES, strict=False)]
    alone = {content: header(content) for content in files}
    shuffled = files * 4
    order.shuffle(shuffled)
    shared, stretches = rewriter(), Stretches()
    for content in shuffled:
        read, expected = instances.of_bytes(content, stretches), instances.of_bytes(content)
        assert (read.head, read.pixels) == (expected.head, expected.pixels)
        assert shared.rewrite(read) == alone[content]


@given(data_sets())
@settings(max_examples=40, deadline=None)
def test_the_audit_counts_every_element_once(content: Dataset) -> None:
    by, stretches = rewriter(), Stretches()
    file = file_of(content)
    for _ in range(5):
        header(file, by, stretches)
    by.undo()
    counted = by.finish()
    one = rewriter()
    header(file, one)
    assert counted == {mark: 4 * n for mark, n in one.finish().items()}


def test_the_same_bytes_mean_another_thing_in_another_character_set() -> None:
    greek, latin = ct(1), ct(2)
    greek.SpecificCharacterSet, latin.SpecificCharacterSet = "ISO_IR 126", "ISO_IR 100"
    profile = load("safe_harbor")
    seen: list[str] = []

    def clean(text: str) -> str:
        seen.append(text)
        return ""

    by = Rewriter(profile, Values(profile, Uids(profile, PSEUDONYMS), clean, "SL-AAAAAAAAAAAA"))
    for dataset in (greek, latin):
        dataset.StudyDescription = "x"
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        by.rewrite(instances.of_bytes(buffer.getvalue().replace(b"LO\x02\x00x ", b"LO\x02\x00\xe1\xe2")))
    assert seen == ["αβ", "áâ"]


def nested(depth: int, *, defined: bool) -> bytes:
    """A CT with sequences in sequences, as deep as asked."""
    tag = b"\x08\x00\x40\x11"
    content = b""
    for _ in range(depth):
        if defined:
            item = b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
            content = tag + b"SQ\0\0" + len(item).to_bytes(4, "little") + item
        else:
            content = (
                tag
                + b"SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
                + content
                + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
            )
    base = file_of(Dataset())
    at = base.index(b"\x10\x00\x10\x00PN")
    return base[:at] + content + base[at:]


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [100, 1000, 20_000])
def test_what_is_nested_too_deep_is_refused_with_a_code(depth: int, defined: bool) -> None:
    with pytest.raises(SafelightError, match=r"E-DEID-(UNREADABLE|TRUNCATED)"):
        header(nested(depth, defined=defined))
    assert header(nested(5, defined=defined))


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "MOST_INFLATED", 1 << 22)
    base = file_of(Dataset(), DeflatedExplicitVRLittleEndian)
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(stream.compress(bytes(1 << 20)) for _ in range(5)) + stream.flush()
    head = base[: instances.of_bytes(base).meta[-1][4]]
    with pytest.raises(SafelightError, match="E-DEID-TOO-LARGE"):
        instances.of_bytes(head + bomb)


def test_an_attribute_that_stands_twice_is_refused() -> None:
    base = file_of(Dataset())
    at = base.index(b"\x10\x00\x20\x00LO")
    twice = base[:at] + b"\x10\x00\x20\x00LO\x04\x00DOE " + base[at:]
    with pytest.raises(SafelightError, match="E-DEID-UNREADABLE"):
        instances.of_bytes(twice)


def test_elements_out_of_order_are_put_in_order() -> None:
    base = file_of(Dataset())
    at = base.index(b"\x08\x00\x60\x00CS")
    moved = base[:at] + base[at + 10 :]
    later = moved.index(b"\x28\x00\x02\x00US")
    odd = moved[:later] + base[at : at + 10] + moved[later:]
    assert header(odd) == header(base)


def test_the_standard_class_is_the_one_that_is_tested() -> None:
    assert ct().SOPClassUID == CTImageStorage
