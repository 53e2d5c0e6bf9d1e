"""The engine `direct`: a listening socket, and a thread for each connection with an `Exchange` in it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress

from tasks.pacs.receiving.admission import LOCAL_LIMIT, UNKNOWN_CALLER
from tasks.pacs.receiving.exchange import Exchange, Terms
from tasks.pacs.receiving.line import Line

#: Connections that wait to be accepted.
_BACKLOG = 128


class DirectListener:
    """Listens from the start; accepts as a context manager.

    Args:
        address: host and port, 0 for any free one.
        terms: what every association is under.
        tls: the context for connections, or None for plain ones.
        greeting_s: how long a peer may take for its handshake, and then for its A-ASSOCIATE-RQ (the ARTIM timer, PS3.8 9.1.5).
        silence_s: how long a peer may take for any PDU after that.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(
        self, address: tuple[str, int], terms: Terms, tls: ssl.SSLContext | None, greeting_s: float, silence_s: float
    ) -> None:
        self._terms, self._tls, self._greeting_s, self._silence_s = terms, tls, greeting_s, silence_s
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()  # `::` is every address of this machine, old ones too
        self._socket = socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        #: The TCP port.
        self.port = int(self._socket.getsockname()[1])
        # Beyond the limit there must be room for those that are told so; but not for any number of silent ones.
        self._most = 2 * terms.doorkeeper.most + 16
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, Line | socket.socket] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name=f"receiver {self.port}", daemon=True)

    def __enter__(self) -> DirectListener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._thread.join()
        self._socket.close()
        with self._lock:
            associations = dict(self._open)
        for connection in associations.values():
            if isinstance(connection, Line):
                connection.stop()
            else:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in associations:
            thread.join()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                # Closed by us; or no descriptor is free, or the peer has left already: the next one may have more luck.
                time.sleep(0 if self._closing else 0.05)
                continue
            if self._closing or not self._welcome(connection, str(peer[0])):
                connection.close()

    def _welcome(self, connection: socket.socket, host: str) -> bool:
        """Start a thread for a connection, unless it is a stranger's or one too many."""
        doorkeeper = self._terms.doorkeeper
        if not doorkeeper.knows(host):
            return False
        thread = threading.Thread(target=self._attend, args=(connection,), name=f"association {self.port}", daemon=True)
        with self._lock:
            crowded = len(self._open) >= self._most
            if not crowded:
                self._open[thread] = connection
        try:
            if not crowded:
                thread.start()
                return True
        except RuntimeError:  # the machine has no thread left
            with self._lock:
                del self._open[thread]
        doorkeeper.turned_away(LOCAL_LIMIT)
        return False

    def _attend(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(self._greeting_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._handshake(self._tls, connection)
            line = Line(connection, self._greeting_s)
            with self._lock:
                self._open[threading.current_thread()] = line
            if not self._closing:
                Exchange(line, self._terms, self._silence_s).run()
        except OSError:
            return  # it has left already, or could not prove who it is
        finally:
            connection.close()
            with self._lock:
                del self._open[threading.current_thread()]

    def _handshake(self, tls: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
        """TLS, in the connection's own thread: whoever says nothing keeps only itself waiting. Raises OSError."""
        secured = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[threading.current_thread()] = secured
        try:
            if not self._closing:
                secured.do_handshake()
        except OSError:
            if not self._closing:
                self._terms.doorkeeper.turned_away(UNKNOWN_CALLER)
            secured.close()
            raise
        return secured
