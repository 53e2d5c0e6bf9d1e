"""PACSs that misbehave on purpose, each in one way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pynetdicom.association import Association

from tasks.pacs.embedded.index import Entry
from tasks.pacs.embedded.node import PacsNode, _Entity
from tests.tasks.pacs.hospital import instance, save


class Counting(PacsNode):
    """Counts how often it sent each instance."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sent: Counter[str] = Counter()
        self.moves: list[str] = []

    def on_move(self, event: Any) -> Iterator[Any]:
        """Note the level of each request."""
        self.moves.append(str(event.identifier.QueryRetrieveLevel))
        return super().on_move(event)

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """Count what is about to be sent."""
        self.sent.update(entry.value("SOPInstanceUID") for entry in entries)
        return entries


class Cutting(Counting):
    """Sends half of its third instance, and drops the connection; once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._entity = _CuttingEntity(ae_title=self.ae_title)
        self._entity.require_called_aet = True


class _CuttingEntity(_Entity):
    _done = False

    def associate(self, *arguments: Any, **options: Any) -> Association:
        """As the node's, with a socket that breaks."""
        association = super().associate(*arguments, **options)
        transport = association.dul.socket
        send, large = transport.send, Counter[str]()

        def cut(content: bytes) -> None:
            large["sent"] += content[:1] == b"\x04" and len(content) > 300
            if large["sent"] == 3 and not self._done:
                self._done = True
                send(content[: len(content) // 2])
                transport.close()
            else:
                send(content)

        transport.send = cut
        return association


class Growing(Counting):
    """Gets new instances of the first study while it is sent, as often as `growths` says."""

    growths = 1

    def on_move(self, event: Any) -> Iterator[Any]:
        """Add an instance before it answers the last time."""
        yield from super().on_move(event)
        if self.growths:
            self.growths -= 1
            number = 100 + self.growths
            self.index.add(save(instance(1, 2, number), self.folder, f"late-{number}.dcm"))


class OutOfResources(Counting):
    """Refuses so many C-MOVEs (`refusals`) for want of resources."""

    refusals = 1

    def on_move(self, event: Any) -> Iterator[Any]:
        """Refuse."""
        if not self.refusals:
            yield from super().on_move(event)
            return
        self.refusals -= 1
        yield from self._refuse(event)

    def _refuse(self, event: Any) -> Iterator[Any]:
        (destination, *_) = list(self.destinations.values())
        from pynetdicom.presentation import build_context
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        yield (*destination, {"contexts": [build_context(Verification)]})
        yield 1
        yield 0xA701, None


class Mistaken(Counting):
    """Says that every C-MOVE ended with a warning and failures, though it sent all."""

    def on_move(self, event: Any) -> Iterator[Any]:
        """Change the last answer's counts."""
        send = event.assoc.dimse.send_msg

        def worse(message: Any, context: int) -> None:
            if getattr(message, "Status", None) == 0x0000 and type(message).__name__ == "C_MOVE":
                message.Status, message.NumberOfFailedSuboperations = 0xB000, 3
            send(message, context)

        event.assoc.dimse.send_msg = worse
        yield from super().on_move(event)
