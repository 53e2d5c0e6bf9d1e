"""The document itself: every number in it is made once more from the place that it names in results.json."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.evaluation.results import Results
from tasks.report.blocks import Block, Document, Figure, Items, Paragraph
from tasks.report.checks.holding import mismatch
from tasks.report.numbers import Numbers, Said, numbers_in
from tasks.report.wording import printable


def check_document(document: Document, results: Results) -> None:
    """Hold a document against the results that it is of.

    Raises:
        SafelightError: E-REPORT-MISMATCH with the section, the number and its places.
    """
    source = Numbers(printable(results))
    for section in document.sections:
        for said in (said for block in section.blocks for said in _said(block)):
            for number in numbers_in(said):
                try:
                    again = source.again(number)
                except (LookupError, AttributeError, ValueError, TypeError):
                    raise mismatch(f"section {section.name}", f"{number.text}: {' '.join(number.at)} leads nowhere") from None
                if again != number.text:
                    raise mismatch(f"section {section.name}", f"{number.text}: {' '.join(number.at)} says {again}")


def _said(block: Block) -> Iterator[Said]:
    if isinstance(block, Paragraph):
        yield block.text
    elif isinstance(block, Items):
        yield from block.items
    elif not isinstance(block, Figure):
        for row in block.rows:
            yield from row
