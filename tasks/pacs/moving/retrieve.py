"""One study, from the first request to the last missing instance: asked for, compared with the PACS's list, and asked for again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from tasks.errors import ConfigurationError, SafelightError
from tasks.pacs.association import Moved, Requestor
from tasks.pacs.moving.carrier import Carrier
from tasks.pacs.moving.completeness import Gap, Listing, listing
from tasks.pacs.receiving.intake import Intake

#: UIDs in one IMAGE-level request: a list of UIDs is one value of at most 64 kB in Explicit VR.
_AT_ONCE = 500
#: How often a study may have grown while it was pulled before it is left for another time.
_GROWTHS = 5
#: Ends of a C-MOVE after which the same request may well bring more: refused for want of resources, and whatever is no plain end.
_ENDED = (0x0000, 0xB000)
_DESTINATION_UNKNOWN = 0xA801
#: Reasons for refusing instances that are our disk's: asking again would only bring more of them.
OURS = ("E-PULL-DISK-FULL", "E-PULL-WRITE")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the plan wants of a study: how many instances of each series; `only` these series, or all that there are."""

    series: Mapping[str, int] = field(repr=False)
    only: bool = False

    @property
    def count(self) -> int:
        """How many instances the plan has counted."""
        return sum(self.series.values())


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is repeated when the PACS does not do what it should, and how long is waited before.

    Args:
        retries: fruitless rounds in a row.
        delay: seconds to wait before the nth repetition (0, 1, …).
        settle_s: seconds after which a study that has grown is looked at again.
        sleep: waits so many seconds.
    """

    retries: int
    delay: Callable[[int], float]
    settle_s: float
    sleep: Callable[[float], object]


@dataclass
class Retrieved:
    """What became of a study's retrieval.

    `missing`: instances that are listed (or were planned) and did not come. `growing`: it did not stop to grow.
    """

    present: Listing
    missing: int
    growing: bool
    moved: Moved
    requests: int


def retrieve(requestor: Requestor, carrier: Carrier, intake: Intake, wanted: Wanted, patience: Patience) -> Retrieved:
    """Have a study sent until every instance that the PACS lists is here, or nothing more comes.

    What an earlier, interrupted attempt left in the intake's folder is taken over, and not asked for again. What is missing after the
    first request is asked for by series, then by instance. The PACS's own counts of sub-operations are not relied on: a C-MOVE that ends
    with a warning (0xB000) may have brought all, and one that ends with success may not.

    Raises:
        SafelightError: as `Requestor.find`; ConfigurationError where the PACS cannot be worked with just now.
    """
    turn = _Turn(requestor, carrier, intake, wanted, patience)
    return turn.run()


class _Turn:
    def __init__(self, requestor: Requestor, carrier: Carrier, intake: Intake, wanted: Wanted, patience: Patience) -> None:
        self._requestor, self._carrier, self._intake, self._wanted, self._patience = requestor, carrier, intake, wanted, patience
        self._moved = Moved(None)
        self._requests = 0
        self._fruitless = 0
        self._growths = 0

    def run(self) -> Retrieved:
        present = self._begin()
        known = self._wanted.count  # 0 where the plan could not count
        while True:
            before, self._moved = len(self._intake.received), Moved(0x0000)
            gaps = self._gaps(present) if present is not None else None
            if gaps != {}:
                for identifier in self._identifiers(gaps, present, by_instance=self._fruitless > 0):
                    self._ask(identifier, present)
            present = self._list()
            gaps, grown = self._gaps(present), 0 < known < present.count
            known = max(known, present.count)
            if not gaps and not grown:
                return self._ended(present)
            if grown:
                self._growths += 1
                if self._growths > _GROWTHS:
                    return self._ended(present, growing=True)
                self._patience.sleep(self._patience.settle_s)
            elif not self._go_on(fruitless=len(self._intake.received) == before, gaps=gaps):
                return self._ended(present)

    def _begin(self) -> Listing | None:
        """What is there, where that must be known first: to take over what is here already, or to propose SOP classes for a C-GET."""
        if not self._carrier.needs_listing and not any(self._intake.folder.iterdir()):
            return None
        present = self._list()
        for series, listed in present.series.items():
            for instance in listed.instances:
                self._intake.adopt(instance, series)
        return present

    def _go_on(self, *, fruitless: bool, gaps: Mapping[str, Gap]) -> bool:
        """Whether it is worth to ask again. Waits before, where the PACS was in trouble."""
        if any(self._intake.refused[code] for code in OURS):
            return False
        if not fruitless:
            self._fruitless = 0
            return True
        self._fruitless += 1
        if self._moved.status in _ENDED:  # it did what it could: by instance once, and no more
            return self._fruitless == 1 and any(gap.instances for gap in gaps.values())
        if self._fruitless > self._patience.retries:
            return False
        self._patience.sleep(self._patience.delay(self._fruitless - 1))
        return True

    def _identifiers(self, gaps: Mapping[str, Gap] | None, present: Listing | None, *, by_instance: bool) -> Iterator[Dataset]:
        study = self._intake.study_instance_uid
        if gaps is None or present is None:
            if not self._wanted.only:
                yield _identifier("STUDY", study)
            else:
                yield from (_identifier("SERIES", study, series) for series in sorted(self._wanted.series))
            return
        received = self._received()
        for series, gap in gaps.items():
            if not gap.instances or not (by_instance or series in received):
                yield _identifier("SERIES", study, series)
                continue
            for start in range(0, len(gap.instances), _AT_ONCE):
                yield _identifier("IMAGE", study, series, gap.instances[start : start + _AT_ONCE])

    def _ask(self, identifier: Dataset, present: Listing | None) -> None:
        self._requests += 1
        moved = self._carrier.fetch(identifier, present, self._intake)
        if moved.status not in _ENDED or self._moved.status in _ENDED:
            self._moved = moved  # of a round the worst counts
        # Some say so of an association in which none of their contexts was accepted, too: then others have come before.
        if self._moved.status == _DESTINATION_UNKNOWN and not self._intake.received:
            raise ConfigurationError("E-PULL-DESTINATION-UNKNOWN")

    def _list(self) -> Listing:
        """The PACS's list; a PACS that fell silent is asked again."""
        only = self._wanted.series if self._wanted.only else None
        for repetition in range(self._patience.retries + 1):
            try:
                return listing(self._requestor, self._intake.study_instance_uid, only)
            except ConfigurationError:
                raise
            except SafelightError as error:
                if error.code != "E-PULL-NO-ANSWER" or repetition == self._patience.retries:
                    raise
                self._patience.sleep(self._patience.delay(repetition))
        raise AssertionError("unreachable")

    def _received(self) -> dict[str, set[str]]:
        """SOPInstanceUIDs that are here, by SeriesInstanceUID."""
        found: dict[str, set[str]] = {}
        for instance, series in list(self._intake.series.items()):
            found.setdefault(series, set()).add(instance)
        return found

    def _gaps(self, present: Listing) -> dict[str, Gap]:
        return present.gaps(self._received())

    def _ended(self, present: Listing, *, growing: bool = False) -> Retrieved:
        here: Collection[str] = self._intake.received
        gaps = self._gaps(present)
        missing = sum(gap.count for gap in gaps.values())
        # What the plan counted beyond all that the PACS lists now is missing too: it is gone, or the PACS hides it.
        if self._wanted.only:
            received = self._received()
            lacking = (n - len(received.get(series, ())) for series, n in self._wanted.series.items() if series not in gaps)
            missing += sum(max(0, n) for n in lacking)
        else:
            missing = max(missing, self._wanted.count - len(here))
        return Retrieved(present, missing, growing, self._moved, self._requests)


def _identifier(level: str, study: str, series: str = "", instances: tuple[str, ...] = ()) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = study
    if series:
        identifier.SeriesInstanceUID = series
    if instances:
        identifier.SOPInstanceUID = list(instances)
    return identifier
