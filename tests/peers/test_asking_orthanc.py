"""The plan of a large cohort from an Orthanc that cuts its answers: nothing is missing, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tasks.pacs.asking.find import FoundStudy, find, refused
from tasks.pacs.asking.plan import make_plan
from tasks.pacs.settings import CohortSettings, PacsSettings
from tests.peers import programs
from tests.peers.archives import running
from tests.peers.loading import fill_archive
from tests.tasks.pacs.hospital import MRN, ROOT, free_port, instance

pytestmark = pytest.mark.peer("Orthanc")

#: The limit that is set, and what is in the archive: 400 studies on one day, the others on various days.
LIMIT, MANY, CROWD = 100, 1000, 400


@contextmanager
def orthanc(folder: Path, **settings: Any) -> Iterator[PacsSettings]:
    """An empty Orthanc."""
    pacs = PacsSettings(host="127.0.0.1", port=free_port(), ae_title="ORTHANC")
    storage = str(folder / "storage")
    configuration = {
        "Name": "test", "StorageDirectory": storage, "IndexDirectory": storage, "Plugins": [], "HttpServerEnabled": False,
        "DicomServerEnabled": True, "DicomAet": "ORTHANC", "DicomPort": pacs.port, "DicomCheckCalledAet": True,
        "DicomModalities": {"safelight": ["SAFELIGHT", "127.0.0.1", 11113]}, **settings,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with running([str(programs.find("Orthanc")), str(folder / "orthanc.json")], pacs, folder / "orthanc.log"):
        yield pacs


@dataclass(frozen=True)
class Archive:
    """A filled Orthanc, and the studies in it by number."""

    pacs: PacsSettings
    studies: dict[int, dict[str, str]]

    def where(self, **wanted: str) -> set[str]:
        """UIDs of the studies with these values."""
        return {f"{ROOT}.{n}" for n, has in self.studies.items() if all(has[name] == value for name, value in wanted.items())}


def made(number: int) -> dict[str, str]:
    """What a study of the archive has; every tenth has the odd forms of a time that archives hold."""
    day = "20240320" if number <= CROWD else f"2024{1 + number % 6:02d}{1 + number % 28:02d}"
    second = number * 211 % 86_400
    clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
    clock = {3: f"{clock}.25", 5: clock[:4], 7: clock[:2]}.get(number % 10, clock)
    return {"StudyDate": day, "StudyTime": clock, "Modality": ("CT", "MR", "CT", "CR")[number % 4]}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An Orthanc that cuts, with many studies of one instance each."""
    studies = {number: made(number) for number in range(1, MANY + 1)}
    limits = {"LimitFindResults": LIMIT, "LimitFindInstances": LIMIT}
    with orthanc(tmp_path_factory.mktemp("orthanc"), **limits) as pacs:
        fill_archive(pacs, (instance(number, **has) for number, has in studies.items()))
        yield Archive(pacs, studies)


def uids(studies: list[FoundStudy]) -> set[str]:
    return {study.study_instance_uid for study in studies}


def test_an_archive_that_cuts_its_answers_is_found_whole(archive: Archive) -> None:
    plan = make_plan([archive.pacs], CohortSettings())
    assert uids(plan.studies) == archive.where()
    assert not refused(plan.studies)
    assert all(study.instances == 1 for study in plan.studies)


def test_the_crowded_day_is_found_whole(archive: Archive) -> None:
    day = CohortSettings(study_date_from="20240320", study_date_to="20240320")
    assert uids(find(archive.pacs, day)) == archive.where(StudyDate="20240320")


def test_a_modality_is_found_whole_among_the_others(archive: Archive) -> None:
    plan = make_plan([archive.pacs], CohortSettings(modalities=("CT",), study_date_from="20240301", study_date_to="20240430"))
    march = {
        uid for uid in archive.where(Modality="CT") if archive.studies[int(uid.rsplit(".", 1)[1])]["StudyDate"][4:6] in "03 04"
    }
    assert uids(plan.studies) == march
    assert plan.left["ORTHANC", "modality"] > 0


