"""What our two DICOM servers (the receiver, the embedded PACS) share: the storage classes they take, and how they listen.

Importing this module silences pynetdicom's own logging of messages and identifiers: it would show values of patients.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from socketserver import BaseServer
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, register_uid
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import T_CONNECT, AssociationSocket, ThreadedAssociationServer

_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

#: Results of an A-ASSOCIATE that mean rejected: for good, and for now (PS3.8 section 9.3.4).
_REJECTED = (1, 2)
#: Bytes of a P-DATA PDU that we take; the default of 16 kB costs a turn of the reactor for each.
MAXIMUM_PDU = 131072

_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."

Handler = tuple[Any, Callable[..., Any]]


def _retired_storage_classes() -> list[str]:
    """Storage SOP classes that left the standard but not the archives (PS3.6 Annex A), which pynetdicom does not know."""
    known = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    found = []
    for uid, (name, kind, _, retired, keyword) in UID_dictionary.items():
        if uid.startswith(_STORAGE_ROOT) and kind == "SOP Class" and retired and "Storage" in name and uid not in known:
            register_uid(uid, keyword, StorageServiceClass)
            found.append(uid)
    return found


def _by_preference() -> list[str]:
    """Transfer syntaxes, the preferred first.

    Where a peer offers several for one image, a lossless compression comes first: it is most likely how the image is stored, and
    many a PACS cannot decompress. Lossy ones come last, so that we never invite loss.
    """
    lossless = [JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEG2000Lossless, RLELossless]
    plain = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
    first = [str(uid) for uid in (*lossless, *plain)]
    return [*first, *(str(uid) for uid in ALL_TRANSFER_SYNTAXES if str(uid) not in first)]


STORAGE_CLASSES: tuple[str, ...] = (
    *(str(context.abstract_syntax) for context in AllStoragePresentationContexts),
    *_retired_storage_classes(),
)
TRANSFER_SYNTAXES: tuple[str, ...] = tuple(_by_preference())


class _Contexts(list[PresentationContext]):
    """Presentation contexts that associations share: pynetdicom copies them deeply for each, though it only reads them."""

    def __deepcopy__(self, memo: dict[int, object]) -> _Contexts:
        return self


def storage_contexts(classes: Sequence[str] = (), syntaxes: Sequence[str] = ()) -> list[PresentationContext]:
    """One context a storage class (all of them, where none is named), each with these transfer syntaxes (or all), for an acceptor."""
    offered: list[str | UID] = list(syntaxes or TRANSFER_SYNTAXES)
    return [build_context(uid, offered) for uid in classes or STORAGE_CLASSES]


def acceptor_contexts(classes: Sequence[str] = (), syntaxes: Sequence[str] = ()) -> list[PresentationContext]:
    """As `storage_contexts`, with C-ECHO: a PACS's administrator tries it first."""
    return [build_context(Verification), *storage_contexts(classes, syntaxes)]


def shared_contexts(contexts: list[PresentationContext]) -> list[PresentationContext]:
    """The same contexts for all of a listener's associations."""
    return _Contexts(contexts)


class Caller(AE):
    """An application entity whose associations send at once, do not wait for ever, lose no answer, and leave no socket open.

    `associate` raises OSError where the host has no address.
    """

    def associate(self, *arguments: Any, **named: Any) -> Association:
        """As pynetdicom's, but that a rejection is always told as one.

        Where a PACS rejects and hangs up before the calling thread looks whether the connection stands, pynetdicom takes it for one that never
        stood, and aborts what is over; the answer lies unread.
        """
        association = super().associate(*arguments, **named)
        answers = [each for each in list(association.dul.to_user_queue.queue) if isinstance(each, A_ASSOCIATE)]
        if association.is_aborted and answers and answers[0].result in _REJECTED:
            association.acceptor.primitive = answers[0]
            association.is_rejected, association.is_aborted = True, False
        return association

    def _create_socket(self, association: Association, *arguments: Any) -> AssociationSocket:
        association.dimse.get_msg = partial(_asked_for, association.dimse)  # type: ignore[method-assign]
        transport = super()._create_socket(association, *arguments)
        transport.connect = partial(_connected, transport, transport.connect, self.network_timeout)  # type: ignore[method-assign]
        transport._shutdown_socket = partial(_closed, transport, transport._shutdown_socket)  # type: ignore[method-assign]
        transport.recv = partial(_acknowledged, transport, transport.recv)  # type: ignore[method-assign]
        association.dul.run = partial(_served, transport, association.dul.run)  # type: ignore[method-assign]
        return transport


def _asked_for(messages: DIMSEServiceProvider, block: bool = False) -> Any:
    """The next message for whoever waits for one, and none for the association's own thread, which looks for requests.

    pynetdicom pauses that thread while an answer is waited for, but not without a gap, and an answer that it takes is lost: a study would
    be missing from a C-FIND, and nobody would know; a C-STORE would seem unanswered until its timeout.
    """
    return type(messages).get_msg(messages, block) if block else (None, None)


def _connected(
    transport: AssociationSocket, connect: Callable[[T_CONNECT], None], timeout_s: float | None, to: T_CONNECT
) -> None:
    """Connect, and set the socket up: pynetdicom takes its timeout from it.

    This runs in the thread that also closes the socket: any other may find it closed, where a PACS refuses and hangs up at once.
    """
    connect(to)
    if transport.socket is not None:
        # Without TCP_NODELAY each C-STORE waits 40 ms for the peer's delayed ACK.
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.socket.settimeout(timeout_s)


def _served(transport: AssociationSocket, serve: Callable[[], None]) -> None:
    """Serve a connection until its thread ends; whatever ended it (a timeout, an abort that the peer does not hear), no socket stays open."""
    try:
        serve()
    finally:
        transport._shutdown_socket()


def _closed(transport: AssociationSocket, shut_down: Callable[[], None]) -> None:
    """Shut a connection down, and close its socket too: pynetdicom forgets that where a connection or a handshake is refused."""
    connection = transport.socket
    shut_down()
    if connection is not None:
        connection.close()


def _acknowledged(transport: AssociationSocket, receive: Callable[[int], bytearray], size: int) -> bytearray:
    """Receive, and have it acknowledged at once: a peer that sends without TCP_NODELAY (Orthanc) else waits 40 ms in each answer."""
    if transport.socket is not None and hasattr(socket, "TCP_QUICKACK"):
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # lasts only until the next one
    return receive(size)


class Listener(ThreadedAssociationServer):
    """A listening socket with a thread of its own, and one an association. Use as a context manager."""

    _thread: threading.Thread

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; answers of a few bytes must not wait for more to send."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def service_actions(self) -> None:
        """Nothing: pynetdicom would collect garbage here, which costs more than all else with large libraries loaded."""

    def shutdown(self) -> None:
        """Stop listening, and end the associations that are still open."""
        BaseServer.shutdown(self)
        self.server_close()
        for association in self.active_associations:
            association.abort()

    def __enter__(self) -> Listener:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=f"listener {self.port}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()

    @property
    def port(self) -> int:
        """The TCP port, also where 0 asked for any free one."""
        return int(self.server_address[1])


def listen(entity: AE, address: tuple[str, int], contexts: list[PresentationContext], handlers: list[Handler]) -> Listener:
    """Bind a listener for an application entity; raises OSError where the address cannot be had."""
    return Listener(entity, address, entity.ae_title, shared_contexts(contexts), evt_handlers=[*handlers])
