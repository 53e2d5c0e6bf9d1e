"""What headers say about a face: which series may show a head, and whether they have slices enough together to render one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset

from tasks.deid.identifiers import fold
from tasks.deid.rules import Profile

#: Where people write what was examined.
_DESCRIPTIONS = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "AcquisitionProtocolName", "RequestedProcedureDescription", "ImageComments",
)  # fmt: skip


#: What `FaceCheck.shows_head` reads: images that agree in these have one answer.
FIELDS = ("RecognizableVisualFeatures", "BodyPartExamined", "AnatomicRegionSequence", *_DESCRIPTIONS)


@dataclass
class FaceCheck:
    """Counts slices, and says which series could be rendered to a face. Slices of one head may be spread over several series."""

    profile: Profile
    _slices: Counter[str] = field(default_factory=Counter)
    _suspect: set[str] = field(default_factory=set)

    def see(self, series: str, dataset: Dataset) -> None:
        """Take note of one original instance of a series."""
        self.note(series, int(dataset.get("NumberOfFrames") or 1), head=self.shows_head(dataset))

    def note(self, series: str, frames: int, *, head: bool) -> None:
        """Take note of so many frames of a series, whose header may show a head or does not."""
        self._slices[series] += max(1, frames)
        if head:
            self._suspect.add(series)

    def suspects(self, series: str) -> bool:
        """Whether the headers of a series say, or leave open, that it shows a head: `judge`'s `header_may_show_head`."""
        return series in self._suspect

    def refuses(self, series: str) -> bool:
        """Whether a series is held back unless its pixels tell otherwise: it may show a head, and has slices enough, with others of its study."""
        slices = sum(self._slices[each] for each in self._suspect)
        return self.profile.faces != "keep" and series in self._suspect and slices >= self.profile.face_slices

    def frames(self, series: str) -> int:
        """How many frames were noted of a series."""
        return self._slices[series]

    def names_head(self, dataset: Dataset) -> bool:
        """Whether a header names the head or a part of it."""
        named = [*(str(dataset.get(name, "")) for name in ("BodyPartExamined", *_DESCRIPTIONS)), *_regions(dataset)]
        return any(word in self.profile.head_words for word in re.findall("[a-z]+", fold(" ".join(named))))

    def shows_head(self, dataset: Dataset) -> bool:
        """Whether a header says, or leaves open, that the image shows a head."""
        if _words(dataset.get("RecognizableVisualFeatures"))[:1] == ["YES"]:
            return True
        part = "".join(_words(dataset.get("BodyPartExamined"))).replace(" ", "")
        if part not in self.profile.face_free_body_parts:
            return True
        return self.names_head(dataset)


def _regions(dataset: Dataset) -> list[str]:
    return [str(item.get("CodeMeaning", "")) for item in dataset.get("AnatomicRegionSequence") or ()]


def _words(value: Any) -> list[str]:
    """The values of a code string attribute, upper case, without padding."""
    if value is None:
        return []
    values = [value] if isinstance(value, str) else list(value)
    return [str(each).strip().upper() for each in values]
