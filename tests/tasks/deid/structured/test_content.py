"""Content trees: nothing of a person is left at any depth, references still point where they did, and what is odd is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from tasks.deid import codes
from tasks.deid.structured import content
from tasks.deid.structured.content import clean_content
from tasks.deid.structured.transforms import clean_code
from tasks.errors import SafelightError
from tests.tasks.deid.structured.making import PLANTED, Answers, code, encoded, item, number, read_again, reference, report, tree

FINDING, MEASUREMENT = code("121071"), code("410668003", "SCT")


def cleaned(*below: Dataset, options: frozenset[str] = frozenset()) -> Dataset:
    dataset = tree(*below)
    clean_content(dataset, options=options, transforms=Answers())
    return dataset


def only(value_type: str, concept: Dataset | None = None, **values: object) -> Dataset:
    """The one item that is left of one."""
    (left,) = cleaned(item(value_type, concept, **values)).ContentSequence
    return left


def test_no_identifier_is_left_in_the_bytes_of_a_report_at_any_depth() -> None:
    below: list[Dataset] = []
    for _ in range(6):
        every = [item(kind, code("4711", "99X"), **values) for kind, values in PLANTED.items() if kind != "CONTAINER"]
        below = [item("CONTAINER", code("4711", "99X"), *every, *below, ContinuityOfContent="SEPARATE")]
    dataset = read_again(report(*below))
    before = encoded(dataset)
    clean_content(dataset, options=frozenset({"clean_descriptors", "retain_longitudinal_modified_dates"}), transforms=Answers())
    after = encoded(dataset)
    for original in (
        b"Zwiebelturm",
        b"Zita",
        b"29.02.",
        b"19640229",
        b"113355",
        b"1.3.6.1.4.1.99999.5.5",
        b"GEHEIM",
        b"4711",
        b"99X",
        b"MEANING",
    ):
        assert original in before
        assert original not in after
    assert after.count(b"CT CHEST") == 6
    assert after.count(b"77.25") == 6


def test_concepts_that_the_table_does_not_list_are_treated_by_value_type() -> None:
    length = code("410668003", "SCT")
    assert only("TEXT", length, TextValue="CHEST of Zwiebelturm").TextValue == "CHEST"
    assert only("TEXT", length, TextValue="Zwiebelturm").TextValue == "REMOVED"
    assert only("PNAME", length, PersonName="Zwiebelturm^Zita").PersonName == "REMOVED"
    assert only("DATE", length, Date="19640229").Date == "19640101"
    assert only("DATE", length, Date="").Date == "19000101"
    assert only("TIME", length, Time="113355").Time == "000000"
    assert only("DATETIME", length, DateTime="19640229113355").DateTime == "1964"
    assert only("UIDREF", length, UID="1.3.6.1.4.1.99999.5.5").UID.startswith("2.25.")
    assert only("UIDREF", length, UID="1.2.840.10008.5.1.4.1.1.2").UID == "1.2.840.10008.5.1.4.1.1.2"
    known = only("CODE", length, ConceptCodeSequence=[code("51185008", "SCT", "Zwiebelturm")]).ConceptCodeSequence[0]
    assert (known.CodeValue, known.CodeMeaning) == ("51185008", codes.meaning("51185008", "SCT"))
    coordinates = only(
        "SCOORD3D",
        length,
        GraphicType="POINT",
        GraphicData=[1.0, 2.0, 3.0],
        ReferencedFrameOfReferenceUID="1.3.6.1.4.1.99999.5.5",
    )
    assert coordinates.GraphicData == [1.0, 2.0, 3.0]
    assert coordinates.ReferencedFrameOfReferenceUID.startswith("2.25.")
    assert only("TCOORD", length, TemporalRangeType="POINT", ReferencedDateTime="19640229113355").ReferencedDateTime == "1964"


def test_a_number_keeps_its_value_and_unit() -> None:
    left = only("NUM", MEASUREMENT, MeasuredValueSequence=number("-12.5e-3", "mm")).MeasuredValueSequence[0]
    assert str(left.NumericValue) == "-12.5e-3"
    assert left.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    for unit in ("mm2", "cm3", "[hnsf'U]", "mGy.cm", "%", "{ratio}", "1", "a"):
        left = only("NUM", MEASUREMENT, MeasuredValueSequence=number("1", unit)).MeasuredValueSequence[0]
        assert left.MeasurementUnitsCodeSequence[0].CodeValue == unit
    assert "MeasuredValueSequence" in only("NUM", MEASUREMENT, MeasuredValueSequence=[])


@pytest.mark.parametrize(
    ("value", "unit", "left"),
    [("89", "a", "89"), ("89.9", "a", "89.9"), ("93", "a", "90"), ("1200", "mo", "1080"), ("36000", "d", "32872"), ("", "a", "")],
)
def test_an_age_over_89_becomes_90(value: str, unit: str, left: str) -> None:
    measured = number(value, unit)
    measured[0].FloatingPointValue = 93.0
    dataset = cleaned(
        item("NUM", code("121033"), MeasuredValueSequence=measured), options=frozenset({"retain_patient_characteristics"})
    )
    value_left = dataset.ContentSequence[0].MeasuredValueSequence[0]
    assert str("" if value_left.NumericValue is None else value_left.NumericValue) == left
    assert "FloatingPointValue" not in value_left


def test_a_name_as_a_text_or_a_birth_date_as_a_time_escapes_no_row() -> None:
    assert "ContentSequence" not in cleaned(item("DATETIME", code("121031"), DateTime="19640229"))
    assert only("TEXT", code("121029"), TextValue="CHEST").TextValue == "REMOVED"
    assert only("CODE", FINDING, ConceptCodeSequence=[code("51185008", "SCT")]).ConceptCodeSequence[0].CodeValue == "51185008"


def test_a_code_of_snomed_rt_meets_the_row_of_its_snomed_ct_equivalent() -> None:
    assert only("TEXT", code("T-D0005", "SRT"), TextValue="CHEST").TextValue  # unlisted
    assert only("TEXT", code("G-C0E3", "SRT"), TextValue="CHEST").TextValue == "REMOVED"  # Finding Site, 363698007


def test_coordinates_go_with_the_image_that_they_were_drawn_on() -> None:
    image = item("IMAGE", code("121080"), relationship="SELECTED FROM", ReferencedSOPSequence=[reference("1.2.3.4.5.6")])
    region = item("SCOORD", None, image, GraphicType="POINT", GraphicData=[1.0, 2.0])
    assert "ContentSequence" not in cleaned(item("CONTAINER", None, region)).ContentSequence[0]
    unnamed = item(
        "IMAGE", None, relationship="SELECTED FROM", ReferencedSOPSequence=[reference("1.2.3.4.5.6", ReferencedFrameNumber=3)]
    )
    (left,) = cleaned(item("SCOORD", None, unnamed, GraphicType="POINT", GraphicData=[1.0, 2.0])).ContentSequence
    referenced = left.ContentSequence[0].ReferencedSOPSequence[0]
    assert referenced.ReferencedSOPInstanceUID.startswith("2.25.")
    assert referenced.ReferencedFrameNumber == 3
    assert referenced.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_a_presentation_state_that_an_image_refers_to_gets_a_new_uid_too() -> None:
    nested = reference("1.2.3.4.5.6", ReferencedSOPSequence=[reference("1.2.3.4.5.7")])
    inner = only("IMAGE", None, ReferencedSOPSequence=[nested]).ReferencedSOPSequence[0].ReferencedSOPSequence[0]
    assert inner.ReferencedSOPInstanceUID == Answers().uid("1.2.3.4.5.7")


def pointer(*position: int) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ReferencedContentItemIdentifier = "INFERRED FROM", list(position)
    return made


def test_references_follow_when_items_before_their_target_are_removed() -> None:
    target = item("TEXT", MEASUREMENT, TextValue="LUNG nodule")
    secret = item("TEXT", code("121022"), TextValue="4711")
    section = item("CONTAINER", None, secret, target)
    dataset = cleaned(secret, section, item("NUM", MEASUREMENT, pointer(1, 2, 2), MeasuredValueSequence=number("5")))
    assert [each.ValueType for each in dataset.ContentSequence] == ["CONTAINER", "NUM"]
    assert dataset.ContentSequence[1].ContentSequence[0].ReferencedContentItemIdentifier == [1, 1, 1]
    assert dataset.ContentSequence[0].ContentSequence[0].TextValue == "LUNG nodule"


def test_references_to_what_is_removed_are_removed_and_move_the_others() -> None:
    secret = item("TEXT", code("121022"), TextValue="4711")
    kept = item("TEXT", MEASUREMENT, TextValue="LUNG")
    measured = item(
        "NUM", MEASUREMENT, pointer(1, 1), item("CONTAINER", None, kept), pointer(1, 2, 2, 1), MeasuredValueSequence=number("5")
    )
    dataset = cleaned(secret, measured)
    assert [each.get("ReferencedContentItemIdentifier") for each in dataset.ContentSequence[0].ContentSequence] == [
        None,
        [1, 1, 1, 1],
    ]


def test_the_acquisition_context_and_specimen_steps_are_content_too() -> None:
    dataset, specimen, step = Dataset(), Dataset(), Dataset()
    context = item("TEXT", MEASUREMENT, TextValue="CHEST Zwiebelturm")
    bare = item("NUM", MEASUREMENT, NumericValue="5", MeasurementUnitsCodeSequence=[code("mm", "UCUM")])
    old = item("TEXT", MEASUREMENT, TextValue="Zwiebelturm")
    del old.ValueType
    dataset.AcquisitionContextSequence = [context, bare, old, item("PNAME", code("121088"), PersonName="Zwiebelturm")]
    step.SpecimenPreparationStepContentItemSequence = [item("TEXT", code("121041"), TextValue="Zwiebelturm"), context]
    specimen.SpecimenPreparationSequence = [step]
    dataset.SpecimenDescriptionSequence = [specimen]
    clean_content(dataset, options=frozenset(), transforms=Answers())
    assert [each.get("TextValue") for each in dataset.AcquisitionContextSequence] == ["CHEST", None, "REMOVED"]
    assert dataset.AcquisitionContextSequence[1].NumericValue == 5
    assert [each.TextValue for each in step.SpecimenPreparationStepContentItemSequence] == ["CHEST"]


def pointing_text() -> Dataset:
    made = pointer(1)
    made.TextValue = "Zwiebelturm"
    return item("CONTAINER", None, made)


def two_names() -> Dataset:
    made = item("TEXT", None, TextValue="CHEST")
    made.ConceptNameCodeSequence = [code("121071"), code("121029")]
    return made


def deep() -> Dataset:
    made = item("CONTAINER")
    for _ in range(70):
        made = item("CONTAINER", None, made)
    return made


BROKEN: dict[str, Callable[[], Dataset]] = {
    "unknown value type": lambda: item("VOICE", FINDING),
    "a table": lambda: item("TABLE", FINDING),
    "no value type": lambda: item("", FINDING),
    "a value of another type": lambda: item("TEXT", FINDING, TextValue="CHEST", PersonName="Zwiebelturm"),
    "a container with a text": lambda: item("CONTAINER", FINDING, TextValue="Zwiebelturm"),
    "two names": two_names,
    "a reference with a text": pointing_text,
    "too deep": deep,
    "no number": lambda: item("NUM", MEASUREMENT, MeasuredValueSequence=number("12")),
    "an age in no unit of time": lambda: item("NUM", code("30525-0", "LN"), MeasuredValueSequence=number("93", "mm")),
    "a reference to nothing": lambda: item("TEXT", MEASUREMENT, pointer(1, 9), TextValue="CHEST"),
    "a reference that is no position": lambda: item("TEXT", MEASUREMENT, pointer(2, 1), TextValue="CHEST"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_understood_is_refused(name: str) -> None:
    made = BROKEN[name]()
    if name == "no number":
        made.MeasuredValueSequence[0]["NumericValue"]._value = "Zwiebelturm"
    with pytest.raises(SafelightError, match="E-DEID-STRUCTURE") as refused:
        cleaned(made)
    assert "Zwiebelturm" not in str(refused.value)


def test_a_cleaner_that_lets_texts_through_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "text", lambda self, text: text)
    assert "Zwiebelturm" in only("TEXT", MEASUREMENT, TextValue="CHEST of Zwiebelturm").TextValue
    monkeypatch.setattr(content, "clean_code", lambda code: True)
    assert "Zwiebelturm" in str(only("TEXT", code("4711", "99X"), TextValue="x").ConceptNameCodeSequence)


def test_a_code_that_is_unknown_keeps_nothing_of_its_own() -> None:
    local = code("4711", "99X", "Zwiebelturm")
    local.CodingSchemeVersion = "9"
    assert not clean_code(local)
    assert (local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning) == codes.UNKNOWN
    assert "CodingSchemeVersion" not in local


@pytest.mark.parametrize(
    "unit",
    ["mGy.cm", "g/mL", "mm2/s", "10*-6.mm2/s", "{Zwiebelturm}", "mm{Zita}", "4711", "Zita", "1/s", "m2/kg", "kBq/mL", "cm-1", ""],
)
def test_a_unit_is_made_of_known_units_or_is_unknown(unit: str) -> None:
    left = (
        only("NUM", MEASUREMENT, MeasuredValueSequence=number("1", unit)).MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    )
    fine = unit not in ("10*-6.mm2/s", "{Zwiebelturm}", "mm{Zita}", "4711", "Zita", "")
    assert left.CodeValue == (unit if fine else "261665006")
    assert "Z" not in left.CodeMeaning


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm"])
def test_a_real_report_loses_its_names_and_keeps_its_shape(name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    dataset = dcmread(path)
    before = [each for each in dataset.iterall() if each.keyword == "ValueType"]
    texts = [str(each.value) for each in dataset.iterall() if each.keyword == "TextValue"]
    clean_content(dataset, options=frozenset({"clean_descriptors"}), transforms=Answers())
    after = [each for each in dataset.iterall() if each.keyword == "ValueType"]
    assert 0 < len(after) <= len(before)
    assert {str(each.value) for each in dataset.iterall() if each.keyword == "PersonName"} <= {"REMOVED"}
    left = [str(each.value) for each in dataset.iterall() if each.keyword == "TextValue"]
    assert texts
    assert not set(texts) & set(left)
