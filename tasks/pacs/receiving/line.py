"""The connection of one association: whole PDUs (PS3.8 9.3.1) in, answers out, and nobody is waited for without end."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress

_HEADER = struct.Struct(">BxL")
#: A PDU's types (PS3.8 9.3).
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
#: Reasons of an A-ABORT by the service provider (PS3.8 Table 9-26).
UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_VALUE = 1, 2, 6
_QUICKACK = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)
#: The greatest PDU that is read, in bytes. Peers are told of half as much; some count what stands around it.
GREATEST = 1 << 18
_FAREWELL_S = 1.0


class HungUpError(Exception):
    """The peer is gone, or has been silent for too long, or we are closing: there is nobody to answer."""


class ProtocolError(Exception):
    """The peer broke the protocol: it gets an A-ABORT with this reason."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


class Line:
    """A connection with one buffer, into which every PDU goes: memory does not depend on what is sent."""

    def __init__(self, connection: socket.socket, silence_s: float) -> None:
        """Args: `silence_s` is how long a peer may take to send a PDU, from the end of the one before."""
        self._connection = connection
        self._buffer = memoryview(bytearray(_HEADER.size + GREATEST))
        #: What has come of the next PDU's header: it is asked for together with a body, which saves a call for each PDU of a message.
        self._ahead = b""
        self._closing = False
        #: When the header of the last PDU had come (`time.monotonic`).
        self.came = 0.0
        self.patience(silence_s)

    def patience(self, silence_s: float) -> None:
        """Change how long a PDU may take."""
        self._silence_s = silence_s
        self._connection.settimeout(silence_s)

    def read(self) -> tuple[int, memoryview]:
        """The next PDU: its type, and what follows its length. That is in the buffer, until the next call.

        Raises:
            HungUpError, ProtocolError: unknown or too long.
        """
        until = time.monotonic() + self._silence_s
        have = len(self._ahead)
        self._buffer[:have] = self._ahead
        self._fill(self._buffer[have : _HEADER.size], _HEADER.size - have, until)
        self.came = time.monotonic()
        kind, length = _HEADER.unpack_from(self._buffer)
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise ProtocolError(UNRECOGNIZED_PDU)
        if length > GREATEST:
            raise ProtocolError(INVALID_VALUE)
        got = self._fill(self._buffer[: length + _HEADER.size], length, until)
        self._ahead = bytes(self._buffer[length:got])
        return kind, self._buffer[:length]

    def send(self, content: bytes) -> None:
        """Send; raises HungUpError."""
        try:
            self._connection.sendall(content)
        except OSError:
            raise HungUpError from None

    def stop(self) -> None:
        """Wake whoever reads, from another thread: it finds that we are closing."""
        self._closing = True
        try:
            socket.socket.shutdown(self._connection, socket.SHUT_RD)
        except OSError:
            return  # it is closed already

    def linger(self) -> None:
        """Before the connection is closed: let the peer read our last PDU and close first (Sta13, PS3.8 9.2). Else a reset may overtake it."""
        until = time.monotonic() + _FAREWELL_S
        with suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_WR)
            self._connection.settimeout(_FAREWELL_S)
            while not self._closing and time.monotonic() < until and socket.socket.recv_into(self._connection, self._buffer):
                pass

    def _fill(self, view: memoryview, least: int, until: float) -> int:
        """Read into `view`, at least so many bytes; returns how many."""
        got = 0
        receive = self._connection.recv_into
        if least:
            # A peer that does not send at once (Nagle; DCMTK and what is built on it) waits for our ACK before it sends the rest of a PDU.
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)  # the kernel forgets it
        while got < least:
            try:
                n = receive(view[got:])
            except OSError:
                raise HungUpError from None
            if not n or self._closing or time.monotonic() > until:
                raise HungUpError
            got += n
        return got


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU of this type."""
    return _HEADER.pack(kind, len(body)) + body


def abort(source: int, reason: int) -> bytes:
    """An A-ABORT PDU (PS3.8 9.3.8): source 0 is the service user, 2 the provider."""
    return pdu(ABORT, bytes((0, 0, source, reason)))
