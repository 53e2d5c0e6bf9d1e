"""What C-FIND told of studies and series: identified, never outside the vault, and shown by no repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series that the PACS lists, and whether it is pulled.

    `reason` is the rule of the selection that decided; empty without a selection. `assumed` names the attributes that the rule asks
    for and the PACS did not give. `instances` is 0 where nothing counts them.
    """

    series_instance_uid: str = field(repr=False)
    modality: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    body_part: str = field(default="", repr=False)
    instances: int = 0
    chosen: bool = True
    reason: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that the PACS has. Identified: never leaves the vault, and does not show itself.

    `series` maps each SeriesInstanceUID that is to be pulled to its number of instances; `listed` has all series, the others too.
    `reason_code` says why a study cannot be pulled, or what else a plan could not do; else empty. `lines` are the rows of the
    cohort's list that name the study. `selected`: a rule or a person has gone through the series, so that no other one is pulled,
    even if the PACS gets it meanwhile.
    """

    source: str
    study_instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    accession_number: str = field(repr=False)
    series: Mapping[str, int] = field(repr=False)
    reason_code: str = ""
    study_date: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    listed: tuple[FoundSeries, ...] = field(default=(), repr=False)
    lines: tuple[int, ...] = ()
    selected: bool = False

    @property
    def instances(self) -> int:
        """How many instances are to be pulled."""
        return sum(self.series.values())


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """One answer at STUDY level. `modalities` and `instances` are None where the PACS does not say, `description` too."""

    study_instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    accession_number: str = field(repr=False)
    study_date: str = field(repr=False)
    day: date | None = field(repr=False)
    second: int | None = field(repr=False)
    description: str | None = field(repr=False)
    modalities: frozenset[str] | None = None
    instances: int | None = None

    def refused(self, source: str, reason_code: str, lines: tuple[int, ...] = ()) -> FoundStudy:
        """The study as one that cannot be pulled."""
        return FoundStudy(
            source, self.study_instance_uid, self.patient_id, self.issuer, self.accession_number, {}, reason_code,
            self.study_date, self.description or "", (), lines,
        )  # fmt: skip


def event(source: str, reason_code: str) -> FoundStudy:
    """Something that a plan could not do and that is no study: a doubt, a PACS that failed, a row of the list without a study."""
    return FoundStudy(source, "", "", "", "", {}, reason_code)
