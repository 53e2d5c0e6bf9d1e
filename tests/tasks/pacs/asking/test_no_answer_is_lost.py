"""An answer is taken by the one who asked, and never by the association's own thread, which would drop it."""

from __future__ import annotations

from pathlib import Path

from tasks.pacs.association import Requestor
from tests.tasks.pacs.hospital import Site, fill, serving


def test_the_associations_own_thread_leaves_answers_alone(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node, Requestor(site.pacs(node.port)) as requestor:
        association = requestor._connected()
        answer = (1, object())
        association.dimse.msg_queue.put(answer)  # type: ignore[arg-type]
        assert association.dimse.get_msg(block=False) == (None, None)  # as its thread does, a thousand times a second
        assert association.dimse.get_msg(block=True) == answer
