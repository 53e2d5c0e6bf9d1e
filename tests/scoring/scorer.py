"""The scorer: an answer key and a folder of released files in, a table out. It opens the files with pydicom and knows none of the rules.

As in the MIDI-B challenge, the participant says which new UID and patient key belong to which original; everything else is read from the files.
Stricter than there: words are compared whole, a date must have become a valid one of the same year or nothing, a UID that is asked for may not be
absent, and no two originals may share a new UID. Checks of instances that were not released are held back: neither right nor wrong.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydicom import Dataset, config, dcmread

from tests.scoring.answers import ANYWHERE, CATEGORIES, Answers, Category, Check, said
from tests.scoring.pictures import Frame, digest, readable

_PRIVATE = re.compile(r"\(([0-9A-F]{4}),(.*),([0-9A-F]{2})\)")
_DATE = re.compile(r"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
#: Shorter tokens are searched for among decoded values alone: in pixels they could stand by chance.
_LEAST_RAW = 6


@dataclass(frozen=True)
class Released:
    """One released file, opened."""

    path: Path
    dataset: Dataset

    def value(self, place: str) -> Any:
        """What stands at a place of the key; None where there is no such element, '' where it is empty."""
        try:
            found: Any = self.dataset
            for step in place.split("."):
                name, _, number = step.partition("[")
                element = _element(found, name)
                found = element.value if not number else element.value[int(number[:-1])]
        except (KeyError, IndexError, TypeError):
            return None
        return "" if found is None else found

    @cached_property
    def frames(self) -> list[Frame]:
        """Decoded frames, each (rows, columns) or (rows, columns, channels)."""
        pixels = self.dataset.pixel_array
        several = int(self.dataset.get("NumberOfFrames") or 1) > 1
        return list(pixels) if several else [pixels]

    @cached_property
    def everything(self) -> str:
        """Every value at every depth, file meta information too, folded."""
        elements = [*self.dataset.file_meta, *self.dataset.iterall()]
        return "\n".join(
            _plain(element.value.decode("latin-1") if isinstance(element.value, bytes) else said(element.value))
            for element in elements
            if element.VR != "SQ" and element.keyword != "PixelData"
        )

    @cached_property
    def raw(self) -> bytes:
        """The file's bytes in lower case."""
        return self.path.read_bytes().lower()


def _element(dataset: Dataset, name: str) -> Any:
    private = _PRIVATE.fullmatch(name)
    if private is None:
        return dataset[name]
    return dataset.private_block(int(private[1], 16), private[2])[int(private[3], 16)]


@dataclass
class Score:
    """The table: right and wrong by category, the wrong ones by name, and what was held back, by modality."""

    right: Counter[Category] = field(default_factory=Counter)
    wrong: list[Check] = field(default_factory=list)
    held_back: Counter[str] = field(default_factory=Counter)
    released: Counter[str] = field(default_factory=Counter)
    instances: Counter[str] = field(default_factory=Counter)
    strangers: int = 0

    @property
    def asked(self) -> int:
        """Checks of released instances. A released file that answers to no original counts as one that is wrong."""
        return sum(self.right.values()) + len(self.wrong) + self.strangers

    @property
    def share(self) -> float:
        """The share of right ones among them; 0 where nothing was released."""
        return sum(self.right.values()) / self.asked if self.asked else 0.0

    @property
    def share_released(self) -> float:
        """The share of instances that were released."""
        return sum(self.released.values()) / max(1, sum(self.instances.values()))

    def lines(self) -> list[str]:
        """The table as text."""
        wrong = Counter(check.category for check in self.wrong)
        told = [f"{'category':<28}{'asked':>7}{'wrong':>7}{'right':>10}"]
        for category in CATEGORIES:
            asked = self.right[category] + wrong[category]
            share = f"{self.right[category] / asked:.2%}" if asked else "-"
            told.append(f"{category:<28}{asked:>7}{wrong[category]:>7}{share:>10}")
        told.append(f"{'all':<28}{self.asked:>7}{len(self.wrong) + self.strangers:>7}{self.share:>10.3%}")
        by_modality = ", ".join(f"{name} {self.released[name]}/{n}" for name, n in sorted(self.instances.items()))
        told.append(f"released {sum(self.released.values())} of {sum(self.instances.values())} instances: {by_modality}")
        told.append(f"held back, neither right nor wrong: {sum(self.held_back.values())} checks")
        if self.strangers:
            told.append(f"released files that answer to no original: {self.strangers}")
        groups = Counter((check.category, check.tag, check.modality) for check in self.wrong)
        told += [f"wrong: {category:<28}{tag:<60}{modality} × {n}" for (category, tag, modality), n in sorted(groups.items())]
        return told


