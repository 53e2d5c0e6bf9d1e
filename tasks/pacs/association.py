"""Asks the PACS: one association for C-ECHO, C-FIND and C-MOVE or C-GET (Study Root, PS3.4 Annex C), opened anew where it was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tasks.errors import ConfigurationError, SafelightError
from tasks.pacs.server import MAXIMUM_PDU, Caller
from tasks.pacs.settings import PacsSettings

_PENDING = (0xFF00, 0xFF01)
#: Why a peer rejected the association, by source and diagnostic (PS3.8 Table 9-21).
_REJECTED: dict[tuple[int | None, int | None], str] = {
    (1, 2): "the application context is not supported",
    (1, 3): "it does not know the calling AE title",
    (1, 7): "it does not answer to the called AE title",
    (3, 1): "it is congested",
    (3, 2): "it has no free association",
}
#: Those of them that pass by themselves.
_BUSY = {(3, 1), (3, 2)}
_SERVICES = {
    "move": (StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelMove),
    "get": (StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet),
}
#: Answers the C-STORE of a C-GET: SOP class, SOP instance, transfer syntax, data set; returns a status.
Store = Callable[[str, str, str, bytes], int]


@dataclass(frozen=True, slots=True)
class Moved:
    """How a C-MOVE or C-GET ended: its last status (None where the PACS went away) and the sub-operations it counted."""

    status: int | None
    completed: int = 0
    failed: int = 0
    warning: int = 0


class Requestor:
    """An association with the PACS. Use as a context manager; it connects with the first request.

    Args:
        pacs: whom to ask.
        storage: contexts in which instances may come back on this association, for C-GET; at most 124.
        store: takes these instances.
    """

    def __init__(self, pacs: PacsSettings, storage: Sequence[PresentationContext] = (), store: Store | None = None) -> None:
        self._pacs = pacs
        self._store = store
        self._association: Association | None = None
        self._message_id = 0
        entity = Caller(ae_title=pacs.calling_ae_title)
        entity.acse_timeout = pacs.acse_timeout_s
        entity.connection_timeout = pacs.acse_timeout_s
        entity.dimse_timeout = pacs.dimse_timeout_s
        entity.network_timeout = pacs.network_timeout_s
        services = [build_context(uid) for uid in (Verification, *_SERVICES[pacs.retrieve])]
        entity.requested_contexts = [*services, *storage]
        self._roles = [build_role(uid, scp_role=True) for uid in {str(each.abstract_syntax) for each in storage}]
        self._entity = entity

    def __enter__(self) -> Requestor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the association; the next request opens another."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def _abandon(self) -> None:
        """Leave the association: what is still on its way there must not be taken for the answer to the next question."""
        if self._association is not None:
            self._association.abort()
        self._association = None

    def echo(self) -> None:
        """C-ECHO; also holds that C-FIND and C-MOVE are offered.

        Raises:
            ConfigurationError: E-PULL-UNREACHABLE, E-PULL-AE-REJECTED, E-PULL-BUSY, E-PULL-UNSUPPORTED.
        """
        association = self._connected()
        try:
            answer = association.send_c_echo()
        except ValueError:
            raise ConfigurationError("E-PULL-UNSUPPORTED", f"{self._place()}: C-ECHO") from None
        except RuntimeError:
            raise ConfigurationError("E-PULL-UNREACHABLE", f"{self._place()}: it went away") from None
        if answer.get("Status") != 0x0000:
            raise ConfigurationError("E-PULL-UNREACHABLE", f"{self._place()}: C-ECHO is not answered with success")

    def find(self, identifier: Dataset) -> list[Dataset]:
        """C-FIND: every match, decoded by its own character set when its elements are read.

        Raises:
            SafelightError: E-PULL-FIND-FAILED for any end but success, E-PULL-NO-ANSWER; ConfigurationError as `echo`.
        """
        level = str(identifier.QueryRetrieveLevel)
        found = []
        for status, match in self._send("send_c_find", identifier, StudyRootQueryRetrieveInformationModelFind, _still):
            code = status.get("Status")
            if code is None:
                self._abandon()
                raise SafelightError("E-PULL-NO-ANSWER", f"C-FIND at {level} level")
            if code in _PENDING and match is not None:
                found.append(match)
            elif code in _PENDING:  # it cannot be decoded
                self._abandon()
                raise SafelightError("E-PULL-FIND-FAILED", f"{level} level, an answer that cannot be read")
            elif code != 0x0000:
                raise SafelightError("E-PULL-FIND-FAILED", f"{level} level, status 0x{code:04X}")
        return found

    def move(self, identifier: Dataset, destination: str, activity: Callable[[], int]) -> Moved:
        """C-MOVE to a receiver of ours. `activity` counts what arrives there: as long as it grows, a silent PACS is waited for.

        Raises:
            ConfigurationError: as `echo`.
        """
        model = StudyRootQueryRetrieveInformationModelMove
        return self._last(self._send("send_c_move", identifier, model, activity, destination))

    def get(self, identifier: Dataset, activity: Callable[[], int]) -> Moved:
        """C-GET: the instances come on this association, to `store`.

        Raises:
            ConfigurationError: as `echo`.
        """
        return self._last(self._send("send_c_get", identifier, StudyRootQueryRetrieveInformationModelGet, activity))

    def _last(self, responses: Iterator[tuple[Dataset, Dataset | None]]) -> Moved:
        last = Moved(None)
        for status, _ in responses:
            counts = (int(status.get(f"NumberOf{kind}Suboperations") or 0) for kind in ("Completed", "Failed", "Warning"))
            last = Moved(status.get("Status"), *counts)
        return last

    def _send(
        self, method: str, identifier: Dataset, model: str, activity: Callable[[], int], *to: str
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        association = self._connected()
        _wait_while_active(association, activity)
        self._message_id = self._message_id % 65535 + 1
        try:
            responses: Iterator[tuple[Dataset, Dataset | None]] = getattr(association, method)(
                identifier, *to, query_model=model, msg_id=self._message_id
            )
        except ValueError:
            raise ConfigurationError("E-PULL-UNSUPPORTED", f"{self._place()}: {method.removeprefix('send_')}") from None
        except RuntimeError:
            return iter([(Dataset(), None)])  # it went away between the check and the request
        return responses

    def _connected(self) -> Association:
        if self._association is not None and self._association.is_established:
            return self._association
        options: dict[str, Any] = {}
        if self._pacs.tls is not None:
            from tasks.pacs.receiving.admission import client_context

            options["tls_args"] = (client_context(self._pacs.tls), self._pacs.host)
        try:
            association = self._entity.associate(
                self._pacs.host, self._pacs.port, ae_title=self._pacs.ae_title, max_pdu=MAXIMUM_PDU,
                ext_neg=[*self._roles], evt_handlers=[(evt.EVT_C_STORE, self._on_store)], **options,
            )  # fmt: skip
        except OSError:  # the host's name is not known
            raise ConfigurationError("E-PULL-UNREACHABLE", f"{self._place()}: no such host") from None
        if association.is_rejected:
            answer = association.acceptor.primitive
            cause = (answer.result_source, answer.diagnostic) if answer is not None else (None, None)
            code = "E-PULL-BUSY" if cause in _BUSY else "E-PULL-AE-REJECTED"
            why = _REJECTED.get(cause, "no reason is given")
            raise ConfigurationError(code, f"{self._place()}, called by {self._pacs.calling_ae_title}: {why}")
        if not association.is_established:
            raise ConfigurationError("E-PULL-UNREACHABLE", self._place())
        _wait_while_active(association, _still)
        self._association = association
        return association

    def _on_store(self, event: Any) -> int:
        if self._store is None:
            return 0x0122  # SOP class not supported: nothing was asked for on this association
        request = event.request
        content = request.DataSet.getvalue() if request.DataSet is not None else b""
        names = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax))
        return self._store(*names, content)

    def _place(self) -> str:
        return f"{self._pacs.ae_title} at {self._pacs.host}:{self._pacs.port}"


def echo(pacs: PacsSettings) -> None:
    """Ask whether the PACS is there and takes our AE title, before any work.

    Raises:
        ConfigurationError: E-PULL-UNREACHABLE, E-PULL-AE-REJECTED, E-PULL-BUSY, E-PULL-UNSUPPORTED.
    """
    with Requestor(pacs) as requestor:
        requestor.echo()


def _still() -> int:
    return 0


def _wait_while_active(association: Association, activity: Callable[[], int]) -> None:
    """Start the DIMSE timeout again whenever `activity` has grown: a PACS need not say that a C-MOVE goes on (PS3.4 C.4.2.3)."""
    take = type(association.dimse).get_msg

    def get_msg(block: bool = False) -> Any:
        if not block:
            return None, None  # as for every `Caller`: the association's own thread takes no answer
        while True:
            before, since = activity(), time.monotonic()
            message = take(association.dimse, block)
            timed_out = time.monotonic() - since >= (association.dimse_timeout or float("inf"))
            if message[1] is not None or not timed_out or activity() == before:
                return message

    association.dimse.get_msg = get_msg  # type: ignore[method-assign]
