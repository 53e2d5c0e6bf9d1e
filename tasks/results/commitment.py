"""Storage commitment (PS3.4 Annex J): the PACS is asked to say of each object that it keeps it, and its answer is waited for.

The answer (N-EVENT-REPORT) comes on the association on which it was asked, or on one that the PACS opens to our listener.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from tasks.errors import ConfigurationError
from tasks.pacs.server import listen
from tasks.results.policy import CommitmentSettings, NodeSettings
from tasks.results.sender import opened

#: The well-known instance to which all requests are addressed (PS3.4 J.3.5).
_INSTANCE = "1.2.840.10008.1.20.1.1"
#: Object: (SOP class, SOP instance).
Reference = tuple[str, str]


@dataclass
class _Transaction:
    """What was asked, and what has been answered: instance → failure reason, None where it is kept."""

    answered: dict[str, int | None] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    #: The association on which the report came.
    on: object = None


class Commitments:
    """Asks for commitment. Make one with `commitments`, which listens for answers."""

    def __init__(self, node: NodeSettings, settings: CommitmentSettings) -> None:
        self._node, self._settings = node, settings
        self._transactions: dict[str, _Transaction] = {}
        self._lock = threading.Lock()
        #: None until the PACS was asked whether it offers commitment.
        self.offered: bool | None = False if settings.ask == "never" else None

    def ask(self, objects: Sequence[Reference], transaction_uid: str) -> dict[str, int | None] | None:
        """What the PACS says of objects: instance → failure reason (PS3.3 C.14), None where it keeps it.

        Args:
            objects: at least one.
            transaction_uid: a new one.

        Returns:
            of those that it spoke of in time; None where it does not offer commitment.

        Raises:
            ConfigurationError: E-RETURN-UNREACHABLE, E-RETURN-AE-REJECTED; E-RETURN-UNSUPPORTED where commitment is required and not offered.
        """
        if self.offered is False:
            return None
        waiting = _Transaction()
        with self._lock:
            self._transactions[transaction_uid] = waiting
        # The association's own thread takes the PACS's report, so it must be let look for requests while we wait.
        contexts = [build_context(StorageCommitmentPushModel)]
        received = threading.Event()  # our answer to a report is on its way

        def on_sent(event: Any) -> None:
            if type(event.message).__name__ == "N_EVENT_REPORT_RSP":
                received.set()

        handlers = [(evt.EVT_N_EVENT_REPORT, self.on_report), (evt.EVT_DIMSE_SENT, on_sent)]
        try:
            association = opened(self._node, [build_context(Verification), *contexts], handlers, listens=True)
            try:
                accepted = {context.abstract_syntax for context in association.accepted_contexts}
                self.offered = StorageCommitmentPushModel in accepted
                if not self.offered:
                    if self._settings.ask == "required":
                        raise ConfigurationError("E-RETURN-UNSUPPORTED", f"{self._node.ae_title}: storage commitment")
                    return None
                association.send_n_action(_request(objects, transaction_uid), 1, StorageCommitmentPushModel, _INSTANCE)
                waiting.done.wait(self._settings.wait_s)  # also where the answer to the request itself was lost
                if waiting.on is association:
                    received.wait(self._node.dimse_timeout_s)  # a release must not overtake it
            finally:
                if association.is_established:
                    association.release()
        finally:
            with self._lock:
                self._transactions.pop(transaction_uid)
        asked = {instance for _, instance in objects}
        return {instance: reason for instance, reason in waiting.answered.items() if instance in asked}

    def on_report(self, event: Any) -> tuple[int, Dataset | None]:
        """Take an N-EVENT-REPORT; 0x0110 (processing failure) for one that cannot be read, 0x0115 for a transaction that is not ours."""
        try:
            said = event.event_information
            with self._lock:
                transaction = self._transactions.get(str(said.TransactionUID))
            kept: dict[str, int | None] = {
                str(item.ReferencedSOPInstanceUID): None for item in said.get("ReferencedSOPSequence") or ()
            }
            failed = {str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in said.get("FailedSOPSequence") or ()}
        except (AttributeError, ValueError, TypeError, KeyError):
            return 0x0110, None
        if transaction is None:
            return 0x0115, None
        transaction.answered |= kept | failed
        transaction.on = event.assoc
        transaction.done.set()
        return 0x0000, None


@contextmanager
def commitments(node: NodeSettings, settings: CommitmentSettings) -> Iterator[Commitments]:
    """Commitment with a node, and a listener for its answers where the site has one.

    Raises:
        ConfigurationError: E-RETURN-PORT where the listener's port is taken.
    """
    made = Commitments(node, settings)
    with ExitStack() as stack:
        if settings.listen is not None and settings.ask != "never":
            entity = AE(ae_title=node.calling_ae_title)
            entity.network_timeout = node.network_timeout_s
            entity.maximum_associations = 8
            reports = build_context(StorageCommitmentPushModel)
            # The PACS connects as the provider of the service, which it says by role selection (PS3.7 D.3.3.4).
            reports.scu_role, reports.scp_role = True, True
            address = (settings.listen.host, settings.listen.port)
            try:
                stack.enter_context(
                    listen(entity, address, [build_context(Verification), reports], [(evt.EVT_N_EVENT_REPORT, made.on_report)])
                )
            except OSError:
                raise ConfigurationError("E-RETURN-PORT", f"{address[0]}:{address[1]}") from None
        yield made


def _request(objects: Sequence[Reference], transaction_uid: str) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction_uid
    items = []
    for sop_class, instance in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        items.append(item)
    asked.ReferencedSOPSequence = items
    return asked
