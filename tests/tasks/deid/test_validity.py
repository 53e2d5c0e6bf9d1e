"""What must have a value still has one, or goes with the sequence that it stands in: an object never becomes less valid than it was.

The list below are the text attributes of Type 1 and 1C in the IODs that the profile allows (CT, Enhanced CT, MR, Enhanced MR, PET,
Enhanced PET; PS3.3 as highdicom 0.28 tabulates it) that Table E.1-1 does not name.
"""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sequence import Sequence

from tests.tasks.deid.making import ct, element, encoded, rewritten

TYPE_1_TEXTS = (
    "ASLCrusherDescription", "AlgorithmName", "AlgorithmVersion", "CardiacFramingType", "ConvolutionKernel", "DimensionIndexPrivateCreator",
    "FilterType", "FunctionalGroupPrivateCreator", "ImageFilter", "LUTExplanation", "LUTLabel", "Manufacturer", "ManufacturerModelName",
    "MetaboliteMapDescription", "ModalityLUTType", "MultiCoilElementName", "PulseSequenceName", "ReceiveCoilName", "RescaleType",
    "ScatterCorrectionMethod", "SoftwareVersions", "StackID", "TextValue", "TransmitCoilName",
)  # fmt: skip
#: Type 1 texts that identify, by the optional sequence that they stand in.
WITH_THEIR_SEQUENCE = {
    "LocalNamespaceEntityID": "IssuerOfAccessionNumberSequence", "UniversalEntityID": "OrderPlacerIdentifierSequence",
    "HL7InstanceIdentifier": "HL7StructuredDocumentReferenceSequence", "BreedRegistrationNumber": "BreedRegistrationSequence",
    "StrainStockNumber": "StrainStockSequence", "GeneticModificationsDescription": "GeneticModificationsSequence",
    "PrivateCreatorReference": "PrivateDataElementCharacteristicsSequence",
}  # fmt: skip


def released(keyword: str, *, inside: str = "") -> Dataset:
    """A CT with a name in one attribute (of an item of a sequence), de-identified."""
    dataset, item = ct(), Dataset()
    tag = tag_for_keyword(keyword)
    assert tag is not None
    target = item if inside else dataset
    target[tag] = element(tag, dictionary_VR(tag), "Zwiebelturm")
    if inside:
        setattr(dataset, inside, Sequence([item]))
    content = rewritten(encoded(dataset))
    assert b"Zwiebelturm" not in content
    return dcmread(BytesIO(content))


@pytest.mark.parametrize("keyword", TYPE_1_TEXTS)
@pytest.mark.parametrize("inside", ["", "SharedFunctionalGroupsSequence"])
def test_a_text_that_must_have_a_value_has_another_one(keyword: str, inside: str) -> None:
    after = released(keyword, inside=inside)
    place = after[inside].value[0] if inside else after
    assert place[keyword].value == "REMOVED"


@pytest.mark.parametrize(("keyword", "sequence"), WITH_THEIR_SEQUENCE.items())
def test_a_sequence_that_is_nothing_without_its_text_goes(keyword: str, sequence: str) -> None:
    assert sequence not in released(keyword, inside=sequence)


@pytest.mark.parametrize(
    "sequence", ["ReferencedStudySequence", "ReferencedPerformedProcedureStepSequence", "ReferencedPatientSequence"]
)
def test_no_sequence_that_needs_items_stays_without_any(sequence: str) -> None:
    assert sequence not in released("RetrieveURL", inside=sequence)


def test_the_role_of_a_responsible_person_goes_with_the_person() -> None:
    dataset = ct()
    dataset.ResponsiblePerson, dataset.ResponsiblePersonRole = "Zwiebelturm^Zita", "PARENT"
    read = dcmread(BytesIO(rewritten(encoded(dataset))))
    assert not read.get("ResponsiblePerson")
    assert "ResponsiblePersonRole" not in read
