"""What a report is made of: sections of paragraphs, lists, tables and figures. Every face renders just these, in this order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from tasks.report.numbers import Reference, Said, parts_of, text


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
        name: what a `Reference` calls it; empty where none does.
        numeric: for each column whether it is set to the right and kept on one line where that fits.
        widths: of the columns, relative to each other.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]
    numeric: tuple[bool, ...]
    widths: tuple[float, ...]
    number: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        if {len(self.header)} != {len(self.numeric), len(self.widths), *(len(row) for row in self.rows)}:
            raise ValueError(f"the table {self.caption!r} is not rectangular")

    @property
    def label(self) -> str:
        """As captions and references write it."""
        return f"Table {self.number}"

    @property
    def anchor(self) -> str:
        """As links call it."""
        return f"table-{self.number}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. `alternative` states the finding for those who do not see it; `width` is a share of the line, `name` as a table's."""

    caption: str
    alternative: str
    svg: bytes
    png: bytes
    width: float = 1.0
    number: int = 0
    name: str = ""

    @property
    def label(self) -> str:
        """As captions and references write it."""
        return f"Figure {self.number}"

    @property
    def anchor(self) -> str:
        """As links call it."""
        return f"figure-{self.number}"


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
    """The same sections with tables and figures counted through, and every reference to one of them, or to a section, written out.

    Raises:
        ValueError: two of them have the same name.
    """
    counts = {Table: count(1), Figure: count(1)}
    counted = [replace(section, blocks=tuple(_counted(block, counts) for block in section.blocks)) for section in sections]
    labels = [(section.name, (f"section {number}", section.anchor)) for number, section in enumerate(counted, 1)]
    labels += [
        (block.name, (block.label, block.anchor))
        for section in counted
        for block in section.blocks
        if isinstance(block, (Table, Figure)) and block.name
    ]
    known = dict(labels)
    if len(known) < len(labels):
        raise ValueError("two sections, tables or figures of the report have the same name")
    return tuple(replace(section, blocks=tuple(_written(block, known) for block in section.blocks)) for section in counted)


def _counted(block: Block, counts: Mapping[type, Iterator[int]]) -> Block:
    return replace(block, number=next(counts[type(block)])) if isinstance(block, (Table, Figure)) else block


def _written(block: Block, known: Mapping[str, tuple[str, str]]) -> Block:
    """The block with its references written out."""

    def out(said: Said) -> Said:
        if not any(isinstance(part, Reference) for part in parts_of(said)):
            return said
        return text(*(_named(part, known) if isinstance(part, Reference) else part for part in parts_of(said)))

    if isinstance(block, Paragraph):
        return replace(block, text=out(block.text))
    if isinstance(block, Items):
        return replace(block, items=tuple(map(out, block.items)))
    if isinstance(block, Table):
        return replace(block, rows=tuple(tuple(map(out, row)) for row in block.rows))
    return block


def _named(reference: Reference, known: Mapping[str, tuple[str, str]]) -> Reference:
    label, anchor = known.get(reference.name, ("", ""))
    return replace(reference, label=label, anchor=anchor)
