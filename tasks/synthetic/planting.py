"""Fill a data set and keep a list of every identifier that went into it, so that a search for leaks knows what to look for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.synthetic.identity import Name


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """One planted value, as text, and where: keywords joined by dots for nested items, or a place such as `preamble`."""

    kind: str
    value: str
    where: str


@dataclass(slots=True)
class Planting:
    """A data set (or an item of a sequence) at a path, and the list that its identifiers go into."""

    dataset: Dataset
    identifiers: set[Identifier]
    path: str = ""
    _items: dict[str, Sequence] = field(default_factory=dict)

    def set(self, **values: object) -> None:
        """Elements that identify nobody, by keyword."""
        for keyword, value in values.items():
            setattr(self.dataset, keyword, value)

    def plant(self, kind: str, **values: str) -> None:
        """Elements whose whole value is an identifier of this kind, by keyword."""
        self.set(**values)
        for keyword, value in values.items():
            self.note(kind, value, keyword)

    def plant_name(self, kind: str, name: Name, *keywords: str) -> None:
        """PN elements, by keyword. Notes the whole value and each of its components."""
        for keyword in keywords:
            setattr(self.dataset, keyword, name.dicom)
            self.note(kind, name.dicom, keyword)
            for part in name.parts():
                self.note(f"{kind}_part", part, keyword)

    def plant_text(self, keyword: str, text: str, **inside: str) -> None:
        """Free text with identifiers inside it, given as kind=value; each must occur in the text as it stands."""
        setattr(self.dataset, keyword, text)
        for kind, value in inside.items():
            if value not in text:
                raise ValueError(f"{kind} is not in the text for {keyword}")
            self.note(kind, value, keyword)

    def plant_moment(self, moment: datetime, **keywords: str) -> None:
        """A date, a time or a date and time, as the value (`date`, `time` or `datetime`) of each keyword says."""
        formats = {"date": "%Y%m%d", "time": "%H%M%S.%f", "datetime": "%Y%m%d%H%M%S.%f"}
        for keyword, kind in keywords.items():
            self.plant(kind, **{keyword: moment.strftime(formats[kind])})

    def item(self, keyword: str) -> Planting:
        """A new item at the end of a sequence."""
        item = Dataset()
        if keyword not in self._items:
            self._items[keyword] = Sequence()
            setattr(self.dataset, keyword, self._items[keyword])
        self._items[keyword].append(item)
        return Planting(item, self.identifiers, f"{self.path}{keyword}.")

    def note(self, kind: str, value: str, where: str) -> None:
        """Write down an identifier that was put in place by other means."""
        self.identifiers.add(Identifier(kind, value, self.path + where))
