"""What the ledger knows of each PACS: orders to pause, why work waits, how often it failed, what was retrieved, what was planned.

It is in the ledger's database, so that it outlives processes and is shared by all of them, on every host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from tasks import ledger_statements as statements
from tasks import ledger_tables as tables
from tasks.ledger import Ledger

Order = Literal["run", "pause", "drain"]


#: A PACS's studies an hour are counted over so many seconds back from now.
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Condition:
    """How it stands with a PACS.

    `order`: what a person asked for. `reason_code`: why work waits just now, `until` when (seconds since the epoch, None where
    that is not known), as noted at `noted_at`. `failures`: connections in a row that failed, the first of them at `failing_since`;
    none is opened before `retry_at`.
    """

    source: str
    order: Order = "run"
    reason_code: str = ""
    until: float | None = None
    noted_at: float = 0.0
    failures: int = 0
    failing_since: float | None = None
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One try at one study: how long it took, how many requests and instances and bytes, and how it ended (hex status, reason).

    `finished_at` is None as long as it goes on, and for ever where its process was killed.
    """

    study_key: str
    source: str
    modality: str
    started_at: float
    finished_at: float | None = None
    seconds: float = 0.0
    requests: int = 0
    instances: int = 0
    bytes: int = 0
    last_status: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A try that goes on: of which study, at which PACS, since when; and its row, where it was reserved."""

    study_key: str
    source: str
    at: float
    number: int | None


class Book:
    """The tables of `tasks.ledger_tables` that are about PACSs. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.now: Callable[[], float] = ledger.now
        self._reserved: dict[str, int] = {}
        self._kept: dict[str, tuple[Begun, dict[str, Any]]] = {}
        self._known: dict[str, tuple[float, Condition]] = {}
        self._lock = threading.Lock()

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, source: str, max_age_s: float = 0.0) -> Condition:
        """How it stands with one PACS; what this book has read or noted so many seconds ago will do."""
        known = self._known.get(source)
        if known is not None and time.monotonic() - known[0] < max_age_s:
            return known[1]
        with self._ledger.reading() as connection:
            return self._look(connection, source)

    def conditions(self) -> dict[str, Condition]:
        """How it stands with each PACS of which anything was ever noted."""
        with self._ledger.reading() as connection:
            rows = connection.execute(sa.select(tables.conditions)).mappings().all()
        return {row["source"]: Condition(**row) for row in rows}

    def note(self, source: str, **changes: Any) -> None:
        """Change what is noted of a PACS: fields of `Condition`. `noted_at` is set to now."""
        self.revise(source, lambda _: changes)

    def revise(self, source: str, decide: Callable[[Condition], Mapping[str, Any] | None]) -> Condition:
        """Change what is noted of a PACS by what is noted of it, while nobody else can.

        Args:
            source: the PACS.
            decide: gets the condition as it is; gives the fields to change, or None to leave it.

        Returns:
            the condition afterwards.
        """
        c = tables.conditions.c
        with self._ledger.writing() as connection:
            connection.execute(self._ledger.insert(tables.conditions).values(source=source).on_conflict_do_nothing())
            row = connection.execute(sa.select(tables.conditions).where(c.source == source).with_for_update()).mappings().one()
            condition = Condition(**row)
            changes = decide(condition)
            if changes is None:
                return self._remember(condition)
            values = {**changes, "noted_at": self.now()}
            connection.execute(sa.update(tables.conditions).where(c.source == source).values(**values))
        return self._remember(replace(condition, **values))

    # ---- retrievals -------------------------------------------------------------------------------------------------

    def reserve(self, study_key: str, source: str, per_hour: int) -> bool:
        """Make sure that a try at a study may begin, and count it already, before the PACS is asked for anything.

        Args:
            study_key: the study's key in the lake.
            source: the PACS.
            per_hour: how many tries may begin within an hour, over all processes.

        Returns:
            False, and nothing is noted, where the hour's tries are used up.
        """
        now = self.now()
        with self._ledger.writing() as connection:
            # A row that all who reserve lock, so that two do not both find the last place free.
            connection.execute(self._ledger.insert(tables.conditions).values(source=source).on_conflict_do_nothing())
            mine = tables.conditions.c.source == source
            connection.execute(sa.select(tables.conditions.c.source).where(mine).with_for_update())
            if len(self._begun(connection, source, now - HOUR_S)) >= per_hour:
                return False
            number = self._insert(connection, study_key, source)
        with self._lock:
            self._reserved[study_key] = number
        return True

    def cancel(self, study_key: str) -> None:
        """Take back what this book has reserved for a study that was not begun after all."""
        with self._lock:
            number = self._reserved.pop(study_key, None)
        if number is not None:
            with self._ledger.writing() as connection:
                connection.execute(sa.delete(tables.retrievals).where(tables.retrievals.c.id == number))

    def begin(self, study_key: str, source: str) -> Begun:
        """A try at a study begins; where this book has reserved it, it is that one.

        A try that was reserved counts from then on, even where its process is killed. Where tries are not counted by the hour, nothing is
        written before it ends: that would cost as much again.
        """
        with self._lock:
            number = self._reserved.pop(study_key, None)
        return Begun(study_key, source, self.now(), number)

    def end(self, begun: Begun, **known: Any) -> None:
        """Note that a try has ended, and what is known of it: fields of `Retrieval`. `seconds` are since it began, unless given."""
        with self._ledger.writing() as connection:
            self._write(connection, begun, self._known_of(begun, known))

    def keep(self, begun: Begun, **known: Any) -> None:
        """As `end`, but it is not written before `settle` is called for the study."""
        with self._lock:
            self._kept[begun.study_key] = (begun, self._known_of(begun, known))

    def settle(self, connection: sa.Connection, study_key: str, source: str) -> None:
        """Write what was kept of a try at a study, and look how it stands with its PACS, in a transaction that is open anyway.

        A study ends in the ledger in one transaction so, and whoever begins the next one need not look again.
        """
        with self._lock:
            kept = self._kept.get(study_key)
        if kept is not None:
            self._write(connection, *kept)

            def written(_connection: sa.Connection) -> None:
                with self._lock:
                    if self._kept.get(study_key) is kept:
                        del self._kept[study_key]

            sa.event.listen(connection, "commit", written, once=True)
        self._look(connection, source)

    def begun_since(self, source: str, after: float) -> list[float]:
        """When the tries at a PACS's studies began, also those that go on, of those after a time; the oldest first."""
        with self._ledger.reading() as connection:
            return self._begun(connection, source, after)

    def last_ended(self, source: str) -> Retrieval | None:
        """The try at a study of a PACS that ended last; None before the first."""
        c = tables.retrievals.c
        ended = sa.and_(c.source == source, c.finished_at.is_not(None))
        query = sa.select(*(c[name] for name in Retrieval.__slots__)).where(ended).order_by(c.finished_at.desc()).limit(1)
        with self._ledger.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else Retrieval(**row)

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

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _known_of(self, begun: Begun, known: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a try that ends now."""
        blank = {"modality": "", "seconds": None, "requests": 0, "instances": 0, "bytes": 0, "last_status": "", "reason_code": ""}
        values = {**blank, **known, "finished_at": self.now()}
        if values["seconds"] is None and begun.number is None:  # else it is counted from the row's own beginning
            values["seconds"] = values["finished_at"] - begun.at
        return values

    def _write(self, connection: sa.Connection, begun: Begun, values: Mapping[str, Any]) -> None:
        if begun.number is None:
            row = {"study_key": begun.study_key, "source": begun.source, "started_at": begun.at}
            statements.TRY.on(connection, {**row, **values})
        else:
            statements.END.on(connection, {"number": begun.number, **{f"new_{name}": value for name, value in values.items()}})

    def _look(self, connection: sa.Connection, source: str) -> Condition:
        row = statements.CONDITION.on(connection, {"source": source}).mappings().one_or_none()
        return self._remember(Condition(source) if row is None else Condition(**row))

    def _remember(self, condition: Condition) -> Condition:
        self._known[condition.source] = (time.monotonic(), condition)
        return condition

    def _insert(self, connection: sa.Connection, study_key: str, source: str) -> int:
        row = {"source": source, "study_key": study_key, "modality": "", "started_at": self.now()}
        return int(connection.execute(statements.BEGIN, row).inserted_primary_key[0])  # type: ignore[index]

    def _begun(self, connection: sa.Connection, source: str, after: float) -> list[float]:
        c = tables.retrievals.c
        # What lies far in the future was begun before the clock was set back: it must not count for a day.
        recent = sa.and_(c.source == source, c.started_at > after, c.started_at <= self.now() + HOUR_S)
        return [float(at) for at in connection.scalars(sa.select(c.started_at).where(recent).order_by(c.started_at))]
