"""What reporting checklists ask for, and where this report says it."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.report.blocks import Block, Items, LeftOut, Paragraph, Section, Table
from tasks.report.checklists import Checklist, Row, checklists, counts, coverage

NAME, TITLE = "checklists", "Reporting checklists"
_STATES = {"covered": "covered", "partly": "partly", "not": "not covered"}


def section(kept: Sequence[Section], left: Sequence[LeftOut], names: Sequence[str] | None = None) -> Section | LeftOut:
    """How much of each checklist the report covers, and every item with the section that answers it.

    Args:
        kept: the report's sections, this one aside.
        left: those that it does not have.
        names: of `configs/checklists`; all of them where it is None.
    """
    if names is not None and not names:
        return LeftOut(NAME, TITLE, "the plan asks for none")
    present: dict[str, bool | str] = {NAME: True, **{each.name: True for each in kept}, **{each.name: each.why for each in left}}
    titles = {NAME: TITLE, **{each.name: each.title for each in kept}, **{each.name: each.title for each in left}}
    found = [(each, coverage(each, present, titles)) for each in checklists(names)]
    said = Paragraph(
        "Item numbers are those of the publications, the wording is not: it says briefly what an item is about. An item is covered where the section "
        "that is named says all of it. This is no statement of conformity."
    )
    tables: list[Block] = [_items(each, rows) for each, rows in found]
    checked = Items(tuple(f"{each.title}: numbers and topics were held against: {each.checked}" for each, _ in found))
    return Section(NAME, TITLE, (said, _summary(found), checked, *tables))


def _summary(found: Sequence[tuple[Checklist, Sequence[Row]]]) -> Table:
    rows = []
    for each, items in found:
        n, source = counts(items), each.source
        published = f"{source.authors}, {source.published_in}{f', doi {source.doi}' if source.doi else ''}"
        whole = "" if each.complete else "; not the whole list"
        rows.append(
            (f"{each.title} ({each.edition}){whole}", published, *map(str, (len(items), n.covered, n.partly, n.not_covered)))
        )
    header = ("Checklist", "Source", "Items", "Covered", "Partly", "Not covered")
    return Table(
        "What the report covers of each checklist",
        header,
        tuple(rows),
        (False, False, *(True,) * 4),
        (2.2, 2.6, 0.7, 0.9, 0.8, 0.9),
    )


def _items(checklist: Checklist, rows: Sequence[Row]) -> Table:
    written = tuple((f"{row.id} {row.heading}", row.asks, _STATES[row.state], row.where) for row in rows)
    header = ("Item", "What it asks for", "Coverage", "Where, and what is missing")
    return Table(f"{checklist.title}: every item", header, written, (False,) * 4, (1.5, 2.2, 0.8, 2.4))
