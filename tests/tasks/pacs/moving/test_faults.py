"""What goes wrong in the middle: afterwards everything arrives, and nothing comes twice beyond what was on its way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.pacs import batch
from tasks.pacs.asking.find import find, register
from tasks.pacs.book import Book
from tasks.pacs.embedded.index import Entry
from tasks.pacs.settings import CohortSettings
from tests.tasks.pacs.hospital import MRN, ROOT, Site, counts, fill, free_port, instance, save, serving
from tests.tasks.pacs.moving.nodes import Counting, Cutting, Growing, Mistaken, OutOfResources


def uids(study: int = 1, series: int = 2, per_series: int = 3) -> set[str]:
    """The SOPInstanceUIDs of `fill`."""
    return {f"{ROOT}.{study}.{s}.{n}" for s in range(1, series + 1) for n in range(1, per_series + 1)}


class Partial(Counting):
    """Sends a part of what it lists, however often it is asked."""

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """The first ones."""
        return super().outgoing([entry for entry in entries if int(entry.value("InstanceNumber")) <= 12])


def test_a_study_comes_by_one_request_and_each_instance_once(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Counting) as node:
        site.find(node.port)
        site.pull(node.port)
    assert node.moves == ["STUDY"]
    assert node.sent == dict.fromkeys(uids(), 1)


def test_an_object_that_is_cut_off_leaves_nothing_and_is_asked_for_again(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Cutting) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}
    assert "IMAGE" in node.moves or "SERIES" in node.moves
    assert max(node.sent.values()) <= 2
    assert not list(site.vault.spool.glob(".arriving*/*"))


def test_what_an_interrupted_pull_brought_is_not_asked_for_again(site: Site, hospital: Path) -> None:
    fill(hospital, series=1, per_series=30)
    with serving(hospital, site, Partial) as node:
        site.find(node.port)
        first = site.pull(node.port)
    assert first.studies["failed"] == 1
    assert site.published() == []
    kept = {path.stem for path in arrived(site)}
    assert len(kept) == 12
    with serving(hospital, site, Counting) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 30}
    assert not {site.keys.uid(uid) for uid in node.sent} & kept
    assert set(node.sent.values()) == {1}


def test_what_was_brought_before_the_pacs_changed_the_study_is_not_kept(site: Site, hospital: Path) -> None:
    fill(hospital, series=1, per_series=30)
    with serving(hospital, site, Partial) as node:
        site.find(node.port)
        site.pull(node.port)
    fill(hospital, series=1, per_series=31, PatientName="Corrected^Name")
    with serving(hospital, site, Counting) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 31}
    assert len(node.sent) == 31
    assert all(b"Corrected^Name" in path.read_bytes() for path in site.spooled())


def test_what_the_pacs_has_withdrawn_since_is_not_published_with_the_rest(site: Site, hospital: Path) -> None:
    fill(hospital, series=1, per_series=30)
    with serving(hospital, site, Partial) as node:
        site.find(node.port)
        site.pull(node.port)
    (hospital / "1-1-5.dcm").unlink()
    save(instance(1, 1, 99), hospital, "instead.dcm")  # as many as before: nothing has changed by the counts
    with serving(hospital, site, Counting) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 30}
    names = {path.stem for path in site.spooled()}
    assert len(names) == 30
    assert site.keys.uid(f"{ROOT}.1.1.5") not in names


def test_series_that_were_not_chosen_are_refused_when_the_pacs_sends_them_all_the_same(site: Site, hospital: Path) -> None:
    class Generous(Counting):
        def on_move(self, event: Any) -> Any:
            query = event.identifier
            query.QueryRetrieveLevel = "STUDY"
            return super().on_move(SimpleNamespace(
                identifier=query, move_destination=event.move_destination, assoc=event.assoc, is_cancelled=False
            ))  # fmt: skip

    fill(hospital)
    with serving(hospital, site, Generous) as node:
        (found,) = site.find(node.port)
        wanted = f"{ROOT}.1.1"
        register(site.ledger, site.vault, [replace(found, series={wanted: 3}, selected=True)])
        assert counts(site.pull(node.port)) == {("pulled", ""): 3, ("refused", "E-PULL-UNASKED"): 3}
    assert {path.parent.name for path in site.spooled()} == {site.keys.uid(wanted)}


def test_a_copy_elsewhere_does_not_replace_a_study_whose_own_pacs_is_away(site: Site, hospital: Path, tmp_path: Path) -> None:
    fill(hospital, per_series=5)
    fill(tmp_path / "teaching", per_series=2, PatientID="T-1")
    with serving(hospital, site) as node:
        site.find_in(site.pacs(node.port, name="archive"))
    with serving(tmp_path / "teaching", site) as node:
        found = find(site.pacs(node.port, name="teaching"), CohortSettings())
    register(site.ledger, site.vault, found, away=["archive"])
    study = site.ledger.study(site.key())
    assert (study.source, study.patient_id, sum(study.expected.values())) == ("archive", MRN, 10)
    register(site.ledger, site.vault, found)
    assert site.ledger.study(site.key()).source == "teaching"


def test_a_study_that_grows_while_it_is_pulled_is_taken_with_all_that_came(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Growing) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 7}
    assert len(site.spooled()) == 7


def test_a_study_that_does_not_stop_to_grow_is_left_for_another_time(site: Site, hospital: Path) -> None:
    class AlwaysGrowing(Growing):
        growths = 50

    fill(hospital)
    with serving(hospital, site, AlwaysGrowing) as node:
        site.find(node.port)
        summary = site.pull(node.port)
    assert [outcome.reason_code for outcome in summary.failures.values()] == ["E-PULL-GROWING"]
    assert site.published() == []


def test_a_pacs_that_is_out_of_resources_is_asked_again(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, OutOfResources) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}
    (attempt,) = Book(site.ledger).retrievals()
    assert (attempt.instances, attempt.requests >= 2, attempt.reason_code) == (6, True, "")


def test_a_pacs_that_stays_out_of_resources_fails_the_study_with_its_status(site: Site, hospital: Path) -> None:
    class Poor(OutOfResources):
        refusals = 100

    fill(hospital)
    with serving(hospital, site, Poor) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("failed", "E-PULL-MOVE-FAILED"): 6}
    (attempt,) = Book(site.ledger).retrievals()
    assert (attempt.last_status, attempt.reason_code) == ("0xA701", "E-PULL-MOVE-FAILED")


def test_a_warning_with_failures_is_held_against_what_came(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Mistaken) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}
    assert node.moves == ["STUDY"]


def test_a_pacs_with_fewer_associations_than_we_may_use_is_used_with_those_that_it_has(site: Site, hospital: Path) -> None:
    for study in range(1, 6):
        fill(hospital, study=study, series=1, per_series=5)
    with serving(hospital, site, Counting) as node:
        site.find(node.port)
        node._entity.maximum_associations = 1
        summary = site.pull(node.port, manners={"associations": 4, "breaker_s": 0.1, "give_up_s": 5})
    assert summary.studies["done"] == 5
    assert max(node.sent.values()) == 1


def test_of_two_pacss_one_that_is_down_does_not_keep_the_other(site: Site, hospital: Path, tmp_path: Path) -> None:
    fill(hospital, study=1)
    fill(tmp_path / "other", study=2)
    with serving(hospital, site) as node, serving(tmp_path / "other", site) as other:
        one, two = site.pacs(node.port, name="one"), site.pacs(other.port, name="two")
        for pacs in (one, two):
            site.find_in(pacs)
        gone = site.pacs(free_port(), name="two")
        with pytest.raises(ConfigurationError) as caught:
            site.pull_from(one, gone)
        assert caught.value.code in {"E-PULL-BREAKER", "E-PULL-UNREACHABLE"}
        assert {key for key, _ in site.ledger.results("pull")} == {site.key(1)}
        assert site.pull_from(one, two).studies["done"] == 1
    assert site.published() == sorted([site.key(1), site.key(2)])


def test_studies_of_a_pacs_that_is_configured_no_more_are_told(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find_in(site.pacs(node.port, name="old"))
        with pytest.raises(ConfigurationError, match="E-PULL-SOURCE"):
            site.pull_from(site.pacs(node.port, name="new"))


def test_a_full_disk_ends_the_pull_and_costs_no_attempt(site: Site, hospital: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        monkeypatch.setattr(batch, "RESERVE_BYTES", 1 << 60)
        with pytest.raises(ConfigurationError, match="E-PULL-DISK-FULL"):
            site.pull(node.port)
        assert site.ledger.results("pull") == {}
        monkeypatch.undo()
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of two megabytes is mounted: only root may")
def test_a_disk_that_fills_in_the_middle_is_told_and_the_rest_comes_when_there_is_room(
    tmp_path: Path, hospital: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(hospital, series=1, per_series=40, PixelData=bytes(64 * 1024), Rows=256, Columns=128)
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let its root mount a file system")
    try:
        monkeypatch.setattr(batch, "RESERVE_BYTES", 0)
        small = Site(tmp_path / "ledger-and-vault")
        shutil.rmtree(small.vault.spool)
        (disk / "spool").mkdir(mode=0o700)
        small.vault.spool.symlink_to(disk / "spool")
        with serving(hospital, small, Counting) as node:
            small.find(node.port)
            with pytest.raises(ConfigurationError, match="E-PULL-DISK-FULL"):
                small.pull(node.port)
            assert {row.status for row in small.ledger.results("pull").values()} == {"interrupted"}
            assert {row.attempts for row in small.ledger.results("pull").values()} == {0}
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
            assert counts(small.pull(node.port)) == {("pulled", ""): 40}
            assert sum(node.sent.values()) < 80
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def pull_process(site: Site, port: int, **manners: Any) -> subprocess.Popen[bytes]:
    """`safelight pull` in a process of its own."""
    config = site.root / "site.yaml"
    pacs = {
        **site.pacs(port).model_dump(mode="json"),
        "manners": {"associations": 1, "backoff_s": 0.2, "breaker_s": 0.3, **manners},
    }
    content = {"site": "test", "vault": str(site.vault.root), "lake": str(site.root / "lake"), "pacs": pacs}
    config.write_text(yaml.safe_dump({**content, "receivers": {"port": site.receiver_port}}))
    program = "import typer; from tasks.pacs.command import pull; typer.run(pull)"
    return subprocess.Popen(
        [sys.executable, "-c", program, "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def arrived(site: Site) -> list[Path]:
    """Instances in the spool, also while folders come and go: `os.walk` passes over one that has just been renamed."""
    return [Path(folder, name) for folder, _, names in os.walk(site.vault.spool) for name in names if name.endswith(".dcm")]


def wait_for(what: Any, seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Slow(Counting):
    """Takes its time between two instances."""

    def on_move(self, event: Any) -> Any:
        """Pause."""
        for number, step in enumerate(super().on_move(event)):
            yield step
            time.sleep(0.05 if number > 1 else 0)


def test_a_receiver_that_is_killed_in_the_middle_goes_on_where_it_was(site: Site, hospital: Path) -> None:
    for study in (1, 2, 3):
        fill(hospital, study=study, series=2, per_series=15)
    with serving(hospital, site, Slow) as node:
        killed = pull_process(site, node.port)
        wait_for(lambda: len(arrived(site)) > 40)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        before = {path.stem for path in arrived(site)}
        node.sent.clear()
        again = pull_process(site, node.port)
        said, _ = again.communicate(timeout=120)
    assert again.returncode == 0, said.decode()
    assert len(site.spooled()) == 90
    repeated = {site.keys.uid(uid) for uid in node.sent} & before
    assert len(repeated) <= 15, "more than one series came twice"


def test_a_pacs_that_is_killed_and_comes_back_is_waited_for(site: Site, hospital: Path) -> None:
    for study in (1, 2, 3):
        fill(hospital, study=study, series=1, per_series=20)
    port = free_port()
    program = [
        sys.executable, "-c",
        "import sys, time\nfrom tasks.pacs.embedded.node import PacsNode\n"
        "class Slow(PacsNode):\n"
        "    def on_move(self, event):\n"
        "        for step in super().on_move(event):\n"
        "            yield step\n            time.sleep(0.03)\n"
        f"with Slow(sys.argv[1], 'HOSPITAL', {port}, {{'SAFELIGHT': ('127.0.0.1', {site.receiver_port})}}) as node: node.serve_forever()",
        str(hospital),
    ]  # fmt: skip
    pacs = subprocess.Popen(program)
    try:
        wait_for(lambda: _answers(site, port))
        site.find(port)
        ended: list[Any] = []
        settings = {"associations": 1, "backoff_s": 0.1, "breaker_s": 0.2, "give_up_s": 60, "retries": 2}
        thread = threading.Thread(target=lambda: ended.append(site.pull(port, manners=settings)))
        thread.start()
        wait_for(lambda: len(arrived(site)) > 25)
        pacs.kill()
        pacs.wait()
        time.sleep(1)
        pacs = subprocess.Popen(program)
        thread.join(120)
    finally:
        pacs.kill()
        pacs.wait()
    assert counts(ended[0]) == {("pulled", ""): 60}
    assert len(site.spooled()) == 60
    assert {row.attempts for row in site.ledger.results("pull").values()} == {0}


def _answers(site: Site, port: int) -> bool:
    from tasks.pacs.association import echo

    try:
        echo(site.pacs(port))
    except ConfigurationError:
        return False
    return True
