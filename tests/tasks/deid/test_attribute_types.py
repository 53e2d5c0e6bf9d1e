"""Types of attributes by IOD and place, held against rows read by hand in PS3.3, and what the profile makes of them."""

from __future__ import annotations

import dataclasses

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RawDataStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
)

from tasks.deid.attribute_types import attribute_types
from tasks.deid.rules import Profile, load, resolve

#: SOP class, place, type as PS3.3 has it (section), the basic profile's action.
BY_HAND = [
    (CTImageStorage, "PatientID", "2", "patient"),  # C.7.1.1
    (CTImageStorage, "PatientBirthDate", "2", "empty"),
    (CTImageStorage, "AccessionNumber", "2", "empty"),  # C.7.2.1
    (CTImageStorage, "StudyDate", "2", "empty"),
    (CTImageStorage, "StudyID", "2", "empty"),
    (CTImageStorage, "ReferringPhysicianName", "2", "empty"),
    (CTImageStorage, "ContentDate", "2C", "empty"),  # C.7.6.1
    (CTImageStorage, "AcquisitionDate", "", "remove"),  # C.7.10.1, Type 3
    (CTImageStorage, "SeriesDate", "", "remove"),  # C.7.3.1, Type 3
    (CTImageStorage, "ReferencedImageSequence", "", "remove"),  # C.7.6.1, Type 3
    (CTImageStorage, "DeviceSerialNumber", "", "remove"),  # C.7.5.1, Type 3
    (CTImageStorage, "ReferencedStudySequence", "", "remove"),  # C.7.2.1, Type 3
    (CTImageStorage, "ContrastBolusAgent", "2", "empty"),  # C.7.6.4
    (CTImageStorage, "AcquisitionContextSequence", "", "remove"),  # not of the IOD
    (EnhancedCTImageStorage, "ContentDate", "1", "dummy"),  # C.7.6.16
    (EnhancedCTImageStorage, "ContentTime", "1", "dummy"),
    (EnhancedCTImageStorage, "DeviceSerialNumber", "1", "dummy"),  # C.7.5.2
    (EnhancedCTImageStorage, "AcquisitionDateTime", "1C", "dummy"),  # C.8.15.2
    (EnhancedCTImageStorage, "AcquisitionContextSequence", "2", "empty"),  # C.7.6.14
    (EnhancedMRImageStorage, "DeviceSerialNumber", "1", "dummy"),
    (PositronEmissionTomographyImageStorage, "SeriesDate", "1", "dummy"),  # C.8.9.1
    (PositronEmissionTomographyImageStorage, "SeriesTime", "1", "dummy"),
    (PositronEmissionTomographyImageStorage, "AcquisitionDate", "2", "empty"),  # C.8.9.4
    (SecondaryCaptureImageStorage, "DateOfSecondaryCapture", "", "remove"),  # C.8.6.2, Type 3
    (ComprehensiveSRStorage, "ContentDate", "1", "dummy"),  # C.17.2
    (ComprehensiveSRStorage, "VerifyingObserverSequence", "1C", "recurse"),
    (ComprehensiveSRStorage, "VerifyingObserverSequence.VerifyingObserverName", "1", "dummy"),
    (ComprehensiveSRStorage, "VerifyingObserverSequence.VerifyingOrganization", "1", "dummy"),  # plain X, and Type 1
    (ComprehensiveSRStorage, "VerifyingObserverSequence.VerifyingObserverIdentificationCodeSequence", "2", "empty"),
    (ComprehensiveSRStorage, "ReferencedPerformedProcedureStepSequence", "2", "empty"),  # C.17.1
    (ComprehensiveSRStorage, "ReferencedRequestSequence.ReferencedStudySequence", "2", "empty"),
    (ComprehensiveSRStorage, "ReferencedRequestSequence.AccessionNumber", "2", "empty"),
    (ComprehensiveSRStorage, "ContentSequence", "1C", "recurse"),  # C.17.3
    (ComprehensiveSRStorage, "ContentSequence.ContentSequence", "1C", "recurse"),
    (ComprehensiveSRStorage, "ContentSequence.ContentSequence.ContentSequence.TextValue", "1C", None),
    (XRayRadiationDoseSRStorage, "ContentSequence.ContentSequence.DateTime", "1C", "dummy"),
    (GrayscaleSoftcopyPresentationStateStorage, "PresentationCreationDate", "1", "dummy"),  # C.11.10; plain X
    (GrayscaleSoftcopyPresentationStateStorage, "GraphicAnnotationSequence", "1", "recurse"),  # C.10.5
    (GrayscaleSoftcopyPresentationStateStorage, "GraphicAnnotationSequence.TextObjectSequence.UnformattedTextValue", "1", "dummy"),
]  # fmt: skip


