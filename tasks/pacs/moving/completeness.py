"""Is a study all here? What the PACS lists of it, instance by instance, against what was received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tasks.errors import SafelightError
from tasks.pacs.asking.answers import image_identifier, series_identifier, text
from tasks.pacs.association import Requestor


@dataclass(frozen=True, slots=True)
class Listed:
    """What the PACS lists of one series: SOPInstanceUIDs, how many instances it states; SOP classes and modality where it says."""

    instances: tuple[str, ...] = field(repr=False)
    stated: int
    sop_classes: frozenset[str] = frozenset()
    modality: str = ""

    @property
    def count(self) -> int:
        """How many instances there are: those that it names, or as many as it states."""
        return max(self.stated, len(self.instances))


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing of one series: named instances, and how many more the PACS counts without a name."""

    instances: tuple[str, ...] = field(repr=False)
    nameless: int

    @property
    def count(self) -> int:
        """How many instances are missing."""
        return len(self.instances) + self.nameless


@dataclass(frozen=True, slots=True)
class Listing:
    """What the PACS lists of a study, by SeriesInstanceUID."""

    series: Mapping[str, Listed] = field(repr=False)

    @property
    def count(self) -> int:
        """How many instances there are."""
        return sum(listed.count for listed in self.series.values())

    @property
    def modality(self) -> str:
        """The modality of most of its instances; empty where it does not say."""
        counted: Counter[str] = Counter()
        for listed in self.series.values():
            counted[listed.modality] += listed.count
        return max(sorted(counted), key=lambda modality: counted[modality], default="")

    def gaps(self, received: Mapping[str, Collection[str]]) -> dict[str, Gap]:
        """What is missing, by series.

        Args:
            received: SOPInstanceUIDs by SeriesInstanceUID. What came without being listed fills the places without a name.
        """
        found = {}
        for series, listed in self.series.items():
            here = set(received.get(series, ()))
            named = tuple(uid for uid in listed.instances if uid not in here)
            nameless = listed.count - len(here | set(listed.instances))
            if named or nameless > 0:
                found[series] = Gap(named, max(0, nameless))
        return found


def listing(requestor: Requestor, study_instance_uid: str, only: Collection[str] | None = None) -> Listing:
    """Ask for a study's series and, series by series (the hierarchical way, PS3.4 C.4.1.2.1), for its instances.

    A PACS that cannot be asked at IMAGE level is taken by the counts of its series, where it gives them.

    Args:
        only: SeriesInstanceUIDs; others are left out.

    Raises:
        SafelightError: as `Requestor.find`.
    """
    found = {}
    for answer in requestor.find(series_identifier(study_instance_uid)):
        series = text(answer, "SeriesInstanceUID")
        if only is not None and series not in only:
            continue
        count = text(answer, "NumberOfSeriesRelatedInstances")
        stated = int(count) if count.isdigit() else None
        found[series] = _listed(requestor, study_instance_uid, series, stated, text(answer, "Modality"))
    return Listing(found)


def _listed(requestor: Requestor, study: str, series: str, stated: int | None, modality: str) -> Listed:
    if not series:
        return Listed((), stated or 0, modality=modality)
    try:
        matches = requestor.find(image_identifier(study, series, ("SOPClassUID",)))
    except SafelightError as error:
        if error.code != "E-PULL-FIND-FAILED" or stated is None:
            raise
        return Listed((), stated, modality=modality)
    instances = tuple(sorted({text(match, "SOPInstanceUID") for match in matches} - {""}))
    classes = frozenset(text(match, "SOPClassUID") for match in matches) - {""}
    return Listed(instances, len(instances) if stated is None else stated, classes, modality)
