"""How instances come to us: by C-MOVE to one of our receivers, or by C-GET on the association that asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom.presentation import PresentationContext, build_context

from tasks.declarations import shipped
from tasks.pacs.association import Moved, Requestor
from tasks.pacs.moving.completeness import Listed, Listing
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.settings import PacsSettings

#: An association has room for 128 contexts (PS3.8 9.3.2); three are for C-ECHO, C-FIND and C-GET.
_ROOM = 124
#: One context for each of these, so that an instance can come in the one in which it is stored; lossless ones first.
_SYNTAXES: tuple[str, ...] = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, JPEG2000Lossless, JPEGLSLossless, RLELossless, JPEGBaseline8Bit,
    JPEG2000, JPEGExtended12Bit, JPEGLossless, JPEGLSNearLossless, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
)  # fmt: skip


class Carrier(Protocol):
    """A way to have the instances of a study sent."""

    #: Whether it must know what there is before it can ask.
    needs_listing: bool

    def fetch(self, identifier: Dataset, present: Listing | None, intake: Intake) -> Moved:
        """Have sent what an identifier names, of what is `present`; returns when the PACS says that it is done, or has gone away."""
        ...

    def close(self) -> None:
        """End what associations there are."""
        ...


@dataclass
class Mover:
    """C-MOVE to the receiver of ours whose AE title is `destination`."""

    requestor: Requestor
    destination: str
    needs_listing: bool = False

    def fetch(self, identifier: Dataset, present: Listing | None, intake: Intake) -> Moved:  # noqa: ARG002 - the PACS proposes contexts
        """Ask, and wait for what is still on its way where the PACS left in the middle."""
        moved = self.requestor.move(identifier, self.destination, lambda: intake.activity)
        if moved.status is None:
            intake.settle()
        return moved

    def close(self) -> None:
        """The requestor is whoever opened it to close."""


@dataclass
class Getter:
    """C-GET, on associations that propose just the SOP classes of what is asked for, each in every way it may be stored."""

    pacs: PacsSettings
    desk: Desk
    #: The one that asks elsewise: it leaves its association to the C-GET, so that there is one at a time.
    asking: Requestor
    needs_listing: bool = True
    _open: dict[frozenset[str], Requestor] = field(default_factory=dict)

    def fetch(self, identifier: Dataset, present: Listing | None, intake: Intake) -> Moved:
        """Ask for all classes at once where an association has room for them, else for some of them after the others."""
        classes = (
            sorted(set[str]().union(*(_classes(listed) for listed in present.series.values()))) if present is not None else []
        )
        at_once = _ROOM // len(_SYNTAXES)
        last = Moved(None)
        self.asking.close()
        for start in range(0, max(1, len(classes)), at_once):
            part = frozenset(classes[start : start + at_once])
            last = self._requestor(part).get(identifier, lambda: intake.activity)
        self.close()
        return last

    def close(self) -> None:
        """Release the associations."""
        while self._open:
            self._open.popitem()[1].close()

    def _requestor(self, classes: frozenset[str]) -> Requestor:
        if classes not in self._open:
            self.close()
            contexts: list[PresentationContext] = [
                build_context(sop_class, syntax) for syntax in _SYNTAXES for sop_class in sorted(classes)
            ]
            self._open[classes] = Requestor(self.pacs, contexts, self.desk.store)
        return self._open[classes]


def _classes(listed: Listed) -> frozenset[str]:
    """The SOP classes that a series has, or where the PACS does not say, those that its modality lets expect."""
    if listed.sop_classes:
        return listed.sop_classes
    expected = _expected()
    return expected.get(listed.modality, expected["other"])


@cache
def _expected() -> dict[str, frozenset[str]]:
    stated: dict[str, list[str]] = shipped("sop_classes.yaml")
    return {modality: frozenset(str(getattr(uid, keyword)) for keyword in keywords) for modality, keywords in stated.items()}
