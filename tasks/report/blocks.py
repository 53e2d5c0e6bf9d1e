"""What a report is made of: sections of paragraphs, lists, tables and figures. Every face renders just these, in this order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasks.report.numbers import Said


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. `emphasis` sets it apart: a verdict or a warning."""

    text: Said
    emphasis: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    items: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of each row names the row. `number` is given by `numbered`.

    Args:
        numeric: for each column whether it is set to the right and kept on one line where that fits.
        widths: of the columns, relative to each other.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]
    numeric: tuple[bool, ...]
    widths: tuple[float, ...]
    number: int = 0

    def __post_init__(self) -> None:
        if {len(self.header)} != {len(self.numeric), len(self.widths), *(len(row) for row in self.rows)}:
            raise ValueError(f"the table {self.caption!r} is not rectangular")

    @property
    def label(self) -> str:
        """As captions and references write it."""
        return f"Table {self.number}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. `alternative` states the finding for those who do not see it; `width` is a share of the line."""

    caption: str
    alternative: str
    svg: bytes
    png: bytes
    width: float = 1.0
    number: int = 0

    @property
    def label(self) -> str:
        """As captions and references write it."""
        return f"Figure {self.number}"


Block = Paragraph | Items | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it.

    Args:
        name: what checklists and links call it, whatever its title; one of `tasks.report.document.SECTIONS`.
        wide: its tables need a page on its side.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    wide: bool = False

    @property
    def anchor(self) -> str:
        """The heading as a link's target."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A section that this report does not have, and why."""

    name: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Document:
    """A report. `notice` stands at the top of every face and `mark` on every page; both are empty for real data."""

    title: str
    subtitle: str
    notice: str
    mark: str
    sections: tuple[Section, ...]
    language: str = "en"


def numbered(sections: Sequence[Section]) -> tuple[Section, ...]:
    """The same sections with tables and figures counted through."""
    tables = figures = 0
    made = []
    for section in sections:
        blocks: list[Block] = []
        for block in section.blocks:
            if isinstance(block, Table):
                tables += 1
                blocks.append(replace(block, number=tables))
            elif isinstance(block, Figure):
                figures += 1
                blocks.append(replace(block, number=figures))
            else:
                blocks.append(block)
        made.append(replace(section, blocks=tuple(blocks)))
    return tuple(made)
