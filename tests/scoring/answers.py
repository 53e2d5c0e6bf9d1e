"""The answer key: what must be true of each released instance, one check at a time.

The categories are those of the MIDI-B challenge (Rutherford et al. 2025, and its published validation script). Each check names one place
in one original instance; what the released instance holds there decides it. The key knows nothing of the rules under test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydicom import Dataset
from pydicom.sequence import Sequence

Category = Literal[
    "tag retained", "text retained", "text removed", "text not null", "date shifted or generalised", "UID changed", "UID consistent",
    "patient id consistent", "pixels hidden", "pixels retained",
]  # fmt: skip
CATEGORIES: tuple[Category, ...] = Category.__args__  # type: ignore[attr-defined]
#: The place of a check on the whole file: its decoded values and its bytes.
ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Check:
    """One question.

    Attributes:
        instance: the original SOPInstanceUID.
        place: keywords from the outside in (`RequestAttributesSequence[0].ScheduledProcedureStepID`); a private element is
            `(gggg,creator,ee)`; a region of pixels is `frame:left,top,right,bottom`, half-open, from 0.
        expected: by category: values divided by a backslash, tokens divided by a line feed, an original date or UID, a digest, or a pattern.
    """

    category: Category
    modality: str
    instance: str
    place: str
    expected: str = ""

    @property
    def tag(self) -> str:
        """The place without item numbers and coordinates, for tables."""
        return (
            "pixels"
            if self.category.startswith("pixels")
            else "".join(c for c in self.place if not c.isdigit()).replace("[]", "")
        )


@dataclass
class Answers:
    """The key: its checks, and each instance's modality by its original SOPInstanceUID."""

    checks: list[Check] = field(default_factory=list)
    instances: dict[str, str] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)
    patients: set[tuple[str, str]] = field(default_factory=set)

    def counted(self) -> Counter[Category]:
        """How many checks each category has."""
        return Counter(check.category for check in self.checks)


@dataclass
class Sheet:
    """One data set (or an item in it) that is being filled: each method sets an attribute and writes down what must become of it."""

    dataset: Dataset
    answers: Answers
    modality: str
    instance: str
    prefix: str = ""
    planted: set[str] = field(default_factory=set)

    def ask(self, category: Category, keyword: str, expected: str = "") -> None:
        """One check of a place in this data set."""
        self.answers.checks.append(Check(category, self.modality, self.instance, self.prefix + keyword, expected))

    def plain(self, **attributes: Any) -> None:
        """Attributes that the key does not ask about."""
        for keyword, value in attributes.items():
            setattr(self.dataset, keyword, value)

    def keep(self, **attributes: Any) -> None:
        """Values that research needs: they must be as they were."""
        self.plain(**attributes)
        for keyword in attributes:
            self.ask("text retained", keyword, said(self.dataset[keyword].value))

    def filled(self, **attributes: Any) -> None:
        """Attributes that the IOD wants with a value (Type 1), whatever it is."""
        self.plain(**attributes)
        for keyword in attributes:
            self.ask("text not null", keyword)

    def present(self, *keywords: str) -> None:
        """Attributes that the IOD wants, empty or not (Type 2)."""
        for keyword in keywords:
            self.ask("tag retained", keyword)

    def gone(self, keyword: str, value: Any, *tokens: str) -> None:
        """A value whose tokens (by default the value) identify somebody."""
        self.plain(**{keyword: value})
        self.ask("text removed", keyword, "\n".join(tokens or (str(value),)))
        self.planted.update(tokens or (str(value),))

    def described(self, keyword: str, text: str, kept: str, *tokens: str) -> None:
        """A text that says something clean and something that identifies."""
        self.gone(keyword, text, *tokens)
        self.ask("text retained", keyword, kept)

    def when(self, required: bool = False, **attributes: str) -> None:
        """Dates and times (DA, TM, DT); `required` where the IOD wants a value."""
        self.plain(**attributes)
        for keyword, value in attributes.items():
            self.ask("date shifted or generalised", keyword, value)
            if required:
                self.ask("text not null", keyword)

    def uid(self, keyword: str, value: str, *, stays: bool = True) -> None:
        """An instance's own UID, or a reference to one; `stays`: it must still be there, with its new value."""
        self.plain(**{keyword: value})
        self.ask("UID changed", keyword, value)
        self.answers.uids.add(value)
        if stays:
            self.ask("UID consistent", keyword, value)

    def person(self, keyword: str, patient_id: str, issuer: str) -> None:
        """The PatientID: new, and the same for the same patient."""
        self.gone(keyword, patient_id)
        self.answers.patients.add((issuer, patient_id))
        self.ask("patient id consistent", keyword, f"{issuer}\n{patient_id}")

    def item(self, sequence: str) -> Sheet:
        """A new item of a sequence."""
        if sequence not in self.dataset:
            setattr(self.dataset, sequence, Sequence())
        items = self.dataset[sequence].value
        items.append(Dataset())
        prefix = f"{self.prefix}{sequence}[{len(items) - 1}]."
        return Sheet(items[-1], self.answers, self.modality, self.instance, prefix, self.planted)

    def private(
        self, group: int, creator: str, element: int, vr: str, value: Any, *, safe: bool, tokens: Iterable[str] = ()
    ) -> None:
        """A private element: a safe one must stay as it is (PS3.15 E.3.10), any other must be gone with its tokens."""
        block = self.dataset.private_block(group, creator, create=True)
        block.add_new(element, vr, value)
        place = f"({group:04X},{creator},{element:02X})"
        if safe:
            self.ask("text retained", place, said(value))
        else:
            self.planted.update(tokens)
            self.ask("text removed", place, "\n".join(tokens))

    def pixels(self, category: Literal["pixels hidden", "pixels retained"], place: str, expected: str) -> None:
        """A question about a region of a frame."""
        self.ask(category, place, expected)

    def close(self) -> None:
        """Ask once for the whole file: none of what was planted into it may stand anywhere."""
        self.ask("text removed", ANYWHERE, "\n".join(sorted(self.planted)))


def said(value: Any) -> str:
    """A value of an element as the key writes it: several values divided by a backslash."""
    several = isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"
    return "\\".join(str(each) for each in value) if several else str(value)