# ---- identifiers --------------------------------------------------------------------------------------------------------

#: What hospitals have for identifiers. All are taken for wildcards, numbers or padding by somebody.
ODD = ("00123", "123", "A*B", "AXB", "A?B", "A B", "AB", " 00123X ", "Größe-1", "PAT-患者", "=1+1")
ENCODED = {"Größe-1": "ISO_IR 192", "PAT-患者": "GB18030"}


def odd_instances() -> Iterator[Dataset]:
    """A study for each of them."""
    for number, identifier in enumerate(ODD, start=1):
        encoding = ENCODED.get(identifier, "ISO_IR 100")
        accession = identifier if identifier.isascii() else f"N{number}"
        changes = {"PatientID": identifier, "AccessionNumber": accession, "StudyDescription": f"Schädel {identifier}"}
        if encoding == "GB18030":
            changes["StudyDescription"] = "胸部帢"  # its last byte is 0x5C
        yield instance(number, SpecificCharacterSet=encoding, **changes)


@pytest.mark.parametrize("keyword", ["PatientID", "AccessionNumber"])
def test_an_identifier_finds_itself_and_nothing_else(tmp_path: Path, keyword: str) -> None:
    with orthanc(tmp_path, DefaultEncoding="Utf8") as pacs:
        fill_archive(pacs, odd_instances())
        for number, identifier in enumerate(ODD, start=1):
            if keyword == "AccessionNumber" and not identifier.isascii():
                continue
            (tmp_path / "list.csv").write_text(f"{keyword}\n{identifier}\n", "utf-8")
            plan = make_plan([pacs], CohortSettings(listed=tmp_path / "list.csv"))
            assert uids(plan.pulled) == {f"{ROOT}.{number}"}, identifier
            assert not plan.is_doubtful


def test_descriptions_are_matched_whatever_their_character_set(tmp_path: Path) -> None:
    with orthanc(tmp_path, DefaultEncoding="Utf8") as pacs:
        fill_archive(pacs, odd_instances())
        assert uids(find(pacs, CohortSettings(study_descriptions=("胸部帢",)))) == {f"{ROOT}.10"}
        assert len(find(pacs, CohortSettings(study_descriptions=("schädel*",)))) == len(ODD) - 1


def test_a_list_of_uids_and_a_list_beyond_the_limit_are_found_whole(archive: Archive, tmp_path: Path) -> None:
    wanted = sorted(archive.where(Modality="MR"))
    (tmp_path / "list.csv").write_text("\n".join(["StudyInstanceUID", *wanted]), "utf-8")
    assert uids(make_plan([archive.pacs], CohortSettings(listed=tmp_path / "list.csv")).pulled) == set(wanted)
    (tmp_path / "list.csv").write_text(f"PatientID\n{MRN}\n", "utf-8")
    plan = make_plan([archive.pacs], CohortSettings(listed=tmp_path / "list.csv", modalities=("MR",)))
    assert uids(plan.pulled) == set(wanted)
    assert not plan.is_doubtful


def test_what_the_rule_needs_comes_from_the_image_level(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(
        "name: thin\nmeaning: x\nunknown: leave\nrules: [{name: thin, slice_thickness_mm: {maximum: 2}, image_type_all: [AXIAL]}]"
    )
    with orthanc(tmp_path) as pacs:
        kind = ["ORIGINAL", "PRIMARY", "AXIAL"]
        fill_archive(
            pacs, [instance(1, 1, SliceThickness="1", ImageType=kind), instance(1, 2, SliceThickness="5", ImageType=kind)]
        )
        plan = make_plan([pacs], CohortSettings(selection=str(tmp_path / "rule.yaml")))
    assert [dict(study.series) for study in plan.pulled] == [{f"{ROOT}.1.1": 1}]
