"""Every number that a report shows, in its order: where it stands, and where `results.json` has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.report.blocks import Block, Document, Items, Paragraph, Table
from tasks.report.numbers import Number, Said, numbers_in


@dataclass(frozen=True, slots=True)
class Entry:
    """A number and its place in the report.

    Args:
        section: the section's name.
        block: `Table 3`; in running text `paragraph 2` or `list 1`, counted within the section.
        row: of the table or list, from 1; 0 in a paragraph.
        row_name: a table row's first cell.
        column: a table column's header.
    """

    section: str
    block: str
    row: int
    row_name: str
    column: str
    number: Number


#: The columns of `fields`.
HEADER = ("Section", "Block", "Row", "Row name", "Column", "Text", "Form", "Places in results.json", "Value", "Lower", "Upper")


def fields(entry: Entry) -> tuple[str | int | float | None, ...]:
    """An entry as a row under `HEADER`; JSON Pointers are parted by spaces."""
    number = entry.number
    return (
        entry.section, entry.block, entry.row or None, entry.row_name, entry.column,
        number.text, number.form, " ".join(number.at), number.value, number.lower, number.upper,
    )  # fmt: skip


def entries(document: Document) -> Iterator[Entry]:
    """Section by section, block by block, row by row."""
    for section in document.sections:
        paragraphs = lists = 0
        for block in section.blocks:
            paragraphs += isinstance(block, Paragraph)
            lists += isinstance(block, Items)
            label = (
                block.label
                if isinstance(block, Table)
                else f"list {lists}"
                if isinstance(block, Items)
                else f"paragraph {paragraphs}"
            )
            for row, name, column, said in _places(block):
                for number in numbers_in(said):
                    yield Entry(section.name, label, row, name, column, number)


def _places(block: Block) -> Iterator[tuple[int, str, str, Said]]:
    if isinstance(block, Paragraph):
        yield 0, "", "", block.text
    elif isinstance(block, Items):
        yield from ((row, "", "", item) for row, item in enumerate(block.items, 1))
    elif isinstance(block, Table):
        for row, cells in enumerate(block.rows, 1):
            yield from ((row, str(cells[0]), column, cell) for column, cell in zip(block.header, cells, strict=True))
