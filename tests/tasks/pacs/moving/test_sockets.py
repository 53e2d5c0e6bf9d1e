"""However an association of ours ends, its socket is closed: a night must not collect them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from tasks.pacs.server import Caller
from tests.tasks.pacs.hospital import Site, fill, serving


@pytest.fixture
def association(site: Site, hospital: Path) -> Iterator[Association]:
    fill(hospital)
    with serving(hospital, site) as node:
        entity = Caller(ae_title="SENDER")
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", node.port, ae_title=node.ae_title)
        assert association.is_established
        yield association


@pytest.mark.parametrize("how", ["release", "abort", "its thread ends and nobody has closed it"])
def test_no_socket_stays_open(association: Association, how: str) -> None:
    dul = association.dul
    assert dul.socket is not None
    connection = dul.socket.socket
    assert connection is not None
    assert connection.fileno() > 0
    if how in {"release", "abort"}:
        getattr(association, how)()
    else:
        association._kill = True
        association.join(10)
        dul._kill_thread = True
    dul.join(10)
    assert not dul.is_alive()
    assert connection.fileno() == -1
