"""Folder mode accounts for every file, uses each instance once, and leaves alone what a PACS sent and what lies in the two zones."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.deid.folder import Intake, take_in
from tasks.deid.quarantine import read
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.executor import Summary, run_by_ledger
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.pools import InlinePool
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome
from tasks.vault import Vault
from tests.tasks.deid.making import PLANTED, STUDY, ct, encoded, planted

OTHER_STUDY = "1.3.6.1.4.1.99999.77.666"


@pytest.fixture
def ledger(vault: Vault) -> Iterator[Ledger]:
    opened = Ledger(vault.ledger_url)
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "ward"
    folder.mkdir()
    return folder


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def slice_of(number: int = 1, **changes: str) -> bytes:
    """A CT slice as a file; `changes` are attributes by keyword."""
    dataset = ct(number)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return encoded(dataset)


def scan(source: Path, vault: Vault, ledger: Ledger, *leave_out: Path) -> Intake:
    with ledger.run("deidentify") as run:
        return take_in(source, vault=vault, ledger=ledger, run=run, leave_out=leave_out)


def work(source: Path, vault: Vault, ledger: Ledger, lake: Lake) -> Summary:
    """A scan and the de-identification of what is due."""
    with ledger.run("deidentify") as run:
        keys = take_in(source, vault=vault, ledger=ledger, run=run).keys
        stage, errors = DeidentifyStage(vault, lake, "safe_harbor"), ErrorLog(vault.errors)
        return run_by_ledger(stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=errors)


def links(vault: Vault, study: str = STUDY) -> dict[str, Path]:
    folder = vault.spool / Pseudonyms(vault.site_key()).study(study)
    return {path.stem: path.readlink() for path in folder.glob("*/*.dcm")}


def test_every_file_has_one_end(vault: Vault, ledger: Ledger, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(source / "a" / "1.dcm", slice_of(1))
    put(source / "a" / "2", slice_of(2))
    put(source / "b" / "copy of 1.dcm", slice_of(1))
    put(source / "b" / "other 1.dcm", slice_of(1, PatientComments="not the same"))
    put(source / "b" / "other study.dcm", slice_of(3, StudyInstanceUID=OTHER_STUDY))
    put(source / "c" / "no uid.dcm", slice_of(4, SOPInstanceUID=""))
    put(source / "c" / "cut.dcm", slice_of(5)[:700])
    put(source / "c" / "notes.txt", b"seen for Erika Mustermann")
    put(source / "c" / "empty", b"")
    (source / "c" / "gone").symlink_to(source / "nowhere")
    put(source / "closed" / "6.dcm", slice_of(6))
    list_folder = os.scandir

    def may_not_enter(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "no", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", may_not_enter)
    intake = scan(source, vault, ledger)
    assert intake.files == {
        ("linked", ""): 5, ("duplicate", ""): 1, ("conflict", "E-DEID-CONFLICT"): 1,
        ("rejected", "E-DEID-NOT-DICOM"): 2, ("rejected", "E-DEID-UNREADABLE"): 2,
    }  # fmt: skip
    assert len(intake.keys) == 4  # two studies, and two files that cannot say which they belong to
    assert "files: 11 found" in intake.line()
    assert not [text for text in (*PLANTED, str(source)) if text in intake.line()]


def test_the_counts_of_the_ledger_are_those_of_the_scan(vault: Vault, ledger: Ledger, source: Path) -> None:
    for name, content in (("1", slice_of(1)), ("2", slice_of(2)), ("3", slice_of(1)), ("4", slice_of(1, PatientComments="x"))):
        put(source / name, content)
    intake = scan(source, vault, ledger)
    [row] = ledger.results("pull").values()
    counted = Counter({(count.outcome, count.reason_code): count.n for count in row.tally})
    assert counted == {("pulled", ""): 2, ("duplicate", ""): 1, ("conflict", "E-DEID-CONFLICT"): 1}
    assert sum(counted.values()) == sum(intake.files.values()) == 4
    assert row.passed == 2


def test_of_several_files_of_one_instance_the_first_path_is_used(vault: Vault, ledger: Ledger, source: Path) -> None:
    for name in ("b", "a", "c"):
        put(source / name, slice_of(1, PatientComments=name))
    scan(source, vault, ledger)
    assert list(links(vault).values()) == [source / "a"]


def test_the_spool_holds_links_under_keys_and_is_private(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "Mustermann Erika" / "MRN0047110.dcm", planted())
    scan(source, vault, ledger)
    [(instance, target)] = links(vault).items()
    assert instance == Pseudonyms(vault.site_key()).uid("1.3.6.1.4.1.99999.77.2000.1")
    assert target == source / "Mustermann Erika" / "MRN0047110.dcm"
    for path in vault.spool.rglob("*"):
        assert not [text for text in PLANTED if text in path.name]
        assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_files_without_uids_are_studies_of_their_own_and_end_in_quarantine(
    vault: Vault, ledger: Ledger, source: Path, lake: Lake
) -> None:
    for number, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), 1):
        put(source / name, slice_of(number, **{name: ""}))
    put(source / "again", slice_of(1, StudyInstanceUID=""))
    put(source / "whole", slice_of(9))
    summary = work(source, vault, ledger, lake)
    assert {(count.outcome, count.reason_code): count.n for count in summary.counts()} == {
        ("released", ""): 1, ("quarantined", "E-DEID-NO-UID"): 3,
    }  # fmt: skip
    assert sum(count.n for row in ledger.results("pull").values() for count in row.tally) == 5
    held = [code for key in ledger.studies() for code in read(vault, key).values()]
    assert held == ["E-DEID-NO-UID"] * 3


def test_a_file_without_uids_does_not_take_its_studys_numbers(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "1", slice_of(1))
    put(source / "2", slice_of(2, SOPInstanceUID=""))
    scan(source, vault, ledger)
    stated = [(study.study_instance_uid, study.accession_number, study.patient_id) for study in ledger.studies().values()]
    assert sorted(stated) == [("", "", ""), (STUDY, "ACC8815522", "MRN0047110")]


def test_the_ledger_knows_the_study_as_the_hospital_does(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "1", slice_of(1, AccessionNumber="", IssuerOfPatientID="BARBARA"))
    put(source / "2", slice_of(2, IssuerOfPatientID="BARBARA"))
    scan(source, vault, ledger)
    pseudonyms = Pseudonyms(vault.site_key())
    [study] = ledger.studies().values()
    assert (study.study_key, study.patient_key) == (pseudonyms.study(STUDY), pseudonyms.patient("BARBARA", "MRN0047110"))
    assert (study.source, study.issuer, study.accession_number) == ("folder", "BARBARA", "ACC8815522")
    assert study.expected == {"1.3.6.1.4.1.99999.77.1002": 2}


def test_a_study_that_came_from_a_pacs_is_left_alone(vault: Vault, ledger: Ledger, source: Path) -> None:
    key = Pseudonyms(vault.site_key()).study(STUDY)
    pulled = put(vault.spool / key / "2.25.1" / "2.25.2.dcm", slice_of(1))
    ledger.register([Study(key, "SL-AAAAAAAAAAAA", "HOSPITAL", STUDY, "MRN0047110", "", "ACC1", {}, "as found by the PACS")])
    put(source / "1", slice_of(1, PatientComments="from a CD"))
    put(source / "2", slice_of(2, StudyInstanceUID=OTHER_STUDY))
    intake = scan(source, vault, ledger)
    assert intake.files == {("pulled", ""): 1, ("linked", ""): 1}
    assert key not in intake.keys
    assert list((vault.spool / key).rglob("*.dcm")) == [pulled]
    assert not pulled.is_symlink()
    assert ledger.study(key).found_digest == "as found by the PACS"
    assert (key, "pull") not in ledger.results("pull")


def test_a_second_scan_changes_nothing(vault: Vault, ledger: Ledger, source: Path, lake: Lake) -> None:
    for name, content in (("1", slice_of(1)), ("2", slice_of(2)), ("3", slice_of(1)), ("4", slice_of(1, PatientComments="x"))):
        put(source / name, content)
    assert work(source, vault, ledger, lake).studies["done"] == 1
    before = ledger.results(), links(vault), {path: lake.read(path) for path in lake.files("")}
    intake = scan(source, vault, ledger)
    assert sum(intake.files.values()) == 4
    assert work(source, vault, ledger, lake).studies["done"] == 0
    assert (ledger.results(), links(vault), {path: lake.read(path) for path in lake.files("")}) == before


def test_a_new_file_makes_its_study_due_again_and_no_other(vault: Vault, ledger: Ledger, source: Path, lake: Lake) -> None:
    put(source / "1", slice_of(1))
    put(source / "2", slice_of(2, StudyInstanceUID=OTHER_STUDY))
    work(source, vault, ledger, lake)
    put(source / "3", slice_of(3))
    summary = work(source, vault, ledger, lake)
    assert summary.studies["done"] == 1
    assert {(count.outcome, count.n) for count in summary.counts()} == {("released", 2)}
    assert len(lake.files("dicom")) == 3


def test_a_second_folder_adds_to_a_study_and_a_file_that_is_gone_leaves_it(
    vault: Vault, ledger: Ledger, source: Path, tmp_path: Path, lake: Lake
) -> None:
    first = put(source / "1", slice_of(1))
    work(source, vault, ledger, lake)
    put(tmp_path / "second" / "2", slice_of(2))
    put(tmp_path / "second" / "copy", slice_of(1))
    assert scan(tmp_path / "second", vault, ledger).files == {("linked", ""): 1, ("duplicate", ""): 1}
    work(tmp_path / "second", vault, ledger, lake)
    assert len(lake.files("dicom")) == 2
    first.unlink()
    (tmp_path / "second" / "copy").unlink()
    work(tmp_path / "second", vault, ledger, lake)
    assert list(links(vault).values()) == [tmp_path / "second" / "2"]
    assert len(lake.files("dicom")) == 1


def test_a_path_that_now_holds_an_instance_of_another_study_leaves_the_first(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "1", slice_of(1))
    put(source / "2", slice_of(2))
    scan(source, vault, ledger)
    put(source / "2", slice_of(3, StudyInstanceUID=OTHER_STUDY))
    assert scan(source, vault, ledger).files == {("linked", ""): 2}
    assert list(links(vault).values()) == [source / "1"]
    assert list(links(vault, OTHER_STUDY).values()) == [source / "2"]


def test_a_path_that_now_holds_a_copy_is_counted_once(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "1", slice_of(1))
    put(source / "2", slice_of(2))
    scan(source, vault, ledger)
    put(source / "2", slice_of(1))
    assert scan(source, vault, ledger).files == {("linked", ""): 1, ("duplicate", ""): 1}


def test_the_zones_are_not_scanned(vault: Vault, ledger: Ledger, lake: Lake, tmp_path: Path) -> None:
    put(tmp_path / "1", slice_of(1))
    put(tmp_path / "lake" / "dicom" / "2", slice_of(2))
    put(tmp_path / "vault" / "spool" / "3", slice_of(3))
    intake = scan(tmp_path, vault, ledger, vault.root, tmp_path / "lake")
    assert intake.files == {("linked", ""): 1}


@pytest.mark.parametrize("inside", ["lake", "lake/dicom", "vault/spool", "way/dicom"])
def test_a_source_inside_a_zone_is_refused(inside: str, vault: Vault, ledger: Ledger, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake" / "dicom").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "lake")
    with pytest.raises(ConfigurationError, match=r"E-DEID-SOURCE.*inside"):
        scan(tmp_path / inside, vault, ledger, vault.root, tmp_path / "lake")
    assert ledger.studies() == {}


def test_a_folder_behind_a_link_is_not_entered_and_a_linked_file_is_read(
    vault: Vault, ledger: Ledger, source: Path, tmp_path: Path
) -> None:
    put(tmp_path / "far" / "1", slice_of(1))
    (source / "folder").symlink_to(tmp_path / "far")
    (source / "file").symlink_to(tmp_path / "far" / "1")
    assert scan(source, vault, ledger).files == {("linked", ""): 1}


@pytest.mark.parametrize("name", ["nowhere", "a file"])
def test_a_source_that_is_no_folder_is_one_sentence(name: str, vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "a file", b"")
    with pytest.raises(ConfigurationError, match="E-DEID-SOURCE"):
        scan(source / name, vault, ledger)


def test_a_study_that_a_live_run_holds_is_not_taken_from_it(vault: Vault, ledger: Ledger, source: Path) -> None:
    put(source / "1", slice_of(1))
    key = Pseudonyms(vault.site_key()).study(STUDY)
    with ledger.run("deidentify") as other:
        assert ledger.claim("pull", key, "theirs", other)
        scan(source, vault, ledger)
        ledger.finish("pull", key, other, Outcome("done", output="theirs", passed=1))
    assert ledger.results("pull")[key, "pull"].output == "theirs"
