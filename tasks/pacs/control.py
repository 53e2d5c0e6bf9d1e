"""The commands `safelight pacs pause`, `resume`, `drain` and `status`: a person's orders, and how it stands with each PACS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from tasks.console import DONE, console, one_sentence, say
from tasks.errors import ConfigurationError
from tasks.ledger import Ledger
from tasks.pacs.book import HOUR_S, Book
from tasks.pacs.settings import PacsSettings
from tasks.pacs.waiting import clock, reason, waiting
from tasks.settings import Settings, load
from tasks.vault import Vault

_Config = Annotated[
    Path, typer.Option("--config", help="The site's configuration.", envvar="SAFELIGHT_CONFIG", show_default=False)
]
_Pacs = Annotated[str | None, typer.Option("--pacs", help="Only this PACS, by its name; all of them without it.")]


def pause(config: _Config, pacs: _Pacs = None) -> None:
    """Begin no study any more until `resume`; what is in flight is finished, and running nights wait.

    Example: safelight pacs pause --pacs ARCHIVE --config site.yaml
    """
    _order(config, pacs, "paused: nothing is begun until `safelight pacs resume`", order="pause")


def resume(config: _Config, pacs: _Pacs = None) -> None:
    """Let a paused or drained PACS be worked with again.

    Example: safelight pacs resume --config site.yaml
    """
    _order(config, pacs, "goes on", order="run", reason_code="", until=None)


def drain(config: _Config, pacs: _Pacs = None) -> None:
    """Finish what is in flight and end the retrieval; nothing is begun until `resume`, and what is due stays due.

    Example: safelight pacs drain --pacs ARCHIVE --config site.yaml
    """
    _order(config, pacs, "drained: what is in flight is finished, nothing is begun until `safelight pacs resume`", order="drain")


def status(config: _Config) -> None:
    """Each PACS's order, why its work waits and until when, its studies of the last hour, its failures, its measured rate.

    Example: safelight pacs status --config site.yaml
    """
    with one_sentence():
        settings, ledger = _opened(config)
        console.print(table(settings, ledger))
        for line in waiting(ledger, ZoneInfo(settings.timezone)):
            say(line)
        raise typer.Exit(DONE)


def table(settings: Settings, ledger: Ledger) -> Table:
    """How it stands with each PACS that is configured, for a terminal. Times of day are in the site's zone."""
    book, zone, now = Book(ledger), ZoneInfo(settings.timezone), ledger.now()
    drawn = Table(expand=False)
    for heading in ("PACS", "order", "waits for", "until"):
        drawn.add_column(heading, min_width=18 if heading == "waits for" else None)  # a code is one word
    for heading in ("studies in the last hour", "failures in a row", "MB/s an association"):
        drawn.add_column(heading, justify="right")
    for pacs in settings.pacs:
        condition, rate = book.condition(pacs.source), book.rate(pacs.source)
        why = reason(condition, now)
        until = clock(condition.until, zone) if why and why != "E-PULL-PAUSED" and condition.until is not None else ""
        begun, limit = len(book.begun_since(pacs.source, now - HOUR_S)), pacs.manners.studies_per_hour
        hour = f"{begun} of {limit}" if limit is not None else str(begun)
        speed = "" if rate is None else f"{rate / 1e6:.1f}"
        drawn.add_row(pacs.source, condition.order, why, until, hour, str(condition.failures), speed)
    return drawn


def _order(config: Path, name: str | None, said: str, **changes: Any) -> None:
    with one_sentence():
        settings, ledger = _opened(config)
        for pacs in _named(settings, name):
            Book(ledger).note(pacs.source, **changes)
            say(f"{pacs.source} {said}")


def _named(settings: Settings, name: str | None) -> tuple[PacsSettings, ...]:
    found = tuple(pacs for pacs in settings.pacs if name in {None, pacs.source})
    if not found:
        raise ConfigurationError("E-PULL-NO-PACS", ", ".join(pacs.source for pacs in settings.pacs) or "none is configured")
    return found


def _opened(config: Path) -> tuple[Settings, Ledger]:
    """The ledger alone, not the whole site: an order must get through while the disk is full or the model is missing."""
    settings = load(config)
    Vault.open(settings.vault)
    return settings, Ledger(settings.ledger_url())
