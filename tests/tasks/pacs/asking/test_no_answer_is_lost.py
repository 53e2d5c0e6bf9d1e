"""An answer is taken by the one who asked, and never by the association's own thread, which would drop it."""

from __future__ import annotations

from pathlib import Path

from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from tasks.pacs.association import Requestor
from tasks.pacs.server import Caller
from tests.tasks.pacs.hospital import Site, fill, serving


def assert_answers_are_left_alone(association: Association) -> None:
    answer = (1, object())
    association.dimse.msg_queue.put(answer)  # type: ignore[arg-type]
    assert association.dimse.get_msg(block=False) == (None, None)  # as its thread does, a thousand times a second
    assert association.dimse.get_msg(block=True) == answer


def test_the_associations_own_thread_leaves_answers_alone(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node, Requestor(site.pacs(node.port)) as requestor:
        assert_answers_are_left_alone(requestor._connected())


def test_so_does_that_of_whoever_only_sends(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        entity = Caller(ae_title="SENDER")
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", node.port, ae_title=node.ae_title)
        assert_answers_are_left_alone(association)
        association.release()
