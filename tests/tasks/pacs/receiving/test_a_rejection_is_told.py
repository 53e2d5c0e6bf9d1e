"""A rejection is told as one, also where the receiver has hung up before the caller looks whether the connection stands."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from tasks.pacs.receiving.receiver import Receiver
from tasks.pacs.server import Caller
from tests.ports import free_port


def _late(wait: Any) -> bool:
    """The thread that waits for the connection is not scheduled for a while when it stands."""
    done = bool(wait())
    time.sleep(1.0)
    return done


def associated(kind: type[AE], receiver: Receiver, called: str, monkeypatch: pytest.MonkeyPatch) -> Association:
    """The association of such a caller, whose thread wakes late."""
    create = kind._create_socket

    def slow(entity: AE, *arguments: Any) -> Any:
        transport = create(entity, *arguments)
        transport._ready.wait = partial(_late, transport._ready.wait)  # type: ignore[method-assign]
        return transport

    monkeypatch.setattr(kind, "_create_socket", slow)
    entity = kind(ae_title="ANYBODY")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    return entity.associate("127.0.0.1", receiver.port, ae_title=called)


def test_a_rejection_that_is_over_before_the_caller_looks_is_one(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    association = associated(Caller, receiver, "SOMEBODY", monkeypatch)
    assert association.is_rejected
    assert not association.is_aborted
    assert association.acceptor.primitive is not None
    assert association.acceptor.primitive.result in (1, 2)


def test_the_library_alone_takes_it_for_a_connection_that_never_stood(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above can fail."""
    association = associated(AE, receiver, "SOMEBODY", monkeypatch)
    assert association.is_aborted
    assert not association.is_rejected


def test_a_port_where_nobody_listens_is_no_rejection() -> None:
    entity = Caller(ae_title="ANYBODY")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", free_port())
    assert association.is_aborted
    assert not association.is_rejected
