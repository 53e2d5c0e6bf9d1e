"""The receiver takes what was asked for, and nothing else: each refusal has a status for the sender and a count for us."""

from __future__ import annotations

import errno
import os
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from tasks.pacs.receiving.desk import STATUS, Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.server import Caller
from tests.tasks.pacs.hospital import Site, instance
from tests.tasks.pacs.receiving.conftest import files, strays

pytestmark = pytest.mark.usefixtures("receiver")


@contextmanager
def sending(site: Site, called: str = "SAFELIGHT") -> Iterator[Association]:
    """An association to the receiver, as some PACS opens it."""
    entity = Caller(ae_title="ANYBODY")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", site.receiver_port, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def store(association: Association, made: Dataset | bytes, uid: str | None = None, sop_class: str = CTImageStorage) -> int | None:
    """C-STORE a data set under any UID; returns the status, or None where the association was aborted."""
    request = C_STORE()
    request.MessageID = 1
    request.Priority = 2
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = uid or (made.SOPInstanceUID if isinstance(made, Dataset) else "1.2.3")
    request.DataSet = BytesIO(made if isinstance(made, bytes) else encode(made, False, True) or b"")
    if not association.is_established:
        return None
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id or 0)
    answer = _answer(association)
    association._reactor_checkpoint.set()
    return None if answer is None else int(answer.Status or 0)


def _answer(association: Association) -> C_STORE | None:
    """The answer to a C-STORE, or None as soon as the receiver has aborted: the library would go on waiting for its whole DIMSE timeout."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        # Looked at first: an answer may have come before it. The association's own thread takes the abort where it was not paused in time.
        ended = association.is_aborted or isinstance(association.dul.peek_next_pdu(), (A_ABORT, A_P_ABORT))
        with suppress(queue.Empty):
            _, answer = association.dimse.msg_queue.get_nowait()
            if isinstance(answer, C_STORE):  # an abort leaves a mark in the queue, too
                return answer
        if ended:
            return None
        time.sleep(0.002)
    raise AssertionError("neither an answer nor an abort")


def test_an_expected_instance_is_written_and_answered_with_success(site: Site, intake: Intake) -> None:
    with sending(site) as association:
        assert store(association, instance()) == 0x0000
    assert len(files(intake.folder)) == 1
    assert not intake.refused


@pytest.mark.parametrize("uid", ["../../x", "1.2.3/../../../etc", "1.2.3;rm", "one.two", "1..2", ".1.2"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_none_is_refused_and_no_path_is_made_of_it(site: Site, intake: Intake, uid: str) -> None:
    with sending(site) as association:
        assert store(association, instance(), uid) == STATUS["E-PULL-UID"]
    assert intake.refused == {"E-PULL-UID": 1}
    assert files(intake.folder) == []


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", ["../../../x", ""])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_data_set_without_valid_uids_is_refused(site: Site, intake: Intake, keyword: str, value: str) -> None:
    with sending(site) as association:
        assert store(association, instance(**{keyword: value})) == STATUS["E-PULL-UID"]
    assert intake.refused == {"E-PULL-UID": 1}


def test_a_study_that_was_not_asked_for_is_refused(site: Site, intake: Intake) -> None:
    with sending(site) as association:
        assert store(association, instance(study=2)) == STATUS["E-PULL-UNASKED"]
    assert intake.refused == {"E-PULL-UNASKED": 1}
    assert files(intake.folder) == []


def test_while_nothing_is_expected_everything_is_refused(site: Site, desk: Desk) -> None:
    with sending(site) as association:
        assert store(association, instance()) == STATUS["E-PULL-UNASKED"]
    assert strays(desk) == {"E-PULL-UNASKED": 1}


def test_an_instance_under_another_ones_uid_is_refused(site: Site, intake: Intake) -> None:
    with sending(site) as association:
        assert store(association, instance(), "1.2.3.4") == STATUS["E-PULL-MISMATCH"]
    assert intake.refused == {"E-PULL-MISMATCH": 1}


def test_bytes_that_are_no_data_set_are_refused(site: Site, intake: Intake) -> None:
    with sending(site) as association:
        assert store(association, b"\xff" * 50) in {STATUS["E-PULL-UNREADABLE"], STATUS["E-PULL-UID"]}
    assert sum(intake.refused.values()) == 1


def test_the_same_instance_twice_is_one_file(site: Site, intake: Intake) -> None:
    with sending(site) as association:
        assert [store(association, instance()), store(association, instance())] == [0, 0]
    assert len(files(intake.folder)) == len(intake.received) == 1
    assert not intake.refused


def test_another_content_under_the_same_uid_is_kept_apart_as_a_conflict(site: Site, intake: Intake) -> None:
    other = instance(InstanceNumber=99)
    with sending(site) as association:
        assert store(association, instance()) == 0x0000
        before = files(intake.folder)[0].read_bytes()
        assert store(association, other) == STATUS["E-PULL-CONFLICT"]
        assert store(association, other) == STATUS["E-PULL-CONFLICT"]
    assert [path.read_bytes() for path in files(intake.folder)] == [before]
    assert len(files(intake.conflicts)) == 1
    assert intake.refused == {"E-PULL-CONFLICT": 2}


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "E-PULL-DISK-FULL"), (errno.EACCES, "E-PULL-WRITE")])
def test_a_full_disk_is_answered_as_out_of_resources(
    site: Site, intake: Intake, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    write = os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) < 100:
            return write(descriptor, content)  # sockets and pipes of others
        write(descriptor, content[:50])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", full)
    with sending(site) as association:
        assert store(association, instance()) == STATUS[code]
    assert intake.refused == {code: 1}
    assert files(intake.folder) == []


def test_success_is_answered_only_after_the_file_is_on_disk(site: Site, intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    force, replace = os.fdatasync, os.replace
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (order.append("force"), force(descriptor))[1])
    monkeypatch.setattr(os, "replace", lambda one, other: (order.append("rename"), replace(one, other))[1])
    with sending(site) as association:
        store(association, instance())
    assert (order[0], order.count("force"), set(order[1:])) == ("force", 1, {"rename"})


def test_who_calls_another_ae_title_is_rejected_and_counted(site: Site, desk: Desk) -> None:
    with sending(site, called="SOMEBODY") as association:
        assert association.is_rejected
    assert strays(desk) == {"E-PULL-CALLED": 1}


def test_an_instance_of_a_class_that_is_not_taken_is_refused_though_it_comes_under_another_ones_context(
    site: Site, intake: Intake
) -> None:
    made = instance()
    with sending(site) as association:
        assert store(association, made, sop_class="1.2.840.113619.4.30") in {STATUS["E-PULL-SOP-CLASS"], None}
        assert store(association, made) in {0x0000, None}
    assert len(intake.received) == intake.refused["E-PULL-SOP-CLASS"]


def test_c_echo_is_answered(site: Site) -> None:
    entity = Caller(ae_title="ADMIN")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", site.receiver_port, ae_title="SAFELIGHT")
    assert association.send_c_echo().Status == 0x0000
    association.release()
