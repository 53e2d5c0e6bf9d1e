"""Fills a PACS that is not ours with many tiny instances over one association."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.pacs.server import Caller
from tasks.pacs.settings import PacsSettings


def fill_archive(pacs: PacsSettings, instances: Iterable[Dataset]) -> None:
    """C-STORE CT instances in Explicit VR Little Endian."""
    entity = Caller(ae_title="LOADER")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate(pacs.host, pacs.port, ae_title=pacs.ae_title)
    assert association.is_established
    for each in instances:
        assert association.send_c_store(each).Status == 0
    association.release()
