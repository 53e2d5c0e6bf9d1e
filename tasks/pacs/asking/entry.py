"""A site's plan, and its entry: into the vault as a table, into the ledger as studies that are due, into the lake as a selection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.executor import OnWait
from tasks.pacs.asking.find import register
from tasks.pacs.asking.plan import Plan, make_plan, record
from tasks.pacs.asking.published import publish_selection
from tasks.pacs.asking.saved import save_plan
from tasks.pacs.book import Book
from tasks.pacs.manners.orders import ordered_away
from tasks.pacs.settings import CohortSettings
from tasks.site import Site


def ask(
    site: Site, cohort: CohortSettings, advance: Callable[[], None] = lambda: None, on_wait: OnWait = lambda *_: None
) -> tuple[Plan, Path]:
    """Plan over all of the site's PACSs that may be asked, and save the plan into the vault; returns both. Nothing is due by that.

    Args:
        site: whose PACSs.
        cohort: which studies.
        advance: called with each study.
        on_wait: told where it waits, because all PACSs are paused.

    Raises:
        SafelightError: as `make_plan`.
    """
    book = Book(site.ledger)
    away = ordered_away(site.settings.pacs, book, on_wait)
    plan = make_plan(
        site.settings.pacs, cohort, book=book, timezone=site.settings.timezone, advance=advance, away=away
    )  # fmt: skip
    return plan, save_plan(plan, site.vault)


def enter(site: Site, plan: Plan) -> int:
    """Enter the studies of a plan in the ledger, then note that the plan was made; returns how many studies were new.

    In this order: a plan that is noted and not entered would be lost to `new_since_last_night`.
    """
    new = register(site.ledger, site.vault, plan.studies, plan.failed)
    publish_selection(plan, site.vault, site.lake)
    record(plan, Book(site.ledger))
    return new
