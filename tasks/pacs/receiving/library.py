"""The engine `pynetdicom`: the same receiver on that library's association, for a PACS that the direct one cannot work with.

It holds an instance in memory until it is whole.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from socketserver import BaseServer
from typing import Any

from pynetdicom import AE, evt, register_uid
from pynetdicom.service_class import StorageServiceClass

from tasks.pacs.receiving.admission import UNKNOWN_CALLER
from tasks.pacs.receiving.exchange import Terms
from tasks.pacs.receiving.line import abort
from tasks.pacs.server import MAXIMUM_PDU, STORAGE_CLASSES, Listener, shared_contexts

#: Where an association remembers when it last answered.
_ANSWERED = "safelight_answered"


class LibraryListener(Listener):
    """As `DirectListener`, with the same arguments."""

    def __init__(
        self, address: tuple[str, int], terms: Terms, tls: ssl.SSLContext | None, greeting_s: float, silence_s: float
    ) -> None:
        self._terms, self._tls, self._greeting_s, self._silence_s = terms, tls, greeting_s, silence_s
        self._greeted: set[socket.socket] = set()
        self._closing = False
        doorkeeper = terms.doorkeeper
        entity = AE(ae_title=doorkeeper.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = sorted(doorkeeper.callers)
        entity.maximum_associations = doorkeeper.most
        entity.maximum_pdu_size = MAXIMUM_PDU
        entity.acse_timeout, entity.network_timeout = greeting_s, silence_s
        for number, uid in enumerate(sorted(terms.sop_classes - set(STORAGE_CLASSES))):
            register_uid(uid, f"SafelightPrivateStorage{number}", StorageServiceClass)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._on_store), (evt.EVT_REJECTED, self._on_rejected)]
        super().__init__(entity, address, entity.ae_title, shared_contexts(terms.contexts), evt_handlers=handlers)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's
        """Whether a connection may come from there."""
        return self._terms.doorkeeper.knows(str(client_address[0]))

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own: the TLS handshake, then the association."""
        request.settimeout(self._greeting_s)
        if self._tls is not None:
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            self._greeted.add(request)
            try:
                if not self._closing:
                    request.do_handshake()
            except OSError:
                if not self._closing:
                    self._terms.doorkeeper.turned_away(UNKNOWN_CALLER)
                request.close()
                return
            finally:
                self._greeted.discard(request)
        request.settimeout(self._silence_s)
        super().finish_request(request, client_address)

    def shutdown(self) -> None:
        """Stop listening, and hang up: this library's own way to abort waits for whoever is in the middle of a PDU."""
        self._closing = True
        BaseServer.shutdown(self)
        for connection in list(self._greeted):
            _hang_up(connection)
        self.server_close()
        for association in self.active_associations:
            transport = association.dul.socket
            if transport is not None and transport.socket is not None:
                _hang_up(transport.socket, abort(0, 0))
            waiting: Any = association.dul.to_user_queue
            waiting.put(None)  # ends its waiting for an A-ASSOCIATE-RQ
            association.join()
            association.dul.kill_dul()
            association.dul.join()
            if transport is not None and transport.socket is not None:
                transport.socket.close()

    def _on_rejected(self, event: Any) -> None:
        answer = event.assoc.acceptor.primitive
        self._terms.doorkeeper.turned_away((answer.result, answer.result_source, answer.diagnostic))

    def _on_store(self, event: Any) -> int:
        request, desk = event.request, self._terms.desk
        answered = getattr(event.assoc, _ANSWERED, None)
        # This library tells of a request when all of it has come: the pause holds the time it took to send, too.
        pause = None if answered is None else time.monotonic() - answered
        sop_class = str(request.AffectedSOPClassUID)
        status = desk.store(
            sop_class, str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax),
            request.DataSet.getvalue() if request.DataSet is not None else b"",
            force=self._terms.force, pause=pause, reason=self._terms.unwanted(sop_class),
        )  # fmt: skip
        setattr(event.assoc, _ANSWERED, time.monotonic())
        return status


def _hang_up(connection: socket.socket, last: bytes = b"") -> None:
    """Wake whoever reads from a connection, or waits to write to it."""
    with suppress(OSError):
        if last and not isinstance(connection, ssl.SSLSocket):
            connection.send(last)
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
