"""One association as its acceptor: the state machine of PS3.8 9.2 with a socket of its own, from A-ASSOCIATE-RQ to the end.

No queue, no second thread, no copy: what a P-DATA PDU carries goes from the buffer it was read into straight to a file.
"""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from pynetdicom.presentation import PresentationContext

from tasks.pacs.receiving.admission import Doorkeeper
from tasks.pacs.receiving.desk import Desk, Reception
from tasks.pacs.receiving.line import (
    ABORT,
    ASSOCIATE_RQ,
    INVALID_VALUE,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    UNEXPECTED_PDU,
    HungUpError,
    Line,
    ProtocolError,
    abort,
    pdu,
)
from tasks.pacs.receiving.message import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Command
from tasks.pacs.receiving.negotiation import OLD_PROTOCOL, Agreed, Request, rejection
from tasks.pacs.uids import is_uid

_PDV = struct.Struct(">LBB")
#: Bytes of a command set; real ones have some two hundred.
_GREATEST_COMMAND = 1 << 16
_SUCCESS = 0x0000


@dataclass(frozen=True)
class Terms:
    """What every association of a receiver is under.

    Args:
        desk: where instances go.
        contexts: what is offered to peers.
        sop_classes: the storage SOP classes among them.
        doorkeeper: says who may associate.
        force: whether an instance is forced to disk before it is answered.
    """

    desk: Desk
    contexts: list[PresentationContext]
    sop_classes: frozenset[str]
    doorkeeper: Doorkeeper
    force: bool

    def unwanted(self, sop_class: str) -> str:
        """The reason code for an instance of a class that is not taken, or "": it may come under another one's context."""
        return "E-PULL-SOP-CLASS" if is_uid(sop_class) and sop_class not in self.sop_classes else ""


class Exchange:
    """An association on a line. `run` it in a thread of its own."""

    def __init__(self, line: Line, terms: Terms, silence_s: float) -> None:
        """Args: `silence_s` is how long an associated peer may take for a PDU; until then the line's own patience holds."""
        self._line, self._terms, self._silence_s = line, terms, silence_s
        self._agreed = Agreed({}, 0)
        self._command = bytearray()
        self._context = 0
        self._request: Command | None = None
        self._reception: Reception | None = None
        self._answered = 0.0
        self._associated = False

    def run(self) -> None:
        """Until the association ends, however it does. Nothing that is half here stays."""
        try:
            self._associate()
        except ProtocolError as error:
            with suppress(HungUpError):
                self._line.send(abort(2, error.reason))
        except HungUpError:
            if self._associated:  # it may still hear why, if it was silent, or if it is us who leave
                with suppress(HungUpError):
                    self._line.send(abort(0, 0))
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach a log, and others are served on
            self._terms.desk.unexpected(error)
            with suppress(HungUpError):
                self._line.send(abort(2, 0))
        finally:
            if self._reception is not None:
                self._reception.discard()
        self._line.linger()

    def _associate(self) -> None:
        """Sta2 and Sta3: one A-ASSOCIATE-RQ, and its answer."""
        kind, body = self._line.read()
        if kind == ABORT:
            return
        if kind != ASSOCIATE_RQ:
            raise ProtocolError(UNEXPECTED_PDU)
        request = Request.parse(body)
        with self._terms.doorkeeper.judged(request.calling, request.called) as turned_away:
            why = turned_away if request.protocol & 1 else OLD_PROTOCOL
            if why is not None:
                self._line.send(rejection(why))
                return
            answer, self._agreed = request.accept(self._terms.contexts)
            self._associated = True
            self._line.send(answer)
            self._line.patience(self._silence_s)
            self._serve()

    def _serve(self) -> None:
        """Sta6: P-DATA until the peer releases or aborts."""
        while True:
            kind, body = self._line.read()
            if kind == P_DATA:
                for context, control, piece in values(body):
                    self._take(context, control, piece)
            elif kind == RELEASE_RQ:
                self._line.send(pdu(RELEASE_RP, bytes(4)))
                return
            elif kind == ABORT:
                return
            else:
                raise ProtocolError(UNEXPECTED_PDU)

    def _take(self, context: int, control: int, piece: memoryview) -> None:
        """One fragment (PS3.8 E.2): of a command set where none is under way, of its data set afterwards."""
        last = bool(control & 2)
        if control & 1:
            if self._request is not None or len(self._command) + len(piece) > _GREATEST_COMMAND:
                raise ProtocolError(UNEXPECTED_PDU)
            if not self._command:
                self._context = context
            elif context != self._context:
                raise ProtocolError(INVALID_VALUE)
            self._command += piece
            if last:
                self._begin(Command.parse(bytes(self._command)))
                self._command.clear()
        else:
            if self._request is None or context != self._context:
                raise ProtocolError(UNEXPECTED_PDU)
            if self._reception is not None:
                self._reception.write(piece)
            if last:
                self._end(self._request)

    def _begin(self, command: Command) -> None:
        if command.kind == C_CANCEL_RQ:
            return  # there is nothing that could be cancelled
        if self._context not in self._agreed.contexts or command.kind not in (C_STORE_RQ, C_ECHO_RQ):
            raise ProtocolError(UNEXPECTED_PDU)
        self._request = command
        if command.kind == C_STORE_RQ:
            pause = max(self._line.came - self._answered, 0.0) if self._answered else None
            self._reception = self._terms.desk.begin(
                command.sop_class, command.sop_instance, self._agreed.contexts[self._context][1],
                force=self._terms.force, pause=pause, reason=self._terms.unwanted(command.sop_class),
            )  # fmt: skip
        if not command.has_data_set:
            self._end(command)

    def _end(self, request: Command) -> None:
        """The message is whole: do what it asks for, and answer."""
        reception, self._request, self._reception = self._reception, None, None
        status = _SUCCESS
        if reception is not None:
            try:
                status = reception.finish()
            finally:
                reception.discard()
        self._line.send(request.response(self._context, status, self._agreed.greatest))
        self._answered = time.monotonic()


def values(body: memoryview) -> list[tuple[int, int, memoryview]]:
    """The presentation data values of a P-DATA-TF PDU (PS3.8 9.3.5): context, message control header, fragment.

    Raises:
        ProtocolError: their lengths do not add up. Nothing of such a PDU counts.
    """
    found = []
    position = 0
    while position < len(body):
        if position + 6 > len(body):
            raise ProtocolError(INVALID_VALUE)
        length, context, control = _PDV.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError(INVALID_VALUE)
        found.append((context, control, body[position + 6 : end]))
        position = end
    return found
