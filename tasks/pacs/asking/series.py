"""One study's series with their numbers of instances (C-FIND at SERIES level, at IMAGE level where need be), and the choice among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pydicom.dataset import Dataset

from tasks.pacs.asking.answers import image_identifier, number, series_identifier, text
from tasks.pacs.asking.found import FoundSeries
from tasks.pacs.asking.inquiry import Inquiry
from tasks.pacs.asking.selection import DEEP, Selection
from tasks.pacs.uids import is_uid


class SeriesInquiry:
    """Lists the series of one PACS's studies.

    Args:
        inquiry: asks.
        selection: chooses; None for all series.
        believed: as `Windows` has it: an answer with fewer series than this is whole; 0 for a PACS that never cuts.
    """

    def __init__(self, inquiry: Inquiry, selection: Selection | None, believed: int) -> None:
        self._inquiry = inquiry
        self._selection = selection
        self._believed = believed
        self._largest = 0

    def of(self, study_instance_uid: str, instances: int | None) -> tuple[tuple[FoundSeries, ...], str]:
        """A study's series in the order of the answer, and why they cannot be relied upon: a code, or nothing.

        `instances` is what the PACS says of the whole study (NumberOfStudyRelatedInstances): if its series have fewer, they are
        counted one by one; if they still have fewer, the PACS did not show all of them.

        Raises:
            SafelightError: as `Inquiry.find`.
        """
        more = DEEP if self._selection is not None and self._selection.deep else ()
        answers = {}
        matches = self._inquiry.find(series_identifier(study_instance_uid, more))
        if not matches and self._selection is None:
            return (), ""  # a PACS that shows nothing just now: the pull fails, and is tried again
        for match in matches:
            uid = text(match, "SeriesInstanceUID")
            if not is_uid(uid):
                return (), "E-PULL-SERIES-UID"
            answers[uid] = match
        series = [_Series(self._inquiry, study_instance_uid, uid, match, more) for uid, match in answers.items()]
        if instances is not None and sum(each.instances for each in series) < instances:
            for each in series:
                each.count()
            if sum(each.instances for each in series) < instances:
                return tuple(map(_listed, series)), "E-PULL-FIND-CUT"
        self._largest = max(self._largest, len(matches))
        whole = self._believed == 0 or instances is not None or len(matches) < max(self._believed, self._largest)
        return tuple(map(self._chosen, series)), "" if whole else "E-PULL-FIND-CUT"

    def _chosen(self, series: _Series) -> FoundSeries:
        if self._selection is None:
            return _listed(series)
        choice = self._selection.choose(series.instances, series.told)
        return replace(_listed(series), chosen=choice.chosen, reason=choice.rule, assumed=choice.assumed)


class _Series:
    """A series of an answer; asks for its images when it has to, and once."""

    def __init__(self, inquiry: Inquiry, study: str, uid: str, match: Dataset, more: tuple[str, ...]) -> None:
        self._inquiry = inquiry
        self._more = more
        self._study = study
        self._images: list[Dataset] | None = None
        self.uid = uid
        self.match = match
        stated = number(match, "NumberOfSeriesRelatedInstances")
        self.instances = stated if stated is not None else len(self._asked())

    def count(self) -> None:
        """Count the images where the PACS said fewer."""
        self.instances = max(self.instances, len(self._asked()))

    def told(self, keyword: str) -> str:
        """What the PACS says of an attribute: at SERIES level, else what most images have."""
        said = text(self.match, keyword)
        if said or keyword not in DEEP:
            return said
        values = Counter(text(image, keyword) for image in self._asked())
        del values[""]
        return values.most_common(1)[0][0] if values else ""

    def _asked(self) -> list[Dataset]:
        if self._images is None:
            self._images = self._inquiry.find(image_identifier(self._study, self.uid, self._more))
        return self._images


def _listed(series: _Series) -> FoundSeries:
    modality, description, body_part = (
        text(series.match, keyword) for keyword in ("Modality", "SeriesDescription", "BodyPartExamined")
    )
    return FoundSeries(series.uid, modality, description, body_part, series.instances)
