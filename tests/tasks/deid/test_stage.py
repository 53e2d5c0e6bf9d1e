"""The stage accounts for every instance, publishes the same bytes again, and keeps what goes wrong inside the vault."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from data_contracts.deid_audit import CONTRACT
from tasks.deid.header import Rewriter
from tasks.deid.pixels import Evidence
from tasks.deid.quarantine import read
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.deid.study import StudyWork
from tasks.dicom import instances
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError, catalogue
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.pools import WorkerPool
from tasks.processes import ProcessId
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome, fingerprint
from tasks.vault import Vault
from tests.tasks.deid.making import STUDY, TEST_FILES, ct, encoded, face, planted, spool


def run(vault: Vault, lake: Lake, key: str, profile: str = "safe_harbor") -> Outcome:
    stage = DeidentifyStage(vault, lake, profile)
    return stage.run(key, "in", fingerprint(stage, "in"))


def bytes_of(lake: Lake) -> dict[str, bytes]:
    return {path: lake.read(path) for path in lake.files("")}


def test_released_files_lie_under_the_lakes_keys(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(number)) for number in (1, 2, 3)])
    outcome = run(vault, lake, key)
    pseudonyms = Pseudonyms(vault.site_key())
    assert outcome.passed == 3
    assert [(count.outcome, count.n) for count in outcome.tally] == [("released", 3)]
    for path in lake.files("dicom"):
        _, patient, study, series, instance = path.split("/")
        dataset = dcmread(lake.root / path)  # type: ignore[operator]
        assert patient == dataset.PatientID == dataset.PatientName == pseudonyms.patient("", "MRN0047110")
        assert (study, series, instance) == (key, dataset.SeriesInstanceUID, f"{dataset.SOPInstanceUID}.dcm")
        assert dataset.StudyInstanceUID == key == pseudonyms.study(STUDY)
    assert lake.manifest("deidentify", key).digest == outcome.output  # type: ignore[union-attr]


def test_the_audit_counts_what_was_done(vault: Vault, lake: Lake) -> None:
    run(vault, lake, spool(vault, [encoded(ct(number)) for number in (1, 2)]))
    rows = {(row["keyword"], row["action"]): row["n"] for row in lake.table(CONTRACT).to_pylist()}
    assert rows["PatientName", "patient"] == 2
    assert rows["StudyDate", "year"] == 2
    assert rows["SOPInstanceUID", "uid"] == 2
    assert rows["ReferringPhysicianName", "empty"] == 2


def test_doing_it_again_gives_the_same_bytes(vault: Vault, lake: Lake, tmp_path: Path) -> None:
    key = spool(vault, [planted(1), encoded(ct(2)), encoded(ct(3, body_part="HEAD"))])
    run(vault, lake, key)
    other = Lake.open(tmp_path / "other")
    run(vault, other, key)
    assert bytes_of(lake) == bytes_of(other)
    before = bytes_of(lake)
    run(vault, lake, key)
    assert bytes_of(lake) == before


def test_every_real_file_of_pydicom_ends_somewhere_and_the_counts_balance(vault: Vault, lake: Lake) -> None:
    contents = [path.read_bytes() for path in sorted(TEST_FILES.glob("*.dcm")) if path.stat().st_size < 400_000]
    pseudonyms = Pseudonyms(vault.site_key())
    groups: dict[str, list[bytes]] = {}
    for content in contents:
        stated = re.search(rb"\x20\x00\x0d\x00(?:UI..|..\x00\x00)([0-9.]{8,64})", content)
        study = stated[1].decode() if stated else "1.2.3.4"
        groups.setdefault(study, []).append(content)
    released = 0
    for study, members in groups.items():
        key = pseudonyms.study(study)
        spool(vault, members, study=study)
        outcome = run(vault, lake, key)
        files = len(list((vault.spool / key).glob("*/*.dcm")))
        assert outcome.status == "done"
        assert sum(count.n for count in outcome.tally) == files
        held = read(vault, key)
        assert len(held) + outcome.passed == files
        assert set(held.values()) <= set(catalogue())
        assert "E-DEID-FAILED" not in held.values()
        released += outcome.passed
    assert released >= 1
    assert len(lake.files("dicom")) == released


def cut(*, behind: bytes, extra: int) -> bytes:
    """A CT that ends so many bytes behind a value of its."""
    content = encoded(ct())
    return content[: content.index(behind) + len(behind) + extra]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no DICOM at all", "E-DEID-NOT-DICOM"), (b"\0" * 128 + b"DICM", "E-DEID-UNREADABLE"), (encoded(ct())[:-20], "E-DEID-TRUNCATED"),
        (cut(behind=b"Mustermann", extra=-3), "E-DEID-TRUNCATED"),
        (cut(behind=b"Mustermann^Erika", extra=0), "E-DEID-NO-UID"),  # where an element ends, nothing shows that more was meant to follow
        (cut(behind=b"Mustermann^Erika", extra=4), "E-DEID-TRUNCATED"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 5000, "E-DEID-UNREADABLE"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_quarantined_and_the_rest_released(content: bytes, code: str, vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(2))])
    (vault.spool / key / "2.25.1").mkdir()
    (vault.spool / key / "2.25.1" / "2.25.2.dcm").write_bytes(content)
    outcome = run(vault, lake, key)
    assert outcome.passed == 1
    assert set(read(vault, key).values()) == {code}


@pytest.mark.parametrize("odd", [1, 2, 3])
@pytest.mark.parametrize(
    ("element", "code"), [(b"\x28\0\x02\0", "E-DEID-UNREADABLE"), (b"\x28\0\x01\1", "E-DEID-PIXELS-UNREADABLE")]
)
def test_the_same_bytes_under_another_value_representation_are_not_taken_for_a_neighbours(
    element: bytes, code: str, odd: int, vault: Vault, lake: Lake
) -> None:
    """SamplesPerPixel and BitsStored. Headers that agree are asked once: whichever comes first, one that cannot be decoded is not among them."""
    files = {number: encoded(ct(number)) for number in (1, 2, 3)}
    assert files[odd].count(element + b"US") == 1
    files[odd] = files[odd].replace(element + b"US", element + b"SL")
    key = spool(vault, list(files.values()))
    outcome = DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "0" * 64)
    assert outcome.passed == 2
    assert list(read(vault, key).values()) == [code]


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_is_turned_into_it_ends_released_or_quarantined(data: st.DataObject, vault: Vault, lake: Lake) -> None:
    content = bytearray(planted())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(200, len(content))) :]
    key = Pseudonyms(vault.site_key()).study(STUDY)
    path = vault.spool / key / "2.25.1" / "2.25.2.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    outcome = run(vault, lake, key)
    assert outcome.passed + len(read(vault, key)) == 1
    for name in lake.files("dicom"):
        assert b"mustermann" not in lake.read(name).lower()


def test_a_file_that_is_cut_anywhere_is_never_released(vault: Vault) -> None:
    content = encoded(ct())
    evidence = Evidence(load("safe_harbor"))

    def refused(end: int) -> bool:
        (vault.root / "cut").write_bytes(content[:end])
        try:
            instance = instances.read(vault.root / "cut")
        except SafelightError as error:
            return error.code in ("E-DEID-TRUNCATED", "E-DEID-UNREADABLE")
        return not instance.text(0x0020000E) or evidence.refusal(instance.whole()) != ""

    assert [end for end in range(132, len(content), 3) if not refused(end)] == []


def test_unproven_instances_wait_in_the_vault_and_never_in_the_lake(
    vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, list[Path]]] = []
    prove = StudyWork.prove

    def look(self: StudyWork) -> None:
        waiting = [path for path in (vault.root / "drafts").rglob("*") if path.is_file()]
        in_the_lake = [path for path in lake.root.rglob("*") if path.is_file()]  # type: ignore[union-attr]
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in (vault.root / "drafts", waiting[0].parent))
        seen.append((bool(waiting), in_the_lake))
        prove(self)

    monkeypatch.setattr(StudyWork, "prove", look)
    run(vault, lake, spool(vault, [encoded(ct(1)), encoded(ct(2))]))
    assert seen == [(True, [])]
    assert list((vault.root / "drafts").iterdir()) == []
    assert len(lake.files("dicom")) == 2


def test_drafts_that_a_killed_process_left_go_and_those_of_a_live_one_stay(vault: Vault, lake: Lake) -> None:
    ended = subprocess.Popen(["sleep", "60"])
    gone = ProcessId.of(ended.pid)
    ended.kill()
    ended.wait()
    for owner in (gone, ProcessId.current()):
        (vault.root / "drafts" / f"{owner}-0a1b").mkdir(parents=True)
    run(vault, lake, spool(vault, [encoded(ct(1))]))
    assert [path.name for path in (vault.root / "drafts").iterdir()] == [f"{ProcessId.current()}-0a1b"]


def test_two_files_of_one_instance_are_released_once_and_both_counted(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(1))])
    [path] = (vault.spool / key).glob("*/*.dcm")
    path.with_name("2.25.9.dcm").write_bytes(path.read_bytes())
    outcome = run(vault, lake, key)
    assert {(count.outcome, count.reason_code): count.n for count in outcome.tally} == {
        ("released", ""): 1, ("quarantined", "E-DEID-CONFLICT"): 1,
    }  # fmt: skip
    assert len(lake.files("dicom")) == outcome.passed == 1


@pytest.mark.parametrize("keyword", ["SeriesInstanceUID", "SOPInstanceUID"])
def test_a_uid_of_the_standard_is_no_instances_own(keyword: str, vault: Vault, lake: Lake) -> None:
    dataset = ct(1)
    setattr(dataset, keyword, "1.2.840.10008.1.2.1")
    key = spool(vault, [encoded(dataset)])
    assert run(vault, lake, key).passed == 0
    assert list(read(vault, key).values()) == ["E-DEID-NO-UID"]


def test_several_patients_in_one_study_are_held_back(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(1)), encoded(ct(2, patient="MRN0047111"))])
    assert run(vault, lake, key).passed == 0
    assert set(read(vault, key).values()) == {"E-DEID-MIXED-PATIENTS"}


@pytest.mark.parametrize(
    ("keyword", "code"),
    [("PatientID", "E-DEID-NO-PATIENT-ID"), ("SeriesInstanceUID", "E-DEID-NO-UID"), ("StudyInstanceUID", "E-DEID-NO-UID")],
)
def test_what_cannot_be_filed_is_held_back(keyword: str, code: str, vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(1))])
    dataset = ct(1)
    setattr(dataset, keyword, "")
    [path] = (vault.spool / key).glob("*/*.dcm")
    path.write_bytes(encoded(dataset))
    assert run(vault, lake, key).passed == 0
    assert set(read(vault, key).values()) == {code}


def test_an_instance_of_another_study_is_held_back(vault: Vault, lake: Lake) -> None:
    other = ct(2)
    other.StudyInstanceUID = "1.3.6.1.4.1.99999.77.666"
    key = spool(vault, [encoded(ct(1)), encoded(other)])
    assert run(vault, lake, key).passed == 1
    assert list(read(vault, key).values()) == ["E-DEID-WRONG-STUDY"]


def test_the_quarantine_list_goes_when_nothing_is_held_back_any_more(vault: Vault, lake: Lake, bent: Callable[..., str]) -> None:
    key = spool(vault, [encoded(face(number)) for number in range(1, 11)])
    run(vault, lake, key)
    listed = vault.quarantine / key / "quarantine.json"
    assert listed.stat().st_mode & 0o077 == 0
    assert set(json.loads(listed.read_text())) == {"study", "instances", "residue"}
    run(vault, lake, key, bent(faces="keep"))
    assert not listed.parent.exists()


def test_a_study_that_is_refused_later_leaves_the_lake(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(1))])
    run(vault, lake, key)
    assert lake.files("dicom")
    broken = ct(1)
    broken.BurnedInAnnotation = "YES"
    spool(vault, [encoded(broken)])
    assert run(vault, lake, key).passed == 0
    assert lake.files("dicom") == []
    assert lake.files("tables") == []


def test_an_empty_spool_does_not_empty_the_lake(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct(1))])
    run(vault, lake, key)
    for path in (vault.spool / key).glob("*/*.dcm"):
        path.unlink()
    with pytest.raises(SafelightError, match="E-DEID-SPOOL-EMPTY"):
        run(vault, lake, key)
    assert lake.files("dicom")


def test_a_file_that_changes_while_it_is_copied_is_not_released(
    vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = spool(vault, [encoded(ct(1)), encoded(ct(2))])
    [first, *_] = sorted((vault.spool / key).glob("*/*.dcm"))
    rewrite = Rewriter.rewrite

    def meanwhile(self: Rewriter, instance: Instance, **named: Any) -> bytes:
        if instance.path == first:
            first.write_bytes(first.read_bytes()[:-8] + b"MUSTERMA")
        return rewrite(self, instance, **named)

    monkeypatch.setattr(Rewriter, "rewrite", meanwhile)
    assert run(vault, lake, key).passed == 1
    assert list(read(vault, key).values()) == ["E-DEID-CHANGED"]
    assert not [path for path in lake.files("dicom") if b"MUSTERMA" in lake.read(path)]
    counted = [row["n"] for row in lake.table(CONTRACT).to_pylist() if row["keyword"] == "PatientName"]
    assert counted == [1]  # the audit is of what was released


def test_a_header_that_goes_on_behind_a_high_tag_is_refused(vault: Vault, lake: Lake) -> None:
    content = encoded(ct(1))
    at = content.index(b"\x28\x00\x02\x00US")
    odd = content[:at] + b"\xe1\x7f\x10\x00LO\x02\x00A " + content[at:]
    key = spool(vault, [encoded(ct(2))])
    (vault.spool / key / "2.25.1").mkdir()
    (vault.spool / key / "2.25.1" / "2.25.2.dcm").write_bytes(odd)
    assert run(vault, lake, key).passed == 1
    assert list(read(vault, key).values()) == ["E-DEID-UNREADABLE"]


def test_an_exception_with_an_identifier_in_it_stays_in_the_vault(
    vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def explode(*_arguments: object, **_named: object) -> None:
        raise ValueError("Mustermann^Erika")

    monkeypatch.setattr(Rewriter, "rewrite", explode)
    key = spool(vault, [encoded(ct(1))])
    outcome = run(vault, lake, key)
    assert set(read(vault, key).values()) == {"E-DEID-FAILED"}
    assert "Mustermann" not in repr(outcome) + "".join(capfd.readouterr())
    assert not [path for path in lake.files("") if b"Mustermann" in lake.read(path)]
    assert any("Mustermann" in path.read_text() for path in vault.errors.iterdir())


def test_the_stage_travels_to_a_worker_and_comes_to_the_same_end(vault: Vault, lake: Lake, tmp_path: Path) -> None:
    key = spool(vault, [encoded(ct(1))])
    stage = DeidentifyStage(vault, Lake.open(tmp_path / "other"), "safe_harbor")
    assert pickle.loads(pickle.dumps(stage)) == stage
    pool = WorkerPool(1, ErrorLog(vault.errors))
    try:
        there = pool.submit(stage.run, key, "in", fingerprint(stage, "in")).result()
    finally:
        pool.close()
    assert there == run(vault, lake, key)


def test_the_configuration_follows_the_profile(vault: Vault, lake: Lake, bent: Callable[..., str]) -> None:
    plain, other = (DeidentifyStage(vault, lake, profile).configuration() for profile in ("safe_harbor", bent(faces="keep")))
    assert plain["profile"] == other["profile"] == "safe_harbor"
    assert plain["content"] != other["content"]


def test_an_unknown_profile_is_one_sentence(vault: Vault, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("name: odd\n")
    for profile in ("no_such", str(tmp_path / "odd.yaml"), str(tmp_path / "none.yaml")):
        with pytest.raises(SafelightError, match="E-DEID-PROFILE"):
            DeidentifyStage(vault, lake, profile).configuration()


def test_a_fault_of_the_machine_is_a_failure_to_be_tried_again_and_no_verdict(
    vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    key = spool(vault, [encoded(ct(1)), encoded(ct(2))])
    monkeypatch.setattr(Rewriter, "rewrite", full)
    with pytest.raises(OSError, match="No space left"):
        run(vault, lake, key)
    assert lake.files("dicom") == []
    assert read(vault, key) == {}


def test_every_released_file_is_on_disk_before_the_manifest_names_it(
    vault: Vault, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the files themselves: a rename keeps a file's number."""
    forced: dict[int, int] = {}

    def noting(descriptor: int) -> None:
        status = os.fstat(descriptor)
        forced[status.st_ino] = status.st_size
        real(descriptor)

    real = os.fsync
    monkeypatch.setattr("tasks.forcing.os.fsync", noting)
    run(vault, lake, spool(vault, [encoded(ct(number)) for number in range(3)]))
    for path in lake.files(""):
        status = (lake.root / path).stat()  # type: ignore[operator]
        assert forced[status.st_ino] == status.st_size, path
