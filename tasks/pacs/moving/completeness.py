"""Is a study all here? Compares what was received with what the PACS lists, instance by instance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tasks.pacs.asking.find import image_identifier, series_identifier, text
from tasks.pacs.association import Requestor


@dataclass(frozen=True, slots=True)
class Listing:
    """What the PACS lists of a study: SOPInstanceUIDs by SeriesInstanceUID, and the number of instances it states in all."""

    instances: Mapping[str, tuple[str, ...]] = field(repr=False)
    stated: int

    def missing(self, received: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Listed instances that were not received, by series."""
        gaps = {series: tuple(uid for uid in uids if uid not in received) for series, uids in self.instances.items()}
        return {series: uids for series, uids in gaps.items() if uids}

    def failed(self, received: Collection[str], planned: int) -> int:
        """How many instances are missing: listed but not received, and what plan or PACS counted beyond all that has a name."""
        named = {uid for uids in self.instances.values() for uid in uids} | set(received)
        unnamed = max(0, max(self.stated, planned) - len(named))
        return len(named) - len(set(received)) + unnamed


def listing(requestor: Requestor, study_instance_uid: str) -> Listing:
    """Ask for a study's series and, series by series (the hierarchical way, PS3.4 C.4.1.2.1), for its instances.

    Raises:
        SafelightError: as `Requestor.find`.
    """
    instances = {}
    stated = 0
    for answer in requestor.find(series_identifier(study_instance_uid)):
        series = text(answer, "SeriesInstanceUID")
        listed = requestor.find(image_identifier(study_instance_uid, series)) if series else []
        instances[series] = tuple(sorted({text(match, "SOPInstanceUID") for match in listed}))
        count = text(answer, "NumberOfSeriesRelatedInstances")
        stated += int(count) if count.isdigit() else len(instances[series])
    return Listing(instances, stated)
