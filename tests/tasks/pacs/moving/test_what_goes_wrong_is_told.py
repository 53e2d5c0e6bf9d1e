"""A PACS that does not give all, or does not answer: a coded failure with counts, never a success, never a leftover."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from tasks.errors import ConfigurationError
from tasks.pacs.asking.find import find
from tasks.pacs.association import echo
from tasks.pacs.embedded.index import Entry
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.settings import CohortSettings
from tests.tasks.pacs.hospital import MRN, NAME, ROOT, Site, counts, fill, free_port, serving


class Forgetful(PacsNode):
    """Sends all but one instance, however often it is asked."""

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """Leave the last of the first series out."""
        return [entry for entry in entries if not entry.value("SOPInstanceUID").endswith(".1.1.3")]


class Absentminded(PacsNode):
    """Leaves an instance out the first time, and knows better when it is asked for that one."""

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """Leave one out of many."""
        return entries[1:] if len(entries) > 1 else entries


class Boastful(PacsNode):
    """Counts one instance more in each series than it lists."""

    def on_find(self, event: Any) -> Iterator[Any]:
        """Raise the counts."""
        for status, match in super().on_find(event):
            if match is not None and "NumberOfSeriesRelatedInstances" in match:
                match.NumberOfSeriesRelatedInstances = int(match.NumberOfSeriesRelatedInstances) + 1
            yield status, match


class Secretive(PacsNode):
    """Lists its studies and, for a while, nothing that is in them."""

    def on_find(self, event: Any) -> Iterator[Any]:
        """Answer below STUDY level with no match."""
        for status, match in super().on_find(event):
            if match is None or match.get("QueryRetrieveLevel") == "STUDY":
                yield status, match

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """Send nothing."""
        return []


class Vanishing(PacsNode):
    """Drops the association in the middle of its first C-MOVE."""

    fled = False

    def on_move(self, event: Any) -> Iterator[Any]:
        """Flee after two instances."""
        for number, step in enumerate(super().on_move(event)):
            if number == 4 and not self.fled:
                self.fled = True
                event.assoc.abort()
            yield step


class AlwaysVanishing(Vanishing):
    """Drops the association in the middle of every C-MOVE."""

    def on_move(self, event: Any) -> Iterator[Any]:
        """Flee each time."""
        self.fled = False
        return super().on_move(event)


class Shy(PacsNode):
    """Drops the association at the beginning of every C-MOVE."""

    def on_move(self, event: Any) -> Iterator[Any]:
        """Flee before the first instance."""
        for number, step in enumerate(super().on_move(event)):
            if number == 2:
                event.assoc.abort()
                return
            yield step


class Quiet(PacsNode):
    """Sends slowly and without a word until the end, as PS3.4 C.4.2.3 allows."""

    pause_s = 0.3

    def on_move(self, event: Any) -> Iterator[Any]:
        """Swallow the pending responses."""
        send = event.assoc.dimse.send_msg
        event.assoc.dimse.send_msg = lambda message, context: None if message.Status == 0xFF00 else send(message, context)
        for number, step in enumerate(super().on_move(event)):
            yield step
            time.sleep(self.pause_s if number > 1 else 0)


class Hanging(PacsNode):
    """Stops before the first instance and never says why."""

    def on_move(self, event: Any) -> Iterator[Any]:
        """Accept the request, and do nothing."""
        for number, step in enumerate(super().on_move(event)):
            if number == 2:
                time.sleep(2)
                return
            yield step


def test_a_long_silent_move_is_waited_for_as_long_as_instances_come(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Quiet) as node:
        site.find(node.port)
        assert counts(site.pull(node.port, dimse_timeout_s=0.6)) == {("pulled", ""): 6}


def test_a_pacs_that_hangs_is_not_waited_for_for_ever(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Hanging) as node:
        site.find(node.port)
        began = time.monotonic()
        summary = site.pull(node.port, dimse_timeout_s=0.4)
    assert time.monotonic() - began < 12
    assert counts(summary)["failed", "E-PULL-INCOMPLETE"] > 0


def test_an_instance_that_never_comes_fails_the_study_with_counts(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Forgetful) as node:
        site.find(node.port)
        summary = site.pull(node.port)
    assert counts(summary) == {("pulled", ""): 5, ("failed", "E-PULL-INCOMPLETE"): 1}
    row = site.ledger.results("pull")[site.key(), "pull"]
    assert (row.status, row.reason_code, row.passed, row.output) == ("failed", "E-PULL-INCOMPLETE", 0, "")
    assert site.published() == []


def test_what_is_missing_is_asked_for_once_more(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Absentminded) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}


def test_instances_that_are_counted_but_not_listed_are_missing(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Boastful) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6, ("failed", "E-PULL-INCOMPLETE"): 2}


def test_instances_that_the_plan_counted_and_that_are_gone_are_missing(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
    (hospital / "1-2-3.dcm").unlink()
    with serving(hospital, site) as node:
        assert counts(site.pull(node.port)) == {("pulled", ""): 5, ("failed", "E-PULL-INCOMPLETE"): 1}
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 5}


def test_a_pacs_that_shows_nothing_of_a_study_does_not_wipe_what_was_pulled(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
    before = site.spooled()
    with serving(hospital, site, Secretive) as node:
        site.find(node.port)
        summary = site.pull(node.port)
    assert summary.studies["failed"] == 1
    assert site.ledger.results("pull")[site.key(), "pull"].reason_code == "E-PULL-INCOMPLETE"
    assert site.spooled() == before
    assert len(before) == 6


def test_a_pacs_that_leaves_in_the_middle_is_asked_again_for_the_rest(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Vanishing) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 6}


def test_a_pacs_that_always_leaves_in_the_middle_is_asked_as_long_as_it_brings_more(site: Site, hospital: Path) -> None:
    fill(hospital, series=1, per_series=12)
    with serving(hospital, site, AlwaysVanishing) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 12}


def test_a_pacs_that_always_leaves_at_once_is_never_a_success(site: Site, hospital: Path) -> None:
    fill(hospital, series=1, per_series=12)
    with serving(hospital, site, Shy) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("failed", "E-PULL-INCOMPLETE"): 12}
    assert site.published() == []


def test_a_pacs_that_does_not_know_us_as_destination_says_so(site: Site, hospital: Path) -> None:
    fill(hospital)
    with PacsNode(hospital, "HOSPITAL") as node:
        site.find(node.port)
        with pytest.raises(ConfigurationError, match=r"E-PULL-DESTINATION-UNKNOWN: .*status A801.*to SAFELIGHT"):
            site.pull(node.port)
    assert {(row.status, row.attempts) for row in site.ledger.results("pull").values()} == {("interrupted", 0)}


def test_a_wrong_ae_title_is_one_clear_sentence(site: Site, hospital: Path) -> None:
    with serving(hospital, site) as node, pytest.raises(ConfigurationError) as caught:
        echo(site.pacs(node.port, ae_title="SOMEBODY"))
    assert caught.value.code == "E-PULL-AE-REJECTED"
    assert "does not answer to the called AE title" in str(caught.value)


def test_a_pacs_that_refuses_and_hangs_up_at_once_is_not_unreachable(
    site: Site, hospital: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Association.request

    def in_the_middle_of_closing(association: Association) -> None:
        connection = association.dul.socket.socket
        request(association)
        while connection.fileno() != -1:
            time.sleep(0.001)

    monkeypatch.setattr(Association, "request", in_the_middle_of_closing)
    monkeypatch.setattr(AssociationSocket, "close", lambda transport: transport._shutdown_socket())
    with serving(hospital, site) as node, pytest.raises(ConfigurationError) as caught:
        echo(site.pacs(node.port, ae_title="SOMEBODY"))
    assert caught.value.code == "E-PULL-AE-REJECTED"


def test_nobody_at_the_port_is_unreachable(site: Site) -> None:
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(ConfigurationError) as caught:
            echo(site.pacs(free_port(), host=host))
        assert caught.value.code == "E-PULL-UNREACHABLE"


def test_somebody_who_does_not_speak_dicom_is_unreachable(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(ConfigurationError) as caught:
            echo(site.pacs(server.getsockname()[1], acse_timeout_s=0.5, network_timeout_s=0.5))
        assert caught.value.code == "E-PULL-UNREACHABLE"


def test_an_unreachable_pacs_costs_no_attempt(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        port = node.port
    with pytest.raises(ConfigurationError, match="E-PULL-UNREACHABLE"):
        site.pull(port)
    assert site.ledger.results("pull") == {}


def test_a_receiver_port_in_use_is_told_before_any_work(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node, socket.create_server(("127.0.0.1", site.receiver_port)):
        site.find(node.port)
        with pytest.raises(ConfigurationError, match="E-PULL-PORT-BUSY"):
            site.pull(node.port)


def test_an_address_that_is_not_ours_is_told(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        with pytest.raises(ConfigurationError, match="E-PULL-BIND"):
            site.pull(node.port, {"host": "192.0.2.1"})


def test_a_query_that_fails_is_an_error_and_not_an_empty_hospital(site: Site, hospital: Path) -> None:
    class Limited(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            yield 0xA700, None

    fill(hospital)
    with (
        serving(hospital, site, Limited) as node,
        pytest.raises(Exception, match=r"E-PULL-FIND-FAILED.*STUDY level, status 0xA700"),
    ):
        find(site.pacs(node.port), CohortSettings())


def test_two_batches_at_once_take_turns_at_the_receiver(site: Site, hospital: Path) -> None:
    for study in (1, 2, 3, 4):
        fill(hospital, study=study, series=1)
    with serving(hospital, site) as node:
        site.find(node.port)
        threads = [threading.Thread(target=site.pull, args=(node.port,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {row.status for row in site.ledger.results("pull").values()} == {"done"}
    assert len(site.spooled()) == 12


def test_no_text_of_a_failure_holds_an_identifier(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site, Forgetful) as node:
        found = site.find(node.port)
        summary = site.pull(node.port)
    said = f"{found} {summary.failures}"
    assert not any(secret in said for secret in (NAME, MRN, ROOT, "ACC1"))
