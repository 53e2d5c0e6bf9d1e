"""Fills a PACS that is not ours with many tiny instances over one association."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.association import Association

from tasks.pacs.server import Caller
from tasks.pacs.settings import PacsSettings


def fill_archive(pacs: PacsSettings, instances: Iterable[Dataset]) -> None:
    """C-STORE CT instances in Explicit VR Little Endian."""
    entity = Caller(ae_title="LOADER")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate(pacs.host, pacs.port, ae_title=pacs.ae_title)
    assert association.is_established, _state(association)
    for number, each in enumerate(instances, 1):
        answer = association.send_c_store(each)
        assert "Status" in answer, f"instance {number} was not answered in {entity.dimse_timeout} s: {_state(association)}"
        assert answer.Status == 0, f"instance {number} was refused with 0x{answer.Status:04X}"
    association.release()


def _state(association: Association) -> str:
    """What became of an association: of two that end alike, one was lost on the way and the other ended by the peer."""
    states = ("established", "rejected", "aborted", "released")
    known = [state for state in states if getattr(association, f"is_{state}")]
    waiting = association.dimse.msg_queue.qsize()
    return f"the association is {' and '.join(known) or 'not there'}, messages that nobody took: {waiting}"
