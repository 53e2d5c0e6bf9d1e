"""What a killed pull leaves: what it brought is gone on with for a while, what nobody will go on with is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.pacs import spool
from tasks.pacs.spool import incoming, settle, sweep
from tasks.processes import ProcessId
from tests.tasks.pacs.hospital import Site, counts, fill, serving


def dead_process() -> str:
    """The id of a process that has ended."""
    program = "from tasks.processes import ProcessId; print(ProcessId.current())"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def leave(site: Site, name: str, age_s: float = 0) -> Path:
    """A folder beside a study, begun some time ago."""
    folder = site.vault.spool / f"{site.key()}.{name}"
    (folder / "2.25.1").mkdir(parents=True)
    (folder / "2.25.1" / "2.25.2.dcm").write_bytes(b"some")
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder


def test_sweep_removes_what_nobody_will_go_on_with(site: Site) -> None:
    left = [leave(site, f"outgoing-{dead_process()}-00ff"), leave(site, "incoming-0123456789abcdef", 49 * 3600)]
    assert sweep(site.vault) == 2
    assert not any(folder.exists() for folder in left)
    assert sweep(site.vault) == 0


def test_sweep_leaves_living_processes_fresh_gatherings_and_finished_studies_alone(site: Site) -> None:
    kept = [
        leave(site, f"outgoing-{ProcessId.current()}-00ff"),
        leave(site, "outgoing-0123abcd-7-7-00ff"),
        leave(site, "incoming-0123456789abcdef", 47 * 3600),
    ]
    (site.vault.spool / site.key(2)).mkdir()
    assert sweep(site.vault) == 0
    assert all(folder.exists() for folder in kept)
    assert (site.vault.spool / site.key(2)).exists()


def test_what_gathered_of_another_finding_or_too_long_ago_is_not_gone_on_with(site: Site) -> None:
    other = leave(site, "incoming-ffffffffffffffff")
    old = leave(site, "incoming-0123456789abcdef", 49 * 3600)
    folder = incoming(site.vault, site.key(), "0123456789abcdef00", forced=True)
    assert folder == old
    assert not other.exists()
    assert list(folder.iterdir()) == []


def test_what_gathered_is_gone_on_with_and_is_not_stale_from_then_on(site: Site) -> None:
    folder = leave(site, "incoming-0123456789abcdef", 47 * 3600)
    assert incoming(site.vault, site.key(), "0123456789abcdef00", forced=True) == folder
    assert [path.name for path in folder.rglob("*.dcm")] == ["2.25.2.dcm"]
    assert time.time() - folder.stat().st_mtime < 3600


def test_what_was_not_received_is_not_published_and_what_is_missing_is_noticed(site: Site) -> None:
    folder = leave(site, "incoming-0123456789abcdef")
    (folder / "2.25.1" / "2.25.3.dcm").write_bytes(b"of an earlier attempt")
    assert settle(folder, {"2.25.1/2.25.2.dcm"})
    assert [path.name for path in folder.rglob("*.dcm")] == ["2.25.2.dcm"]
    assert not settle(folder, {"2.25.1/2.25.2.dcm", "2.25.1/2.25.4.dcm"})


@pytest.mark.parametrize(("forced", "kept"), [(True, 1), (False, 0)])
def test_files_that_were_not_forced_to_disk_are_not_believed_after_a_restart_of_the_machine(
    site: Site, monkeypatch: pytest.MonkeyPatch, forced: bool, kept: int
) -> None:
    leave(site, "incoming-0123456789abcdef", 30)
    monkeypatch.setattr(spool.psutil, "boot_time", lambda: time.time() - 10)
    assert len(list(incoming(site.vault, site.key(), "0123456789abcdef00", forced=forced).rglob("*.dcm"))) == kept


def test_a_file_that_is_none_is_not_taken_over(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        (found,) = site.find(node.port)
        study = site.ledger.study(site.key())
        folder = incoming(site.vault, site.key(), study.found_digest, forced=True)
        series = site.keys.uid(next(iter(found.series)))
        (folder / series).mkdir(mode=0o700)
        (folder / series / f"{site.keys.uid(f'{found.study_instance_uid}.1.1')}.dcm").write_bytes(b"of a power cut")
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}
    assert all(path.read_bytes()[128:132] == b"DICM" for path in site.spooled())


def test_a_folder_without_a_finished_row_is_replaced(site: Site, hospital: Path) -> None:
    fill(hospital)
    stale = site.vault.spool / site.key() / "2.25.9" / "2.25.9.dcm"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of a run that died between its rename and its row")
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
    assert not stale.exists()
    assert len(site.spooled()) == 6
    assert [path.name for path in site.vault.spool.iterdir()] == [site.key()]
