"""Reporting checklists: what each asks for, which section of the report says it, and what no section does.

A file a checklist under `configs/checklists/`: numbers and topics as published, wording of our own. docs/reports/checklists.md says how to
add one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks import written
from tasks.errors import ConfigurationError

SectionName = Literal[
    "summary", "limitations", "monitoring", "change", "provenance", "accountability", "baseline", "performance", "acceptance",
    "operating_points", "per_thousand",
    "calibration", "decision", "strata", "indeterminate", "subgroups", "subgroup_tables", "differences", "versions", "detection",
    "segmentation", "agreement", "repeatability", "readers", "time", "failures", "methods", "checklists", "left_out", "glossary",
]  # fmt: skip
#: Every section that a report may have, by the name under which items refer to it.
SECTIONS: Final[tuple[str, ...]] = get_args(SectionName)

State = Literal["covered", "partly", "not"]
Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


class Item(_Part):
    """One item.

    Args:
        id: its number as published; where the publication has none (`Checklist.published`), chapter and a count of ours.
        heading: its topic as published.
        asks: what it asks for, in our words.
        covered_by: the sections that say it, where any does.
        partly: what of it these sections do not say.
        not_covered: why no section says it.
    """

    id: Annotated[str, Field(pattern=r"^[0-9A-Z]+[a-z]?(\.[A-Z])?(\.[0-9]+)?$")]
    heading: Text
    asks: Text
    covered_by: tuple[SectionName, ...] = ()
    partly: str = ""
    not_covered: str = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.covered_by) == bool(self.not_covered):
            raise ValueError(f"{self.id} must have either covered_by or not_covered")
        if self.partly and not self.covered_by:
            raise ValueError(f"{self.id} has partly without covered_by")
        if len(set(self.covered_by)) < len(self.covered_by):
            raise ValueError(f"{self.id} names a section twice")
        return self


class Source(_Part):
    """The publication; `doi` is empty where it has none, then `url` is given."""

    authors: Text
    title: Text
    published_in: Text
    year: int = Field(ge=1990, le=2100)
    doi: str = ""
    url: str = ""

    @model_validator(mode="after")
    def _found(self) -> Self:
        if not (self.doi or self.url):
            raise ValueError("source must have doi or url")
        return self

    @property
    def citation(self) -> str:
        """As the report writes it."""
        return f"{self.authors} {self.title}. {self.published_in}. {f'doi:{self.doi}' if self.doi else self.url}"


class Published(_Part):
    """How many items the publication itself says it has, and in how many rows they stand once items with letters are told apart."""

    items: int = Field(ge=1)
    rows: int = Field(ge=1)


class Checklist(_Part):
    """A checklist.

    Args:
        checklist: its name, which is that of its file.
        title, edition: as people call it, and which state of it.
        source: where it was published.
        scope: what it is about, or which part of the publication stands here.
        published: the published count; None where the publication numbers no items.
        complete: whether everything that was published is here; otherwise `missing` says what is not.
        verified: whether number and topic of each item were held against the published list. `unverified` names those that were not.
        checked: what they were held against.
    """

    checklist: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    title: Text
    edition: Text
    source: Source
    scope: Text
    published: Published | None
    complete: bool
    missing: str = ""
    verified: bool
    checked: Text
    unverified: tuple[str, ...] = ()
    items: Annotated[tuple[Item, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = [item.id for item in self.items]
        repeated = [name for name, n in Counter(ids).items() if n > 1]
        if repeated:
            raise ValueError(f"names {repeated[0]} twice")
        if self.complete == bool(self.missing):
            raise ValueError("missing says what is not here, and only where complete is false")
        if self.complete and self.published is None:
            raise ValueError("a list without a published count cannot be known to be complete")
        if self.complete and self.published is not None:
            numbers = {int(match[0]) for match in map(re.compile(r"\d+").match, ids) if match}
            if len(ids) != self.published.rows or numbers != set(range(1, self.published.items + 1)):
                raise ValueError(f"has {len(ids)} rows of {len(numbers)} numbers, which is not what was published")
        if self.verified == bool(self.unverified) or not set(self.unverified) <= set(ids):
            raise ValueError("unverified names items that were not verified, and only where verified is false")
        return self


@dataclass(frozen=True, slots=True)
class Row:
    """An item held against one report.

    Args:
        id, heading, asks: of the item.
        state: `covered` where each section that it names is in the report and nothing is missing; `not` where none is.
        sections: names of those that are.
        where: the same in words, with what is missing and why.
    """

    id: str
    heading: str
    asks: str
    state: State
    sections: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items a report covers; the three add up to all."""

    covered: int
    partly: int
    not_covered: int


