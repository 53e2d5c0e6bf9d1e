"""Command sets (PS3.7 6.3 and 9.3) as far as a Storage SCP needs them: C-STORE and C-ECHO requests read, responses written."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tasks.pacs.receiving.line import INVALID_VALUE, P_DATA, ProtocolError, pdu
from tasks.pacs.uids import is_uid

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
_RESPONSE = 0x8000
_NO_DATA_SET = 0x0101
_ELEMENT = struct.Struct("<HHL")
_SOP_CLASS, _FIELD, _MESSAGE, _DATA_SET_TYPE, _SOP_INSTANCE = 0x0002, 0x0100, 0x0110, 0x0800, 0x1000


@dataclass(frozen=True, slots=True)
class Command:
    """A request's command set."""

    kind: int
    message: int
    has_data_set: bool
    sop_class: str
    sop_instance: str = field(repr=False)

    @classmethod
    def parse(cls, encoded: bytes) -> Command:
        """From Implicit VR Little Endian (PS3.7 6.3.1).

        Raises:
            ProtocolError: it is no command set, or does not say what it is, or which message.
        """
        elements: dict[int, bytes] = {}
        position = 0
        while position < len(encoded):
            if position + 8 > len(encoded):
                raise ProtocolError(INVALID_VALUE)
            group, number, length = _ELEMENT.unpack_from(encoded, position)
            position += 8
            if group != 0x0000 or position + length > len(encoded):
                raise ProtocolError(INVALID_VALUE)
            elements[number] = encoded[position : position + length]
            position += length
        kind, message, data_set = (_short(elements.get(number)) for number in (_FIELD, _MESSAGE, _DATA_SET_TYPE))
        if kind is None or data_set is None or (message is None and kind != C_CANCEL_RQ):
            raise ProtocolError(INVALID_VALUE)
        sop_class, sop_instance = (
            elements.get(number, b"").decode("ascii", "replace").rstrip(" \0") for number in (_SOP_CLASS, _SOP_INSTANCE)
        )
        return cls(kind, message or 0, data_set != _NO_DATA_SET, sop_class, sop_instance)

    def response(self, context: int, status: int, greatest: int) -> bytes:
        """The PDUs of its response.

        Args:
            context: the presentation context that it came in.
            status: what it is answered with.
            greatest: bytes of a P-DATA PDU that the peer takes, 0 for any (PS3.8 D.1).
        """
        elements = [
            _text(_SOP_CLASS, self.sop_class),
            _number(_FIELD, self.kind | _RESPONSE),
            _number(0x0120, self.message),
            _number(_DATA_SET_TYPE, _NO_DATA_SET),
            _number(0x0900, status),
            _text(_SOP_INSTANCE, self.sop_instance if self.kind == C_STORE_RQ else ""),
        ]
        body = b"".join(elements)
        encoded = _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body
        room = len(encoded) if not greatest else max(greatest - 6, 1)
        pieces = [encoded[start : start + room] for start in range(0, len(encoded), room)]
        return b"".join(
            pdu(P_DATA, struct.pack(">LBB", len(piece) + 2, context, 3 if number == len(pieces) else 1) + piece)
            for number, piece in enumerate(pieces, 1)
        )


def _short(value: bytes | None) -> int | None:
    return int.from_bytes(value, "little") if value is not None and len(value) == 2 else None


def _number(number: int, value: int) -> bytes:
    return _ELEMENT.pack(0, number, 2) + struct.pack("<H", value)


def _text(number: int, uid: str) -> bytes:
    """A UID (type 3 in a response: one that is none is not sent back)."""
    if not is_uid(uid):
        return b""
    return _ELEMENT.pack(0, number, len(uid) + len(uid) % 2) + uid.encode("ascii") + b"\0" * (len(uid) % 2)
