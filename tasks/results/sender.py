"""Sends objects to the PACS: one association for C-STORE, opened anew where it was lost; what is answered is a code and a status."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SegmentationStorage,
    Verification,
)

from tasks.errors import ConfigurationError
from tasks.pacs.server import MAXIMUM_PDU, Caller
from tasks.results.policy import NodeSettings

STORAGE = (ComprehensiveSRStorage, Comprehensive3DSRStorage, SegmentationStorage, GrayscaleSoftcopyPresentationStateStorage)
_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
#: Stored: as sent, or with a warning (PS3.4 table B.2-1), or it was there already (PS3.7 C.5.5).
_STORED = (0x0000, 0xB000, 0xB006, 0xB007, 0x0111)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the PACS said of an object: empty code where it is stored; the status is for the vault's error log."""

    reason_code: str
    status: int | None


def opened(
    node: NodeSettings, contexts: list[PresentationContext], handlers: list[tuple[Any, Callable[..., Any]]], listens: bool = False
) -> Association:
    """An association with a node.

    Args:
        node: whom to call.
        contexts: what is proposed.
        handlers: of the association's events.
        listens: whether the association's own thread takes requests of the peer; without, every message is an answer that is waited for.

    Raises:
        ConfigurationError: E-RETURN-UNREACHABLE, E-RETURN-AE-REJECTED.
    """
    entity = Caller(ae_title=node.calling_ae_title)
    entity.acse_timeout = entity.connection_timeout = node.acse_timeout_s
    entity.dimse_timeout, entity.network_timeout = node.dimse_timeout_s, node.network_timeout_s
    entity.requested_contexts = contexts
    options: dict[str, Any] = {}
    if node.tls is not None:
        from tasks.pacs.receiving.admission import client_context

        options["tls_args"] = (client_context(node.tls), node.host)
    place = f"{node.ae_title} at {node.host}:{node.port}"
    try:
        association = entity.associate(
            node.host, node.port, ae_title=node.ae_title, max_pdu=MAXIMUM_PDU, evt_handlers=[*handlers], **options
        )
    except OSError:
        raise ConfigurationError("E-RETURN-UNREACHABLE", f"{place}: no such host") from None
    if association.is_rejected:
        raise ConfigurationError("E-RETURN-AE-REJECTED", f"{place}, called by {node.calling_ae_title}")
    if not association.is_established:
        raise ConfigurationError("E-RETURN-UNREACHABLE", place)
    if not listens:
        _undivided(association)
    return association


class Sender:
    """Use as a context manager; it connects with the first object.

    Args:
        node: who takes the objects.
        retries, backoff_s: how often an association is tried again, and the first pause.
        sleep: waits, in seconds.
    """

    def __init__(
        self, node: NodeSettings, retries: int = 0, backoff_s: float = 1.0, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._node, self._retries, self._backoff_s, self._sleep = node, retries, backoff_s, sleep
        self._association: Association | None = None

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def store(self, made: Dataset) -> Answer:
        """C-STORE one object; sent again over a new association where the answer did not come.

        Raises:
            ConfigurationError: E-RETURN-UNREACHABLE, E-RETURN-AE-REJECTED.
        """
        for attempt in range(self._retries + 1):
            association = self._connected(attempt)
            if not any(each.abstract_syntax == made.SOPClassUID for each in association.accepted_contexts):
                return Answer("E-RETURN-UNSUPPORTED", None)
            try:
                status = association.send_c_store(made).get("Status")
            except RuntimeError:  # it went away between two objects
                status = None
            if status is not None:
                return Answer("" if status in _STORED else "E-RETURN-REFUSED", int(status))
            association.abort()
            self._association = None
        raise ConfigurationError(
            "E-RETURN-UNREACHABLE", f"{self._node.ae_title} at {self._node.host}:{self._node.port}: no answer"
        )

    def _connected(self, attempt: int) -> Association:
        """The association; opened anew, after a pause, as often as may be tried."""
        if self._association is not None and self._association.is_established:
            return self._association
        contexts = [build_context(uid, _SYNTAXES) for uid in STORAGE]
        while True:
            try:
                self._association = opened(self._node, [build_context(Verification), *contexts], [])
                return self._association
            except ConfigurationError as error:
                if attempt >= self._retries or error.code != "E-RETURN-UNREACHABLE":
                    raise
            self._sleep(self._backoff_s * 2**attempt)
            attempt += 1


def echo(node: NodeSettings) -> None:
    """Ask whether the node is there, and takes our AE title and each kind of object.

    Raises:
        ConfigurationError: E-RETURN-UNREACHABLE, E-RETURN-AE-REJECTED, E-RETURN-UNSUPPORTED with the SOP classes that it does not take.
    """
    association = opened(node, [build_context(Verification), *(build_context(uid, _SYNTAXES) for uid in STORAGE)], [])
    try:
        answer = association.send_c_echo()
        accepted = {context.abstract_syntax for context in association.accepted_contexts}
    except (RuntimeError, ValueError):
        raise ConfigurationError("E-RETURN-UNREACHABLE", f"{node.ae_title} at {node.host}:{node.port}: no C-ECHO") from None
    finally:
        association.release()
    if answer.get("Status") != 0x0000:
        raise ConfigurationError("E-RETURN-UNREACHABLE", f"{node.ae_title} at {node.host}:{node.port}: no C-ECHO")
    missing = [uid.name for uid in STORAGE if uid not in accepted]
    if missing:
        raise ConfigurationError("E-RETURN-UNSUPPORTED", f"{node.ae_title}: {', '.join(missing)}")


def _undivided(association: Association) -> None:
    """Let no answer be taken by the association's own thread, which looks for requests: pynetdicom does not pause it without a gap."""
    take = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: take(block) if block else (None, None)  # type: ignore[method-assign]
