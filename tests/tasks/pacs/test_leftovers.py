"""What a killed pull leaves is removed; what a living one is writing is left alone; publishing is one rename."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tasks.pacs.stage import sweep
from tasks.processes import ProcessId
from tests.tasks.pacs.hospital import Site, counts, fill, serving


def dead_process() -> str:
    """The id of a process that has ended."""
    program = "from tasks.processes import ProcessId; print(ProcessId.current())"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def leave(site: Site, key: str, kind: str, owner: str) -> Path:
    """A folder as a pull leaves it when it is killed."""
    folder = site.vault.spool / f"{key}.{kind}-{owner}-00ff"
    (folder / "2.25.1").mkdir(parents=True)
    (folder / "2.25.1" / "2.25.2.dcm").write_bytes(b"half")
    return folder


def test_sweep_removes_what_dead_processes_left(site: Site) -> None:
    owner = dead_process()
    left = [leave(site, site.key(), kind, owner) for kind in ("incoming", "outgoing")]
    assert sweep(site.vault) == 2
    assert not any(folder.exists() for folder in left)
    assert sweep(site.vault) == 0


def test_sweep_leaves_living_processes_and_finished_studies_alone(site: Site) -> None:
    living = leave(site, site.key(), "incoming", str(ProcessId.current()))
    elsewhere = leave(site, site.key(), "incoming", "0123abcd-7-7")
    (site.vault.spool / site.key(2)).mkdir()
    assert sweep(site.vault) == 0
    assert living.exists()
    assert elsewhere.exists()
    assert (site.vault.spool / site.key(2)).exists()


def test_a_study_that_was_killed_half_way_is_pulled_whole_and_its_leftovers_go(site: Site, hospital: Path) -> None:
    fill(hospital)
    left = leave(site, site.key(), "incoming", dead_process())
    with serving(hospital, site) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}
    assert not left.exists()
    assert len(site.spooled()) == 6


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
