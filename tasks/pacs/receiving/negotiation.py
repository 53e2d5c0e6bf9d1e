"""The answer to an A-ASSOCIATE-RQ: who may associate with us, and for what, told by pynetdicom's PDUs and rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from tasks.pacs.receiving.line import ASSOCIATE_RQ, INVALID_VALUE, ProtocolError, pdu
from tasks.pacs.server import MAXIMUM_PDU

#: A rejection (PS3.8 Table 9-21): another protocol version than 1.
OLD_PROTOCOL = (1, 2, 2)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an association may do: presentation context id → abstract and transfer syntax; bytes of a P-DATA PDU to the peer."""

    contexts: dict[int, tuple[str, str]]
    greatest: int


@dataclass(frozen=True)
class Request:
    """An A-ASSOCIATE-RQ."""

    calling: str = field(repr=False)
    called: str
    protocol: int
    primitive: Any = field(repr=False)

    @classmethod
    def parse(cls, body: memoryview) -> Request:
        """From what follows the PDU's length; raises ProtocolError for anything that is not one."""
        request = A_ASSOCIATE_RQ()
        try:
            request.decode(pdu(ASSOCIATE_RQ, bytes(body)))
            primitive = request.to_primitive()
            return cls(request.calling_ae_title.strip(), request.called_ae_title.strip(), request.protocol_version, primitive)
        except Exception:  # noqa: BLE001 - pynetdicom raises whatever a malformed item makes it stumble over
            raise ProtocolError(INVALID_VALUE) from None

    def accept(self, contexts: list[PresentationContext]) -> tuple[bytes, Agreed]:
        """The A-ASSOCIATE-AC PDU, by our supported contexts, and what it agrees to.

        Raises:
            ProtocolError: the request holds what cannot be answered.
        """
        try:
            return self._accepted(contexts)
        except Exception:  # noqa: BLE001 - as in `parse`: items that decode, but mean nothing
            raise ProtocolError(INVALID_VALUE) from None

    def _accepted(self, contexts: list[PresentationContext]) -> tuple[bytes, Agreed]:
        items = {type(item).__name__: item for item in self.primitive.user_information}
        roles = {
            item.sop_class_uid: (item.scu_role, item.scp_role)
            for item in self.primitive.user_information
            if type(item).__name__ == "SCP_SCU_RoleSelectionNegotiation"
        }
        results, replies = negotiate_as_acceptor(self.primitive.presentation_context_definition_list, contexts, roles)
        answer = A_ASSOCIATE()
        answer.application_context_name = UID(APPLICATION_CONTEXT_NAME)
        answer.calling_ae_title, answer.called_ae_title = self.primitive.calling_ae_title, self.primitive.called_ae_title
        answer.result, answer.result_source = 0, 1
        answer.presentation_context_definition_results_list = results
        length = MaximumLengthNotification()
        length.maximum_length_received = MAXIMUM_PDU
        implementation = ImplementationClassUIDNotification()
        implementation.implementation_class_uid = UID(PYNETDICOM_IMPLEMENTATION_UID)
        version = ImplementationVersionNameNotification()
        version.implementation_version_name = PYNETDICOM_IMPLEMENTATION_VERSION
        answer.user_information = [length, implementation, version, *replies]
        accepted = {
            int(context.context_id or 0): (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in results
            if context.result == 0x00
        }
        stated = items.get("MaximumLengthNotification")
        greatest = int(stated.maximum_length_received) if stated is not None else 0
        return A_ASSOCIATE_AC(answer).encode(), Agreed(accepted, greatest)


def rejection(why: tuple[int, int, int]) -> bytes:
    """The A-ASSOCIATE-RJ PDU (PS3.8 9.3.4)."""
    answer = A_ASSOCIATE()
    answer.result, answer.result_source, answer.diagnostic = why
    return bytes(A_ASSOCIATE_RJ(answer).encode())
