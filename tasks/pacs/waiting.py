"""Why work at a PACS waits, in a sentence for a person."""

from __future__ import annotations

from datetime import datetime, tzinfo

from tasks.errors import catalogue
from tasks.ledger import Ledger
from tasks.pacs.book import Book, Condition


def waiting(ledger: Ledger, zone: tzinfo | None = None) -> list[str]:
    """A line for each PACS whose work waits, such as `ARCHIVE waits until Mon 20:00 CET: E-PULL-HOURS, the PACS may …`.

    Args:
        ledger: the site's.
        zone: for the time of day; this machine's without one.
    """
    now, said = ledger.now(), []
    for source, condition in sorted(Book(ledger).conditions().items()):
        why = reason(condition, now)
        if condition.order == "drain":
            said.append(f"{source} is drained: nothing is begun until `safelight pacs resume`")
        elif why:
            said.append(sentence(source, why, condition.until, zone))
    return said


def sentence(source: str, code: str, until: float | None, zone: tzinfo | None = None) -> str:
    """That a PACS's work waits, until when (seconds since the epoch, where known), and why."""
    when = f" until {clock(until, zone)}" if until is not None and code != "E-PULL-PAUSED" else ""
    meaning = catalogue()[code].meaning
    return f"{source} waits{when}: {code}, {meaning[0].lower()}{meaning[1:]}"


def reason(condition: Condition, now: float) -> str:
    """The code of why work waits at a time (seconds since the epoch); empty where it need not.

    What was noted with an end that is past was noted by a process that is gone.
    """
    if condition.order == "pause":
        return "E-PULL-PAUSED"
    over = condition.until is not None and condition.until <= now
    return "" if over or condition.reason_code == "E-PULL-PAUSED" else condition.reason_code


def clock(at: float, zone: tzinfo | None) -> str:
    """A time (seconds since the epoch) as a clock on the wall shows it: `Mon 20:00 CET`."""
    return f"{datetime.fromtimestamp(at).astimezone(zone):%a %H:%M %Z}"
