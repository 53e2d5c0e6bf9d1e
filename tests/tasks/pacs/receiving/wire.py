"""A Storage SCU for tests, byte by byte: PDUs and command sets encoded by pynetdicom, sent as a test wants them broken."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

CONTEXT = 1
#: PDU types (PS3.8 9.3), and what a reader gets where the other side has closed.
ACCEPTED, REJECTED, DATA, RELEASED, ABORTED, CLOSED = 2, 3, 4, 6, 7, 0


def request(
    called: str = "SAFELIGHT", calling: str = "ANYBODY", syntaxes: Sequence[str] = (ExplicitVRLittleEndian,), sop_class: str = CTImageStorage,
    greatest: int = 16384,
) -> bytes:  # fmt: skip
    """An A-ASSOCIATE-RQ for one presentation context."""
    asked = A_ASSOCIATE()
    asked.application_context_name = UID("1.2.840.10008.3.1.1.1")
    asked.calling_ae_title, asked.called_ae_title = calling, called
    context = build_context(sop_class, list(syntaxes))
    context.context_id = CONTEXT
    asked.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = greatest
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.826.0.1.3680043.9.1")
    asked.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_RQ(asked).encode())


def command(sop_instance: str, sop_class: str = CTImageStorage, number: int = 1, has_data_set: bool = True) -> bytes:
    """The command set of a C-STORE request."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = number, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, sop_instance
    if has_data_set:
        primitive.DataSet = BytesIO(b"\0\0")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    return encode(message.command_set, True, True) or b""


def encoded(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A data set's bytes."""
    uid = UID(syntax)
    return encode(made, uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated) or b""


def value(control: int, fragment: bytes, context: int = CONTEXT) -> bytes:
    """A presentation data value: control is 1 for a command, plus 2 for the last fragment (PS3.8 E.2)."""
    return struct.pack(">LBB", len(fragment) + 2, context, control) + fragment


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU."""
    return struct.pack(">BxL", kind, len(body)) + body


def message(made: Dataset, number: int = 1, piece: int = 16000, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A whole C-STORE request in P-DATA PDUs with one value each."""
    content = encoded(made, syntax)
    pieces = [content[start : start + piece] for start in range(0, len(content), piece)]
    values = [value(3, command(made.SOPInstanceUID, made.SOPClassUID, number))]
    values += [value(2 if last else 0, each) for last, each in zip([False] * (len(pieces) - 1) + [True], pieces, strict=True)]
    return b"".join(pdu(DATA, each) for each in values)


RELEASE, ABORT = pdu(5, bytes(4)), pdu(7, bytes(4))


class Peer:
    """One end of a connection to a receiver."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, content: bytes) -> None:
        """Send; a receiver that has hung up already is no error."""
        try:
            self.connection.sendall(content)
        except OSError:
            return

    def drain(self) -> list[int]:
        """Send no more, and read to the end; returns the types of the PDUs that came."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        kinds = []
        while (kind := self.read()[0]) != CLOSED:
            kinds.append(kind)
        return kinds

    def read(self) -> tuple[int, bytes]:
        """The next PDU, (CLOSED, b"") where there is none any more."""
        head = self._read(6)
        if len(head) < 6:
            return CLOSED, b""
        kind, length = struct.unpack(">BxL", head)
        return kind, self._read(length)

    def status(self) -> int | None:
        """The status of the next response; None where there is none."""
        kind, body = self.read()
        whole = b""
        while kind == DATA:
            length, _, control = struct.unpack_from(">LBB", body)
            whole += body[6 : 4 + length]
            if control & 2:
                return int(decode(BytesIO(whole), True, True).Status)
            kind, body = self.read()
        return None

    def associate(self, **asked: object) -> Peer:
        """Open an association."""
        self.send(request(**asked))  # type: ignore[arg-type]
        kind, _ = self.read()
        assert kind == ACCEPTED, kind
        return self

    def store(self, made: Dataset, number: int = 1) -> int | None:
        """C-STORE."""
        self.send(message(made, number))
        return self.status()

    def release(self) -> int:
        """Release; returns the type of the answer."""
        self.send(RELEASE)
        return self.read()[0]

    def _read(self, n: int) -> bytes:
        whole = b""
        while len(whole) < n:
            try:
                piece = self.connection.recv(n - len(whole))
            except (ConnectionError, ssl.SSLError):
                return b""
            if not piece:
                return b""
            whole += piece
        return whole


@contextmanager
def connected(port: int) -> Iterator[Peer]:
    """A connection to this machine; a receiver that does not answer within 30 s fails the test."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        peer = Peer(connection)
        try:
            yield peer
        finally:
            peer.connection.close()  # it may have been wrapped for TLS