def score(answers: Answers, folder: Path, uids: Mapping[str, str], patients: Mapping[str, str]) -> Score:
    """Hold every released file below a folder against the key.

    Args:
        uids: the new UID of each original one, as the participant states it.
        patients: the new PatientID by issuer, line feed, PatientID.
    """
    result = Score(instances=Counter(answers.instances.values()))
    new_uids = Counter(uids.values())
    judge = _Judge(uids, patients, {new for new, n in new_uids.items() if n > 1})
    originals = {new: old for old, new in uids.items()}
    by_instance: dict[str, list[Check]] = defaultdict(list)
    for check in answers.checks:
        by_instance[check.instance].append(check)
    seen = set()
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(folder.rglob("*.dcm")):
            file = Released(path, dcmread(path))
            original = originals.get(str(file.dataset.get("SOPInstanceUID", "")), "")
            if original not in by_instance or original in seen:
                result.strangers += 1
                continue
            seen.add(original)
            result.released[answers.instances[original]] += 1
            for check in by_instance[original]:
                if judge.is_right(check, file):
                    result.right[check.category] += 1
                else:
                    result.wrong.append(check)
    for instance in set(by_instance) - seen:
        result.held_back[answers.instances[instance]] += len(by_instance[instance])
    return result


@dataclass(frozen=True)
class _Judge:
    """Decides one check. `shared`: new UIDs that belong to several originals."""

    uids: Mapping[str, str]
    patients: Mapping[str, str]
    shared: set[str]

    def is_right(self, check: Check, file: Released) -> bool:
        """Whether the released file gives the answer of the key."""
        deciders: dict[Category, Callable[[Check, Released], bool]] = {
            "tag retained": lambda check, file: file.value(check.place) is not None,
            "text not null": lambda check, file: not _is_empty(file.value(check.place)),
            "text retained": lambda check, file: _retains(file.value(check.place), check.expected),
            "text removed": _removed,
            "date shifted or generalised": lambda check, file: _is_generalised(file.value(check.place), check.expected),
            "UID changed": lambda check, file: check.expected not in said(file.value(check.place)).split("\\"),
            "UID consistent": self._uid,
            "patient id consistent": lambda check, file: self.patients.get(check.expected) == file.value(check.place),
            "pixels hidden": _hidden,
            "pixels retained": _unchanged,
        }
        return deciders[check.category](check, file)

    def _uid(self, check: Check, file: Released) -> bool:
        new = self.uids.get(check.expected)
        return new is not None and file.value(check.place) == new and new not in self.shared


def _is_empty(value: Any) -> bool:
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def _retains(value: Any, expected: str) -> bool:
    """Numbers are compared as numbers, one by one; of words, each must still be there."""
    if value is None:
        return False
    wanted, found = expected.split("\\"), said(value).split("\\")
    numbers = [(_number(each), _number(other)) for each, other in zip(wanted, found, strict=False)]
    if len(wanted) == len(found) and all(left is not None and left == right for left, right in numbers):
        return True
    return _in_order(_words(expected), _words(said(value))) and all(left is None or left == right for left, right in numbers)


def _in_order(wanted: list[str], found: Iterable[str]) -> bool:
    rest = iter(found)
    return all(word in rest for word in wanted)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _words(text: str) -> list[str]:
    found = (word.strip(".:()") for word in re.findall(r"[^\s\\,;^_]+", text.casefold()))
    return [word for word in found if word]


def _plain(text: str) -> str:
    return re.sub(r"[\s^=]+", " ", text.casefold())


def _removed(check: Check, file: Released) -> bool:
    tokens = [_plain(token) for token in check.expected.split("\n") if token]
    if check.place != ANYWHERE:
        value = file.value(check.place)
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        text = "" if value is None else _plain(said(value)).replace("\0", "")
        return not any(token in text for token in tokens)
    if any(token in file.everything for token in tokens):
        return False
    long = [token for token in tokens if len(token) >= _LEAST_RAW]
    return not any(token.encode(encoding) in file.raw for token in long for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def _is_generalised(value: Any, original: str) -> bool:
    """Nothing, or what says no more than the original's year; a time is gone, or says nothing of the original's."""
    text = re.sub(r"\D", "", said(value)) if value else ""
    if not text:
        return True
    if len(original) == 6:
        return text[:4] != original[:4]
    if text == original[:4]:  # a DT may be a year alone
        return True
    date = _DATE.fullmatch(text[:8])
    return date is not None and text[:4] == original[:4] and text[4:8] == "0101" and not text[8:].strip("0")


def _region(place: str) -> tuple[int, tuple[int, int, int, int]]:
    frame, _, box = place.partition(":")
    left, top, right, bottom = (int(each) for each in box.split(","))
    return int(frame), (left, top, right, bottom)


def _hidden(check: Check, file: Released) -> bool:
    number, _ = _region(check.place)
    return readable(file.frames[number], check.expected) == 0


def _unchanged(check: Check, file: Released) -> bool:
    number, box = _region(check.place)
    return digest(file.frames[number], box) == check.expected
