"""PACSs with odd manners, for tests: the embedded one with its answers changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from tasks.pacs.embedded.node import PacsNode


class Changed(PacsNode):
    """Sends each answer through `change`, which returns None for one that is left out."""

    def change(self, match: Dataset) -> Dataset | None:
        """The answer to send."""
        return match

    def on_find(self, event: Any) -> Iterator[Any]:
        """Change the answers."""
        for status, match in super().on_find(event):
            changed = self.change(match) if match is not None else None
            if match is None or changed is not None:
                yield status, changed


class Cutting(PacsNode):
    """Gives at most `limit` answers; ends with `status`, which may be success."""

    limit, status, levels = 60, 0x0000, ("STUDY",)

    def on_find(self, event: Any) -> Iterator[Any]:
        """Cut."""
        for number, (status, match) in enumerate(super().on_find(event)):
            if number == self.limit and event.identifier.QueryRetrieveLevel in self.levels:
                if self.status:
                    yield self.status, None
                return
            yield status, match


class Telling(Cutting):
    """Ends a long answer with `out of resources`."""

    status = 0xA700