def parse(text: str, where: str) -> Checklist:
    """A checklist from its YAML; raise ConfigurationError E-REPORT-CHECKLIST with `where` and what is wrong."""
    return written.checked(Checklist, written.mapping(text, where, "E-REPORT-CHECKLIST"), where, "E-REPORT-CHECKLIST")


def shipped() -> tuple[str, ...]:
    """Names of the checklists in `configs/checklists/`, in the order in which a report shows them."""
    folder = files("configs").joinpath("checklists")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def checklists(names: Sequence[str] | None = None) -> tuple[Checklist, ...]:
    """The named checklists in the order given; all shipped ones where none are named.

    Raises:
        ConfigurationError: E-REPORT-CHECKLIST for a name that is not shipped, or a file that is not whole.
    """
    known = shipped()
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ConfigurationError("E-REPORT-CHECKLIST", f"{unknown[0]}: not among {', '.join(known)}")
    return tuple(_load(name) for name in (known if names is None else names))


@cache
def _load(name: str) -> Checklist:
    file = f"{name}.yaml"
    found = parse(files("configs").joinpath("checklists", file).read_text("utf-8"), file)
    if found.checklist != name:
        raise ConfigurationError("E-REPORT-CHECKLIST", f"{file}: calls itself {found.checklist}")
    return found


def coverage(checklist: Checklist, present: Mapping[str, bool | str], titles: Mapping[str, str] | None = None) -> tuple[Row, ...]:
    """What one report says of each item, in the checklist's order.

    Args:
        present: section → True where the report has it, otherwise why not (False: no reason is known). A section that is not named is
            not in the report: nothing is called covered that the caller did not vouch for.
        titles: what `where` calls a section; its name where there is none.

    Raises:
        ValueError: `present` names a section that no report has.
    """
    unknown = sorted(set(present) - set(SECTIONS))
    if unknown:
        raise ValueError(f"no section of a report: {', '.join(unknown)}")
    return tuple(_row(item, present, titles or {}) for item in checklist.items)


def _row(item: Item, present: Mapping[str, bool | str], titles: Mapping[str, str]) -> Row:
    if item.not_covered:
        return Row(item.id, item.heading, item.asks, "not", (), f"not covered: {item.not_covered}")
    there = tuple(name for name in item.covered_by if present.get(name) is True)
    absent = [
        f"{titles.get(name, name)} not in this report{_because(present.get(name, False))}"
        for name in item.covered_by
        if name not in there
    ]
    state: State = "not" if not there else "partly" if absent or item.partly else "covered"
    missing = [f"missing: {item.partly}"] if item.partly and there else []
    named = [", ".join(titles.get(name, name) for name in there)] if there else []
    return Row(item.id, item.heading, item.asks, state, there, "; ".join((*named, *absent, *missing)))


def _because(why: bool | str) -> str:
    return f": {why}" if isinstance(why, str) and why else ""


def counts(rows: Iterable[Row]) -> Counts:
    """How many rows are in each state."""
    found = Counter(row.state for row in rows)
    return Counts(found["covered"], found["partly"], found["not"])
