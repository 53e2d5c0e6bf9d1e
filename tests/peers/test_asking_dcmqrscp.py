"""The plan of a cohort from DCMTK's dcmqrscp, which gives no counts and compares bytes: windows, lists and character sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.pacs.asking.plan import make_plan, refused
from tasks.pacs.settings import CohortSettings, PacsSettings
from tests.peers import programs
from tests.peers.archives import running
from tests.peers.loading import fill_archive
from tests.tasks.pacs.hospital import ROOT, free_port, instance

pytestmark = pytest.mark.peer("dcmqrscp")

#: More studies on one day than are believed at once.
CROWD = 70
ODD = {71: "A*B", 72: "AXB", 73: "00123", 74: "123", 75: "Größe-1"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PacsSettings]:
    """A filled dcmqrscp."""
    folder = tmp_path_factory.mktemp("dcmqrscp")
    (folder / "storage").mkdir()
    pacs = PacsSettings(host="127.0.0.1", port=free_port(), ae_title="DCMTK")
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {pacs.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nDCMTK {folder / 'storage'} RW (200, 1024mb) ANY\nAETable END\n"
    )
    command = [str(programs.find("dcmqrscp")), "-c", str(folder / "dcmqrscp.cfg")]
    with running(command, pacs, folder / "dcmqrscp.log"):
        crowd = (instance(n, StudyTime=f"{n % 24:02d}{n % 60:02d}{n % 59:02d}.5") for n in range(1, CROWD + 1))
        odd = (instance(n, PatientID=name, StudyDate="20230102", StudyTime="1200", Modality="MR") for n, name in ODD.items())
        fill_archive(pacs, [*crowd, *odd])
        yield pacs


def uids(numbers: object) -> set[str]:
    return {f"{ROOT}.{number}" for number in numbers}  # type: ignore[attr-defined]


@pytest.mark.parametrize("first", [None, "20240101", "20240315"])
def test_a_crowded_day_is_found_whole(archive: PacsSettings, first: str | None) -> None:
    plan = make_plan([archive], CohortSettings(study_date_from=first))
    assert {study.study_instance_uid for study in plan.pulled} == uids([*range(1, CROWD + 1), *(ODD if first is None else [])])
    assert not refused(plan.studies)
    assert all(study.instances == 1 for study in plan.pulled)


def test_a_modality_is_found(archive: PacsSettings) -> None:
    plan = make_plan([archive], CohortSettings(modalities=("MR",)))
    assert {study.study_instance_uid for study in plan.pulled} == uids(ODD)


@pytest.mark.parametrize("number", sorted(ODD))
def test_an_identifier_finds_itself_and_nothing_else(archive: PacsSettings, tmp_path: Path, number: int) -> None:
    (tmp_path / "list.csv").write_text(f"PatientID\n{ODD[number]}\n", "utf-8")
    plan = make_plan([archive], CohortSettings(listed=tmp_path / "list.csv"))
    assert {study.study_instance_uid for study in plan.pulled} == uids([number])
    assert not plan.is_doubtful
