"""What stages ever said of studies, from the ledger's events: nothing of it is overwritten when a study is worked on again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tasks.ledger import Ledger
from tasks.ledger_tables import events


def said(ledger: Ledger, stage: str, study_key: str | None = None) -> list[dict[str, Any]]:
    """Events of stages whose name begins so, of a study or of all, that say something (`Outcome.said`), oldest first."""
    query = sa.select(events).where(events.c.stage.startswith(stage, autoescape=True), events.c.said != "").order_by(events.c.id)
    if study_key is not None:
        query = query.where(events.c.study_key == study_key)
    with ledger.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def first(ledger: Ledger, stage: str) -> float | None:
    """When a stage first ended with any study (seconds since the epoch); None where it never did."""
    query = sa.select(sa.func.min(events.c.at)).where(events.c.stage == stage, events.c.study_key != "")
    with ledger.reading() as connection:
        found = connection.scalar(query)
    return None if found is None else float(found)
