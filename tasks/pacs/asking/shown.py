"""The plan as a person sees it on the screen: counts, rules and codes, without an identifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from tasks.console import console, say
from tasks.errors import catalogue
from tasks.pacs.asking.estimate import estimate
from tasks.pacs.asking.plan import Plan, refused
from tasks.pacs.book import Book
from tasks.pacs.settings import PacsSettings


def show(plan: Plan, pacs: Sequence[PacsSettings], book: Book) -> None:
    """A table with a line a PACS, then what is left out by rule, and what cannot be pulled by code."""
    table = Table("PACS", "studies", "series", "instances", "size", "time", title="found in the PACS")
    sizes = book.sizes()
    for each in pacs:
        studies = [study for study in plan.pulled if study.source == each.source]
        expected = estimate(studies, each, sizes, book.rate(each.source))
        counts = (len(studies), sum(len(study.series) for study in studies), sum(study.instances for study in studies))
        size = f"{in_bytes(expected.bytes)} ({expected.bytes_basis})" if studies else ""
        time = f"{in_time(expected.seconds)} ({expected.seconds_basis})" if studies else ""
        table.add_row(each.source, *map(str, counts), size, time)
    console.print(table)
    for (source, word), n in sorted(plan.left.items()):
        say(f"{n} studies of {source} left out, not of the cohort: {word}")
    for rule, n in sorted(_left_series(plan).items()):
        say(f"{n} series left out: {rule}")
    failed = Counter(plan.failed.values())
    for code, n in sorted((refused(plan.studies) - failed).items()):
        what = _WHAT.get(code, "studies cannot be pulled")
        say(f"{n} {what}: {code}, {_meaning(code)}")
    for source, code in sorted(plan.failed.items()):
        say(f"{source} could not be asked to the end: {code}, {_meaning(code)}")
    for source, n in sorted(plan.blind.items()):
        say(
            f"{source} cut its answers for {n} days or ranges, which were split: a study there without a date or time is not seen"
        )


#: What is counted under a code, where that is not studies.
_WHAT = {
    "E-PULL-FIND-CUT": "answers or studies are in doubt",
    "E-PULL-LIST-NOT-FOUND": "rows of the list have no study",
}


def _left_series(plan: Plan) -> Counter[str]:
    """Series that are not pulled of studies whose series were looked at, by the selection's rule."""
    return Counter(series.reason for study in plan.studies for series in study.listed if not series.chosen)


def _meaning(code: str) -> str:
    meaning = catalogue()[code].meaning
    return meaning[0].lower() + meaning[1:]


def in_bytes(size: float) -> str:
    """`3.2 GB`, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def in_time(seconds: float) -> str:
    """`4 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
