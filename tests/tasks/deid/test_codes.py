"""Coded concepts: the standard's code keeps its value and gets the standard's meaning; anything else is unknown. pydicom is the oracle."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage

from tasks.deid import codes
from tasks.deid.structured.units import is_unit
from tests.tasks.deid.making import ct, encoded, rewritten

SAMPLE = [
    standard.SCT.Chest, standard.SCT.Lung, standard.SCT.Head, standard.SCT.ComputedTomography, standard.SCT.Left, standard.DCM.SourceImage,
    standard.DCM.Finding, standard.UCUM.Millimeter, standard.UCUM.HounsfieldUnit, standard.UCUM.NoUnits,
]  # fmt: skip


def item(**attributes: str) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def released(item: Dataset) -> Dataset:
    """The item as it stands in a release."""
    dataset = ct()
    dataset.AnatomicRegionSequence = Sequence([item])
    return dcmread(BytesIO(rewritten(encoded(dataset)))).AnatomicRegionSequence[0]


def told(dataset: Dataset) -> dict[str, str]:
    return {element.keyword: str(element.value) for element in dataset}


@pytest.mark.parametrize("code", SAMPLE, ids=lambda code: code.meaning.replace(" ", "_"))
def test_a_standard_code_keeps_its_value_and_gets_the_standards_meaning(code: Code) -> None:
    dataset = released(
        item(CodeValue=code.value, CodingSchemeDesignator=code.scheme_designator, CodeMeaning="thorax of Erika Mustermann")
    )
    assert (dataset.CodeValue, dataset.CodingSchemeDesignator) == (code.value, code.scheme_designator)
    assert dataset.CodeMeaning.isascii()
    assert len(dataset.CodeMeaning) <= 64
    named = [meaning.lower() for meaning in (code.meaning, codes.meaning(code.value, code.scheme_designator) or "")]
    assert dataset.CodeMeaning.lower() in named
    assert "mustermann" not in dataset.CodeMeaning.lower()


def test_a_code_of_snomed_rt_takes_the_meaning_of_its_successor() -> None:
    assert Code("T-28000", "SRT", "Lung") == standard.SCT.Lung  # pydicom's own mapping
    dataset = released(item(CodeValue="T-28000", CodingSchemeDesignator="SRT", CodeMeaning="Erika's"))
    assert (dataset.CodeValue, dataset.CodingSchemeDesignator) == ("T-28000", "SRT")
    assert dataset.CodeMeaning == codes.meaning(standard.SCT.Lung.value, "SCT")
    assert standard.SCT.Lung.meaning in dataset.CodeMeaning


@pytest.mark.parametrize(
    "attributes",
    [
        {"CodeValue": "4711", "CodingSchemeDesignator": "99BARBARA", "CodeMeaning": "Erika Mustermann"},
        {"CodeValue": "51185008", "CodingSchemeDesignator": "99BARBARA", "CodeMeaning": "Chest"},
        {"CodeValue": "Mustermann", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Chest"},
        {"CodeValue": "51185008", "CodeMeaning": "Erika Mustermann"},
        {"CodeMeaning": "Erika Mustermann"},
        {"LongCodeValue": "Erika Mustermann, room 4711", "CodingSchemeDesignator": "99BARBARA", "CodeMeaning": "x"},
        {"URNCodeValue": "urn:oid:1.3.6.1.4.1.99999.4711", "CodeMeaning": "x"},
        {"CodeValue": "", "CodingSchemeDesignator": "", "CodeMeaning": "Erika Mustermann"},
    ],
)
def test_any_other_code_becomes_unknown(attributes: dict[str, str]) -> None:
    assert told(released(item(**attributes))) == dict(
        zip(("CodeValue", "CodingSchemeDesignator", "CodeMeaning"), codes.UNKNOWN, strict=True)
    )


def test_the_version_of_a_scheme_goes_with_the_code() -> None:
    code = item(CodeValue="51185008", CodingSchemeDesignator="SCT", CodingSchemeVersion="Erika", CodeMeaning="Chest")
    assert "CodingSchemeVersion" not in released(code)


def test_an_item_without_a_code_is_left_alone() -> None:
    left = released(item(ReferencedSOPClassUID=CTImageStorage))
    assert told(left) == {"ReferencedSOPClassUID": CTImageStorage}


@pytest.mark.parametrize(("unit", "left"), [("mGy.cm", "mGy.cm"), ("g/ml{SUVbw}", None), ("mm2/s", "mm2/s"), ("{Doe}", None)])
def test_a_unit_of_known_parts_is_its_own_meaning(unit: str, left: str | None) -> None:
    found, known = codes.clean({codes.CODE_VALUE: unit, codes.SCHEME: "UCUM", codes.CODE_MEANING: "Doe"})
    assert (found[0], known) == ((left, True) if left else (found[0], found[0] != codes.UNKNOWN[0]))
    assert "Doe" not in found[0] + found[2]


def test_unknown_is_itself_a_standard_code() -> None:
    value, scheme, said = codes.UNKNOWN
    assert codes.meaning(value, scheme) == said
    assert standard.SCT.Unknown.value == value


@given(st.text(max_size=20), st.sampled_from(["SCT", "DCM", "UCUM", "SRT", "LN", "99X", ""]), st.text(max_size=30))
def test_no_meaning_that_somebody_typed_comes_out(value: str, scheme: str, said: str) -> None:
    (code, of, meaning), known = codes.clean({codes.CODE_VALUE: value, codes.SCHEME: scheme, codes.CODE_MEANING: said})
    assert meaning == (codes.meaning(code, of) or code)
    assert known == ((code, of) != codes.UNKNOWN[:2])
    assert code in codes.values() | {codes.UNKNOWN[0]} or (of == "UCUM" and is_unit(code))
