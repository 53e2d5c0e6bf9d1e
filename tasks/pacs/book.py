"""What the ledger knows of each PACS: orders to pause, why work waits, how often it failed, what was retrieved, what was planned.

It is in the ledger's database, so that it outlives processes and is shared by all of them, on every host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from tasks import ledger_tables as tables
from tasks.ledger import Ledger

Order = Literal["run", "pause", "drain"]


@dataclass(frozen=True, slots=True)
class Condition:
    """How it stands with a PACS.

    `order`: what a person asked for. `reason_code`: why work waits just now, `until` when (seconds since the epoch, None where
    that is not known), as noted at `noted_at`. `failures`: connections in a row that failed, the first of them at `failing_since`.
    """

    source: str
    order: Order = "run"
    reason_code: str = ""
    until: float | None = None
    noted_at: float = 0.0
    failures: int = 0
    failing_since: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One try at one study: how long it took, how many requests and instances and bytes, and how it ended (hex status, reason)."""

    study_key: str
    source: str
    modality: str
    started_at: float
    seconds: float = 0.0
    requests: int = 0
    instances: int = 0
    bytes: int = 0
    last_status: str = ""
    reason_code: str = ""


class Book:
    """The tables of `tasks.ledger_tables` that are about PACSs. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.now: Callable[[], float] = ledger.now

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, source: str) -> Condition:
        """How it stands with one PACS."""
        return self.conditions().get(source, Condition(source))

    def conditions(self) -> dict[str, Condition]:
        """How it stands with each PACS of which anything was ever noted."""
        with self._ledger.reading() as connection:
            rows = connection.execute(sa.select(tables.conditions)).mappings().all()
        return {row["source"]: Condition(**row) for row in rows}

    def note(self, source: str, **changes: Any) -> None:
        """Change what is noted of a PACS: fields of `Condition`. `noted_at` is set to now."""
        values = {**changes, "noted_at": self.now()}
        with self._ledger.writing() as connection:
            statement = self._ledger.insert(tables.conditions).values(source=source, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))

    # ---- retrievals -------------------------------------------------------------------------------------------------

    def retrieved(self, retrieval: Retrieval) -> None:
        """Add a line for a try that has ended."""
        row = {name: getattr(retrieval, name) for name in Retrieval.__slots__}
        with self._ledger.writing() as connection:
            connection.execute(sa.insert(tables.retrievals).values(**row))

    def begun_since(self, source: str, since: float) -> list[float]:
        """When the tries at a PACS's studies began (ended ones only), of those since a time, the oldest first."""
        began = tables.retrievals.c.started_at
        query = sa.select(began).where(tables.retrievals.c.source == source, began >= since).order_by(began)
        with self._ledger.reading() as connection:
            return [float(at) for at in connection.scalars(query)]

    def retrievals(self, study_key: str | None = None) -> list[Retrieval]:
        """All tries, or those of one study, the oldest first."""
        columns = [tables.retrievals.c[name] for name in Retrieval.__slots__]
        query = sa.select(*columns).order_by(tables.retrievals.c.id)
        if study_key is not None:
            query = query.where(tables.retrievals.c.study_key == study_key)
        with self._ledger.reading() as connection:
            return [Retrieval(**row) for row in connection.execute(query).mappings()]

    def sizes(self) -> dict[str, float]:
        """Bytes of one instance by modality, the mean of all that was retrieved."""
        c = tables.retrievals.c
        query = sa.select(c.modality, sa.func.sum(c.bytes), sa.func.sum(c.instances)).where(c.instances > 0).group_by(c.modality)
        with self._ledger.reading() as connection:
            return {row[0]: float(row[1]) / float(row[2]) for row in connection.execute(query)}

    def rate(self, source: str) -> float | None:
        """Bytes a second and association that a PACS gave over its last 200 tries that brought anything; None without any."""
        c = tables.retrievals.c
        last = (
            sa.select(c.bytes, c.seconds).where(c.source == source, c.instances > 0).order_by(c.id.desc()).limit(200).subquery()
        )
        query = sa.select(sa.func.sum(last.c.bytes), sa.func.sum(last.c.seconds))
        with self._ledger.reading() as connection:
            size, seconds = connection.execute(query).one()
        return float(size) / float(seconds) if seconds else None

    # ---- plans ------------------------------------------------------------------------------------------------------

    def planned(self, source: str, cohort: str, asked_at: float, refused: Mapping[str, int]) -> None:
        """A plan for a cohort (by its digest) is complete: when it was begun, and how many studies it refused, by reason."""
        with self._ledger.writing() as connection:
            statement = self._ledger.insert(tables.plans).values(source=source, cohort=cohort, asked_at=asked_at)
            connection.execute(statement.on_conflict_do_update(
                index_elements=["source", "cohort"], set_={"asked_at": asked_at}
            ))  # fmt: skip
            connection.execute(sa.delete(tables.refusals).where(tables.refusals.c.source == source))
            rows = [{"source": source, "reason_code": code, "n": n} for code, n in sorted(refused.items())]
            if rows:
                connection.execute(sa.insert(tables.refusals), rows)

    def last_planned(self, source: str, cohort: str) -> float | None:
        """When the last complete plan for a cohort was begun."""
        query = sa.select(tables.plans.c.asked_at).where(tables.plans.c.source == source, tables.plans.c.cohort == cohort)
        with self._ledger.reading() as connection:
            at = connection.scalar(query)
        return None if at is None else float(at)

    def refusals(self) -> dict[str, int]:
        """How many studies the last plans refused, by reason, over all PACSs."""
        query = sa.select(tables.refusals.c.reason_code, sa.func.sum(tables.refusals.c.n)).group_by(tables.refusals.c.reason_code)
        with self._ledger.reading() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}
