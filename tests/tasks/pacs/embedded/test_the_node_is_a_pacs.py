"""The embedded PACS, asked by pynetdicom's own requestor: matching, counts, C-MOVE, C-STORE, and files that it cannot serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tasks.pacs.embedded.node import PacsNode, encoded_dataset
from tasks.pacs.server import Caller
from tests.tasks.pacs.hospital import ROOT, instance, save


@pytest.fixture
def asked(hospital: Path) -> Iterator[Association]:
    """An association to a node with two patients and three studies."""
    save(instance(1, 1, 1), hospital, "a.dcm")
    save(instance(1, 1, 2), hospital, "b.dcm")
    save(instance(1, 2, 1, Modality="SR"), hospital, "c.dcm")
    save(instance(2, 1, 1, StudyDate="20250505", StudyDescription="Thorax nativ"), hospital, "d.dcm")
    save(instance(3, 1, 1, PatientID="OTHER", PatientName="Zweite^Anna", Modality="MR"), hospital, "e.dcm")
    with PacsNode(hospital, "HOSPITAL") as node, calling(node) as association:
        yield association


class calling:  # noqa: N801 - reads as a verb in a with statement
    """An association to a node with all its query/retrieve services and CT storage."""

    def __init__(self, node: PacsNode) -> None:
        entity = Caller(ae_title="TESTER")
        for uid in (
            Verification, PatientRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelMove,
            StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelMove,
        ):  # fmt: skip
            entity.add_requested_context(uid)
        entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        self.association = entity.associate("127.0.0.1", node.port, ae_title="HOSPITAL")

    def __enter__(self) -> Association:
        assert self.association.is_established
        return self.association

    def __exit__(self, *_: object) -> None:
        self.association.release()


def ask(
    association: Association, level: str, model: Any = StudyRootQueryRetrieveInformationModelFind, **keys: Any
) -> list[Dataset]:
    """C-FIND; all matches."""
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    answers = list(association.send_c_find(query, model))
    assert answers[-1][0].Status == 0x0000
    return [match for status, match in answers[:-1] if match is not None]


def studies(association: Association, **keys: Any) -> list[str]:
    """The numbers of the matching studies."""
    matches = ask(association, "STUDY", **{"StudyInstanceUID": None, **keys})
    return [match.StudyInstanceUID.removeprefix(f"{ROOT}.") for match in matches]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["1", "2", "3"]),
        ({"StudyInstanceUID": f"{ROOT}.2"}, ["2"]),
        ({"StudyInstanceUID": [f"{ROOT}.1", f"{ROOT}.3", "1.2.3"]}, ["1", "3"]),
        ({"PatientID": "MRN*"}, ["1", "2"]),
        ({"PatientID": "OTHE?"}, ["3"]),
        ({"PatientID": "OTHER.*"}, []),
        ({"PatientName": "zweite^anna"}, ["3"]),
        ({"PatientName": "Test*"}, ["1", "2"]),
        ({"StudyDate": "20240315"}, ["1", "3"]),
        ({"StudyDate": "20240316-"}, ["2"]),
        ({"StudyDate": "-20240315"}, ["1", "3"]),
        ({"StudyDate": "20240101-20251231"}, ["1", "2", "3"]),
        ({"ModalitiesInStudy": "SR"}, ["1"]),
        ({"ModalitiesInStudy": "MR"}, ["3"]),
        ({"StudyDescription": "*nativ"}, ["2"]),
        ({"AccessionNumber": "ACC3", "PatientID": "OTHER"}, ["3"]),
        ({"AccessionNumber": "ACC3", "PatientID": "MRN-774411"}, []),
    ],
)
def test_studies_match_by_value_list_wildcard_and_range(asked: Association, keys: dict[str, Any], expected: list[str]) -> None:
    assert studies(asked, **keys) == expected


def test_counts_and_modalities_are_answered(asked: Association) -> None:
    (study,) = ask(
        asked, "STUDY", StudyInstanceUID=f"{ROOT}.1", NumberOfStudyRelatedSeries=None, NumberOfStudyRelatedInstances=None,
        ModalitiesInStudy=None, PatientName=None,
    )  # fmt: skip
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
    assert list(study.ModalitiesInStudy) == ["CT", "SR"]
    series = ask(asked, "SERIES", StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=None, NumberOfSeriesRelatedInstances=None)
    assert {match.SeriesInstanceUID: int(match.NumberOfSeriesRelatedInstances) for match in series} == {
        f"{ROOT}.1.1": 2,
        f"{ROOT}.1.2": 1,
    }


def test_instances_are_listed_below_their_series(asked: Association) -> None:
    found = ask(asked, "IMAGE", StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=f"{ROOT}.1.1", SOPInstanceUID=None)
    assert [match.SOPInstanceUID for match in found] == [f"{ROOT}.1.1.1", f"{ROOT}.1.1.2"]


def test_patient_root_lists_patients_and_their_studies(asked: Association) -> None:
    model = PatientRootQueryRetrieveInformationModelFind
    patients = ask(asked, "PATIENT", model, PatientID=None, NumberOfPatientRelatedStudies=None)
    assert {match.PatientID: int(match.NumberOfPatientRelatedStudies) for match in patients} == {"MRN-774411": 2, "OTHER": 1}
    assert len(ask(asked, "STUDY", model, PatientID="MRN-774411", StudyInstanceUID=None)) == 2


def test_only_what_was_asked_for_is_answered(asked: Association) -> None:
    (study,) = ask(asked, "STUDY", StudyInstanceUID=f"{ROOT}.1")
    assert {item.keyword for item in study} == {
        "SpecificCharacterSet",
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "StudyInstanceUID",
    }


def test_an_unknown_level_is_a_failure(asked: Association) -> None:
    query = Dataset()
    query.QueryRetrieveLevel = "ROOM"
    ((status, _),) = asked.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    assert status.Status == 0xA900


def test_an_unknown_destination_is_a801(asked: Association) -> None:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = f"{ROOT}.1"
    *_, (status, _) = asked.send_c_move(query, "NOBODY", StudyRootQueryRetrieveInformationModelMove)
    assert status.Status == 0xA801


def test_c_echo_is_answered(asked: Association) -> None:
    assert asked.send_c_echo().Status == 0x0000


def test_what_is_stored_is_served_and_kept_once(hospital: Path) -> None:
    made = instance()
    with PacsNode(hospital, "HOSPITAL") as node, calling(node) as association:
        assert association.send_c_store(made).Status == 0x0000
        assert association.send_c_store(made).Status == 0x0000
        assert studies(association) == ["1"]
        made.InstanceNumber = 77
        assert association.send_c_store(made).Status == 0xC000
    (path,) = hospital.iterdir()
    assert dcmread(path).InstanceNumber == 1
    assert ROOT not in path.name


def test_files_that_cannot_be_served_are_listed_with_the_reason(hospital: Path) -> None:
    save(instance(), hospital, "good.dcm")
    save(instance(InstanceNumber=2), hospital, "twin.dcm")
    nameless = instance(number=9)
    del nameless.StudyInstanceUID
    save(nameless, hospital / "deep", "nameless.dcm")
    (hospital / "notes.txt").write_text("no DICOM")
    (hospital / "empty").touch()
    node = PacsNode(hospital, "HOSPITAL")
    assert len(node.index.entries) == 1
    assert {path.name: reason for path, reason in node.refused} == {
        "twin.dcm": "another file has the same SOPInstanceUID",
        "nameless.dcm": "has no StudyInstanceUID",
        "notes.txt": "not a DICOM file (PS3.10)",
        "empty": "not a DICOM file (PS3.10)",
    }


def test_every_file_that_pydicom_carries_is_either_served_or_listed(hospital: Path) -> None:
    source = Path(str(get_testdata_file("CT_small.dcm"))).parent
    names = [path for path in source.iterdir() if path.is_file()]
    for path in names:
        (hospital / path.name).symlink_to(path)
    node = PacsNode(hospital, "HOSPITAL")
    assert len(node.index.entries) + len(node.refused) == len(names)
    for entry in node.index:
        assert entry.path.read_bytes().endswith(encoded_dataset(entry.path))