def place(names: str) -> tuple[tuple[int, ...], int]:
    tags = [tag_for_keyword(name) for name in names.split(".")]
    assert None not in tags, names
    return tuple(tag for tag in tags[:-1] if tag is not None), tags[-1] or 0


@pytest.fixture(scope="module")
def table_alone() -> Profile:
    return load("basic")


@pytest.mark.parametrize(("sop_class", "names", "kind", "action"), BY_HAND)
def test_a_row_read_by_hand(sop_class: str, names: str, kind: str, action: str | None, table_alone: Profile) -> None:
    path, tag = place(names)
    assert attribute_types().kind(sop_class, path, tag) == kind
    if action is not None:
        assert table_alone.decide(tag, dictionary_VR(tag), sop_class, path).action == action


def test_the_functional_groups_are_one_place() -> None:
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        path, tag = place(f"{groups}.CTReconstructionSequence.ConvolutionKernel")
        assert load("safe_harbor").must_have_value(tag, EnhancedCTImageStorage, path)
        assert attribute_types().kind(EnhancedCTImageStorage, path, tag) == "1C"
        assert attribute_types().kind(CTImageStorage, path, tag) == ""


def test_an_iod_that_is_not_known_has_no_types() -> None:
    assert attribute_types().kind(RawDataStorage, (), 0x00080050) is None
    assert attribute_types().kind("", (), 0x00080050) is None


def test_every_sop_class_that_a_profile_allows_has_its_types() -> None:
    for name in ("basic", "safe_harbor", "expert_determination", "research_longitudinal"):
        for sop_class in load(name).sop_classes:
            assert attribute_types().kind(sop_class, (), 0x00100010) == "2", (name, sop_class)


def test_a_private_sequence_is_no_place_of_an_iod() -> None:
    assert attribute_types().kind(CTImageStorage, (0x00291140,), 0x00080050) == ""


@pytest.mark.parametrize(
    ("code", "vr", "kind", "action"),
    [
        ("X/Z/D", "LO", "1", "dummy"), ("X/Z/D", "LO", "1C", "dummy"), ("X/Z/D", "LO", "2", "empty"), ("X/Z/D", "LO", "2C", "empty"),
        ("X/Z/D", "LO", "", "remove"), ("X/D", "DA", "1", "dummy"), ("X/D", "DA", "2", "dummy"), ("X/D", "DA", "", "remove"),
        ("X/Z", "CS", "2C", "empty"), ("X/Z", "CS", "", "remove"), ("Z/D", "PN", "1", "dummy"), ("Z/D", "PN", "2", "empty"),
        ("Z/D", "PN", "", "empty"), ("X", "LO", "1", "dummy"), ("X", "LO", "2", "empty"), ("X", "LO", "", "remove"), ("Z", "DA", "1", "dummy"),
        ("Z", "DA", "", "empty"), ("D", "LO", "", "dummy"), ("X", "UI", "1", "uid"), ("U", "UI", "1", "uid"), ("X/Z/U*", "SQ", "1C", "recurse"),
        ("X/Z/U*", "SQ", "2", "recurse"), ("X/Z/U*", "SQ", "", "remove"), ("D", "SQ", "1", "recurse"), ("D", "SQ", "", "remove"),
        ("Z", "SQ", "2", "empty"), ("X", "SQ", "1", "remove"), ("X", "SQ", "2", "empty"), ("U", "SQ", "", "recurse"), ("D", "OB", "1", "remove"),
    ],
)  # fmt: skip
def test_codes_are_resolved_by_type(code: str, vr: str, kind: str, action: str) -> None:
    assert resolve(code, vr, kind) == action


def test_the_profiles_own_removals_leave_what_the_iod_requires(table_alone: Profile) -> None:
    profile = dataclasses.replace(
        table_alone, attributes={0x00080050: "remove", 0x00181000: "remove", 0x00081030: "remove"}, _decided={}, _required={}
    )
    assert profile.decide(0x00080050, "SH", CTImageStorage).action == "empty"
    assert profile.decide(0x00181000, "LO", EnhancedMRImageStorage).action == "dummy"
    assert profile.decide(0x00081030, "LO", MRImageStorage).action == "remove"


def test_without_types_a_required_attribute_would_be_lost(table_alone: Profile) -> None:
    blind = dataclasses.replace(table_alone, types=dataclasses.replace(table_alone.types, places={}), _decided={}, _required={})
    lost = [
        (sop_class, names)
        for sop_class, names, kind, action in BY_HAND
        if kind
        and action
        and blind.decide(place(names)[1], dictionary_VR(place(names)[1]), sop_class, place(names)[0]).action == "remove"
    ]
    assert len(lost) >= 15
