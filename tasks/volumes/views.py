"""What each image or frame of a series states, seen without decoding it: what repeats over a thousand slices is decoded once.

A classic instance is one view. A multi-frame object is one a frame: its own functional groups before the shared ones, before the object
(PS3.3 C.7.6.16.1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from tasks.dicom.headers import value
from tasks.volumes.intake import Instance

_OWN, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"


class View(Protocol):
    """One image or frame."""

    instance: Instance

    def signature(self, tags: Sequence[int]) -> Hashable:
        """What it states under these tags, as it is encoded: equal where the values are."""

    def get(self, keyword: str, default: Any = None) -> Any:
        """A value, as of a data set."""


class Single:
    """An instance of one image."""

    def __init__(self, instance: Instance, wanted: frozenset[int]) -> None:
        self.instance = instance
        source = instance.source
        self._stated: Mapping[int, Any] = (
            {tag: str(instance.header.get_item(tag)) for tag in wanted if tag in instance.header}
            if source is None
            else {tag: (vr, source.data[start:end]) for tag, vr, _, start, end, _ in source.head if tag in wanted}
        )

    def signature(self, tags: Sequence[int]) -> Hashable:
        """What it states under these tags, as it is encoded."""
        return tuple([self._stated.get(tag) for tag in tags])

    def get(self, keyword: str, default: Any = None) -> Any:
        """A value; sequences from the whole header."""
        tag = tag_for_keyword(keyword)
        stated = self._stated.get(tag) if tag is not None else None
        header = self.instance.whole if isinstance(stated, tuple) and stated[0] == "SQ" else self.instance.header
        return header.get(keyword, default)


class Frame:
    """A frame of a multi-frame object."""

    def __init__(self, instance: Instance, groups: Mapping[int, Dataset]) -> None:
        self.instance, self._groups = instance, groups

    def _holder(self, tag: int) -> Dataset:
        return self._groups.get(tag, self.instance.whole)

    def signature(self, tags: Sequence[int]) -> Hashable:
        """What it states under these tags, as it is encoded."""
        return tuple(self._encoded(tag) for tag in tags)

    def _encoded(self, tag: int) -> Hashable:
        holder = self._holder(tag)
        if tag not in holder:
            return None
        found = holder.get_item(tag).value
        return found if isinstance(found, bytes) else str(found)

    def get(self, keyword: str, default: Any = None) -> Any:
        """A value."""
        tag = tag_for_keyword(keyword)
        return default if tag is None else self._holder(tag).get(keyword, default)


def views_of(instances: Iterable[Instance], keywords: Iterable[str]) -> list[View]:
    """Every image and frame of a series, for what is asked under these keywords."""
    wanted = frozenset(tags_of(keywords))
    found: list[View] = []
    for instance in instances:
        if _OWN in instance.header or _SHARED in instance.header:
            found += _frames(instance, wanted)
        else:
            found.append(Single(instance, wanted))
    return found


def _frames(instance: Instance, wanted: frozenset[int]) -> list[View]:
    shared = _flat(next(iter(value(instance.whole, _SHARED) or ()), None), wanted)
    own = value(instance.whole, _OWN)
    return [Frame(instance, shared | _flat(item, wanted)) for item in own] if own else [Frame(instance, shared)]


def _flat(item: Dataset | None, wanted: frozenset[int]) -> dict[int, Dataset]:
    """Tag → the first item of the functional group that states it."""
    found: dict[int, Dataset] = {}
    for element in item or ():
        if element.VR == "SQ" and element.value:
            for tag in element.value[0].keys():  # noqa: SIM118 - a data set iterates over elements, and would decode them
                if tag in wanted:
                    found.setdefault(int(tag), element.value[0])
    return found


def tags_of(keywords: Iterable[str]) -> tuple[int, ...]:
    """The tags of keywords.

    Raises:
        LookupError: where DICOM knows none.
    """
    tags = [tag_for_keyword(keyword) for keyword in keywords]
    if None in tags:
        raise LookupError
    return tuple(tag for tag in tags if tag is not None)


def remembering(tags: Sequence[int], read: Callable[[View], Any]) -> Callable[[View], Any]:
    """The same reader, which reads views that state the same under these tags once."""
    known: dict[Hashable, Any] = {}

    def remembered(view: View) -> Any:
        signature = view.signature(tags)
        if signature not in known:
            known[signature] = read(view)
        return known[signature]

    return remembered


def distinct(views: Sequence[View], tags: Sequence[int], read: Callable[[View], Any]) -> list[Any]:
    """What the views state, each different value once, in the order in which it comes first; None where one states nothing."""
    first = {view.signature(tags): view for view in reversed(views)}
    found: list[Any] = []
    for view in reversed(first.values()):
        value_there = read(view)
        if value_there not in found:
            found.append(value_there)
    return found
