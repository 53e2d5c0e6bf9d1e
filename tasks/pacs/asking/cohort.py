"""Which studies are of the cohort: its days, and what an answer must say of modality, description and body part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from tasks.errors import ConfigurationError
from tasks.pacs.asking.answers import fits, pattern
from tasks.pacs.asking.found import FoundSeries, StudyAnswer
from tasks.pacs.asking.windows import Window
from tasks.pacs.settings import CohortSettings

#: Why a study is not of the cohort, in the words of the plan.
OTHER_DAY, OTHER_MODALITY, OTHER_DESCRIPTION, OTHER_BODY_PART = "study date", "modality", "study description", "body part"


@dataclass(frozen=True)
class Cohort:
    """The cohort of a configuration, with the window of days that is asked for: all of its days, or those since the last plan."""

    settings: CohortSettings
    window: Window

    @classmethod
    def of(cls, settings: CohortSettings, not_before: date | None = None) -> Cohort:
        """Of a configuration; days before `not_before` are left out.

        Raises:
            ConfigurationError: E-PULL-DATES for a day that is not in the calendar, or a range that ends before it begins.
        """
        first, last = _day(settings.study_date_from), _day(settings.study_date_to)
        if first and last and first > last:
            raise ConfigurationError("E-PULL-DATES", "cohort.study_date_to lies before cohort.study_date_from")
        if not_before is not None:
            first = max(first or not_before, not_before)
            first = min(first, last or first)
        return cls(settings, Window(first, last))

    def study_is_out(self, study: StudyAnswer) -> str:
        """Why a study is not of the cohort, as far as its own answer tells; empty where it is, or may be."""
        if self.window != Window() and study.day is not None and self.window.place(study) is False:
            return OTHER_DAY
        wanted = self.settings.modalities
        if wanted and study.modalities is not None and not study.modalities & set(wanted):
            return OTHER_MODALITY
        if self._descriptions and study.description is not None and not fits(self._descriptions, study.description):
            return OTHER_DESCRIPTION
        return ""

    def study_is_unclear(self, study: StudyAnswer) -> str:
        """Why it cannot be told whether a study is of the cohort, by code; else empty."""
        if self.window != Window() and study.day is None:
            return "E-PULL-STUDY-DATE"
        return "E-PULL-COHORT-UNKNOWN" if self._descriptions and study.description is None else ""

    def series_are_out(self, series: Iterable[FoundSeries]) -> str:
        """Why a study is not of the cohort by its series: one of them must be of a wanted modality, and one of a wanted body part.

        Returns:
            A word of the plan; a code where the PACS says of no series what is asked; else empty.
        """
        listed = list(series)
        for wanted, said, word in (
            (self.settings.modalities, {each.modality for each in listed}, OTHER_MODALITY),
            (self._body_parts, {each.body_part.upper() for each in listed}, OTHER_BODY_PART),
        ):
            if wanted and listed and not said - {""}:
                return "E-PULL-COHORT-UNKNOWN"
            if wanted and not said & set(wanted):
                return word
        return ""

    @cached_property
    def _descriptions(self) -> list[re.Pattern[str]]:
        return [pattern(each) for each in self.settings.study_descriptions]

    @cached_property
    def _body_parts(self) -> tuple[str, ...]:
        return tuple(each.upper() for each in self.settings.body_parts)


def date_range(cohort: CohortSettings) -> str:
    """The matching key for StudyDate (PS3.4 C.2.2.2.5): `A-B`, `A-`, `-B`, a single day, or empty for any.

    Raises:
        ConfigurationError: E-PULL-DATES.
    """
    return Cohort.of(cohort).window.study_date


def _day(stated: str | None) -> date | None:
    if stated is None:
        return None
    try:
        return datetime.strptime(stated, "%Y%m%d").date()
    except ValueError:
        raise ConfigurationError("E-PULL-DATES", "cohort.study_date_from or study_date_to is not a day of the calendar") from None
