"""Several studies are expected at once, and several associations send them: each instance finds its own study, once, or is refused."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tasks.pacs.receiving.arrival import sweep_arrivals
from tasks.pacs.receiving.desk import STATUS, Desk
from tasks.pacs.receiving.intake import Intake
from tasks.processes import ProcessId
from tests.tasks.pacs.hospital import ROOT, Site, instance
from tests.tasks.pacs.receiving.conftest import Listen, files, make_intake
from tests.tasks.pacs.receiving.wire import ABORTED, RELEASED, connected, encoded, message


def put(desk: Desk, made: Any, **changes: Any) -> int:
    """An instance comes some other way."""
    return desk.store(CTImageStorage, made.SOPInstanceUID, ExplicitVRLittleEndian, encoded(made), **changes)


def test_each_instance_goes_to_its_study_whichever_association_brings_it(
    site: Site, listen: Listen, desk: Desk, engine: str
) -> None:
    port = listen(engine).port
    one, two = make_intake(site, 1), make_intake(site, 2)
    with desk.expecting(one), desk.expecting(two), connected(port) as first, connected(port) as second:
        first.associate()
        second.associate()
        for number in range(1, 5):
            assert first.store(instance(1 + number % 2, 1, number), number) == 0x0000
            assert second.store(instance(2 - number % 2, 2, number), number) == 0x0000
        assert (first.release(), second.release()) == (RELEASED, RELEASED)
    for number, intake in ((1, one), (2, two)):
        paths = files(intake.folder)
        assert len(paths) == len(intake.received) == 4
        assert {dcmread(path).StudyInstanceUID for path in paths} == {f"{ROOT}.{number}"}
        assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == {
            each.sha256 for each in intake.received.values()
        }
        assert intake.bytes == sum(path.stat().st_size for path in paths)
        assert set(intake.series) == set(intake.received)


def test_a_refusal_is_counted_for_its_study_or_outside_of_any(site: Site, desk: Desk) -> None:
    one, two = make_intake(site, 1), make_intake(site, 2)
    with desk.expecting(one), desk.expecting(two):
        assert put(desk, instance(3)) == STATUS["E-PULL-UNASKED"]
        made = instance(2)
        content = encoded(made)
        assert desk.store(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, content) == STATUS["E-PULL-MISMATCH"]
    assert desk.strays == {"E-PULL-UNASKED": 1}
    assert (one.refused, two.refused) == ({}, {"E-PULL-MISMATCH": 1})


def test_a_study_is_expected_once_at_a_time(site: Site, desk: Desk) -> None:
    with (
        desk.expecting(make_intake(site)),
        pytest.raises(ValueError, match="expected already"),
        desk.expecting(make_intake(site)),
    ):
        pass


def test_nothing_is_added_to_a_study_whose_turn_is_over(site: Site, desk: Desk) -> None:
    intake = make_intake(site)
    made = instance()
    with desk.expecting(intake):
        late = desk.begin(CTImageStorage, made.SOPInstanceUID, ExplicitVRLittleEndian, force=True)
        late.write(encoded(made))
    assert late.finish() == STATUS["E-PULL-UNASKED"]
    assert files(site.vault.spool) == []
    assert desk.strays == {"E-PULL-UNASKED": 1}


def test_of_different_instances_under_one_uid_at_the_same_time_one_is_kept_and_the_others_are_conflicts(
    site: Site, desk: Desk
) -> None:
    intake = make_intake(site)
    barrier, statuses = threading.Barrier(8), []

    def send(number: int) -> None:
        content = encoded(instance(InstanceNumber=number % 4))
        barrier.wait()
        statuses.append(desk.store(CTImageStorage, instance().SOPInstanceUID, ExplicitVRLittleEndian, content))

    with desk.expecting(intake):
        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [0x0000] * 2 + [STATUS["E-PULL-CONFLICT"]] * 6
    assert len(files(intake.folder)) == 1
    assert len(files(intake.conflicts)) == 3
    kept = {dcmread(path).InstanceNumber for path in (*files(intake.folder), *files(intake.conflicts))}
    assert kept == {0, 1, 2, 3}
    assert sorted(site.vault.spool.glob(".arriving-*")) == []


def test_an_interrupted_attempts_files_are_adopted_and_only_what_is_missing_is_written(site: Site, desk: Desk) -> None:
    first, again = make_intake(site), make_intake(site)
    made, other = instance(), instance(number=2)
    with desk.expecting(first):
        assert put(desk, made) == 0x0000
    assert again.adopt(made.SOPInstanceUID, made.SeriesInstanceUID)
    assert not again.adopt(other.SOPInstanceUID, other.SeriesInstanceUID)
    assert again.received == first.received
    assert (again.bytes, again.series) == (first.bytes, first.series)
    with desk.expecting(again):
        assert put(desk, made) == put(desk, other) == 0x0000
        assert put(desk, instance(InstanceNumber=7)) == STATUS["E-PULL-CONFLICT"]
    assert len(again.received) == 2


@pytest.mark.parametrize("left", [b"", b"\0" * 400, b"garbage"])
def test_a_file_that_is_no_whole_instance_is_not_adopted(site: Site, desk: Desk, left: bytes) -> None:
    made, intake = instance(), make_intake(site)
    path = intake.folder / site.keys.uid(made.SeriesInstanceUID) / f"{site.keys.uid(made.SOPInstanceUID)}.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(left)
    assert not intake.adopt(made.SOPInstanceUID, made.SeriesInstanceUID)
    with desk.expecting(intake):
        assert put(desk, made) == 0x0000
    assert dcmread(path) == made


@pytest.mark.parametrize("engine", ["direct", "pynetdicom"])
def test_with_fsync_study_files_are_forced_to_disk_when_the_study_is_flushed(
    site: Site, listen: Listen, desk: Desk, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[str] = []
    force = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda one: (forced.append(str(Path(f"/proc/self/fd/{one}").readlink())), force(one))[1])
    intake = make_intake(site)
    with desk.expecting(intake), connected(listen(engine, fsync="study").port) as peer:
        peer.associate()
        assert [peer.store(instance(number=n)) for n in (1, 2, 3)] == [0, 0, 0]
        assert peer.release() == RELEASED
    assert forced == []
    intake.flush()
    assert sorted(forced) == list(map(str, files(intake.folder)))


def test_files_and_folders_are_for_their_owner_only(site: Site, desk: Desk) -> None:
    intake = make_intake(site)
    before = os.umask(0)
    try:
        with desk.expecting(intake):
            put(desk, instance())
            put(desk, instance(InstanceNumber=9))
    finally:
        os.umask(before)
    for path in (*files(intake.folder), *files(intake.conflicts)):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_deflated_data_set_is_stored_as_it_came(site: Site, listen: Listen, desk: Desk, intake: Intake) -> None:
    with connected(listen("direct").port) as peer:
        peer.associate(syntaxes=(DeflatedExplicitVRLittleEndian,))
        peer.send(message(instance(), syntax=DeflatedExplicitVRLittleEndian))
        assert peer.status() == 0x0000
    (path,) = files(intake.folder)
    assert path.read_bytes().endswith(encoded(instance(), DeflatedExplicitVRLittleEndian))
    assert dcmread(path).PatientID == instance().PatientID


def test_what_arrived_for_processes_that_were_killed_is_swept_and_nothing_else(site: Site) -> None:
    spool = site.vault.spool
    own = spool / f".arriving-{ProcessId.current()}-aa"
    dead = spool / f".arriving-{ProcessId(ProcessId.current().host, 2**22 - 1, 1)}-bb"
    elsewhere = spool / ".arriving-ffffffff-1-1-cc"
    for path in (own, dead, elsewhere):
        path.touch()
    assert sweep_arrivals(spool) == 1
    assert files(spool) == sorted([own, elsewhere])


def test_pauses_of_the_pacs_are_noted(site: Site, listen: Listen, desk: Desk, engine: str) -> None:
    intake = make_intake(site)
    with desk.expecting(intake), connected(listen(engine).port) as peer:
        peer.associate()
        for number in range(1, 4):
            peer.store(instance(number=number), number)
        peer.release()
    assert len(intake.pauses) == 2
    assert intake.pause is not None
    assert intake.pause > 0


def test_memory_does_not_grow_with_the_instance(site: Site, listen: Listen, desk: Desk, intake: Intake) -> None:
    port = listen("direct").port
    peaks = []
    for number, size in ((1, 1 << 20), (2, 64 << 20)):
        content = message(instance(number=number, PixelData=bytes(size)), piece=120_000)
        with connected(port) as peer:
            peer.associate()
            tracemalloc.start()
            peer.send(content)
            assert peer.status() == 0x0000
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 20)


def test_neither_logs_nor_reprs_show_an_identifier(
    site: Site,
    listen: Listen,
    desk: Desk,
    intake: Intake,
    engine: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(0)
    with connected(listen(engine).port) as peer:
        peer.associate()
        peer.store(instance())
        peer.store(instance(2))
        peer.store(instance(InstanceNumber=8))
        peer.send(message(instance(number=5))[:700])
    out, err = capfd.readouterr()
    said = caplog.text + out + err + repr(intake) + repr(desk.strays)
    assert ROOT not in said
    assert "Testperson" not in said
    names = " ".join(str(path) for path in Path(site.vault.root).rglob("*"))
    assert ROOT not in names


def test_an_error_that_nobody_foresaw_ends_one_association_only_and_its_text_stays_in_the_vault(
    site: Site, listen: Listen, desk: Desk, intake: Intake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port = listen("direct").port
    desk._errors = site.errors
    with monkeypatch.context() as patch, connected(port) as peer:
        patch.setattr(Intake, "take", lambda *_, **__: 1 / 0)
        peer.associate().send(message(instance()))
        assert peer.read()[0] == ABORTED
    with connected(port) as peer:
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED
    assert desk.strays == {"E-STAGE-UNEXPECTED": 1}
    assert "ZeroDivisionError" in files(site.errors.folder)[0].read_text("utf-8")
    assert "ZeroDivisionError" not in "".join(capfd.readouterr())
    assert sorted(site.vault.spool.glob(".arriving-*")) == []


def test_strays_are_handed_on_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.count("E-PULL-STRANGER")
    desk.count("E-PULL-STRANGER")
    assert desk.take_strays() == {"E-PULL-STRANGER": 2}
    assert not desk.take_strays()
