"""`safelight deliver` and `safelight delivery`: results back to the hospital, and whether they came in time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tasks import console as terminal
from tasks.console import DONE, INCOMPLETE, one_sentence, progress, say
from tasks.delivery.service_levels import LATE, Level, State
from tasks.delivery.stage import STAGE, Desk
from tasks.guard import boundary
from tasks.site import open_site
from tasks.stage import Outcome

Config = Annotated[Path, typer.Option(help="The site's configuration.", envvar="SAFELIGHT_CONFIG", show_default=False)]


def deliver(config: Config) -> None:
    """Bring worklists, panels and fields for reports up to date, in the vault; take in what the hospital has dropped into its inbox.

    Exit code 1: a file was set aside, or results could not be delivered.

    Example: `safelight deliver --config site.yaml`
    """
    with one_sentence():
        site = open_site(str(config.absolute()))
        with boundary(STAGE, site.errors), site.ledger.turn(STAGE):
            desk = Desk.of(site)
            total = len(site.ledger.studies()) * sum(one.mode != "triage" for one in desk.models)
            with progress(STAGE, total) as advance:
                made = desk.deliver(on_study=lambda: advance("", Outcome("done")))
        for line in made.lines():
            say(line)
        if made.doubts:
            say(f"Look here: {site.vault.root / 'inbox' / 'set_aside'}, and `safelight status` for studies")
        raise typer.Exit(INCOMPLETE if made.doubts else DONE)


def delivery(config: Config) -> None:
    """How it stands with the service levels: reached, missed, pending, overdue; by model and finding, and each study that is late.

    Exit code 1: a result came late, or is overdue, of the studies that are delivered now.

    Example: `safelight delivery --config site.yaml`
    """
    with one_sentence():
        site = open_site(str(config.absolute()))
        with boundary(STAGE, site.errors):
            desk = Desk.of(site)
            found = desk.levels()
            since = desk.oldest()
        if not found:
            say("delivery: no finding has a service level, or there is no study")
            raise typer.Exit(DONE)
        terminal.console.print(_table(found))
        behind = [each for each in found if each.is_late(since, since)]
        for each in behind[:50]:
            why = f": {each.reason_code}" if each.reason_code else ""
            say(f"{each.state} {each.finding} by {each.model.manifest.name}: study {each.standing.study.study_key}{why}")
        if len(behind) > 50:
            say(f"… and {len(behind) - 50} more")
        raise typer.Exit(INCOMPLETE if behind else DONE)


def _table(found: list[Level]) -> Table:
    """Studies by model, finding and state."""
    counted = Counter((each.model.manifest.name, each.finding, _target(each), each.state) for each in found)
    drawn = Table(title="Service levels", expand=False)
    for heading in ("model", "finding", "target"):
        drawn.add_column(heading)
    states: tuple[State, ...] = ("reached", "missed", "pending", "overdue", "not_read", "backfill")
    for state in states:
        drawn.add_column(state.replace("_", " "), justify="right", style="bold" if state in LATE else None)
    for model, finding, target in sorted({place[:3] for place in counted}):
        drawn.add_row(model, finding, target, *(str(counted[model, finding, target, state]) for state in states))
    return drawn


def _target(each: Level) -> str:
    return f"{each.level.minutes} min" if each.level.minutes is not None else f"by {each.level.by}"
