"""The ledger: one row a study and stage that says what is in the lake, under which fingerprint, and what is due.

SQLite in WAL mode by default, PostgreSQL by URL; SQLAlchemy Core. It lives in the vault: it alone leads from the lake's keys back
to the hospital's. A killed run leaves rows `running`; they are due again as soon as their run is known to be dead.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tasks import ledger_statements as statements
from tasks import ledger_tables as tables
from tasks.errors import ConfigurationError, SafelightError
from tasks.ledger_locks import Locks
from tasks.processes import ProcessId
from tasks.stage import STUDY_STAGES, Count, Outcome, tally_from_json, tally_to_json

_HEARTBEAT_SECONDS = 5.0
#: A run of another host whose heart has not beaten for so long counts as dead.
_DEAD_AFTER_SECONDS = 120.0
#: Keys in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535.
_PARAMETERS = 30_000

#: Writes something of its own within a transaction of the ledger.
Beside = Callable[[sa.Connection], None]


@dataclass(frozen=True, slots=True)
class Study:
    """A study as the hospital knows it, with the lake's keys. Identified: never leaves the vault.

    `expected` maps each SeriesInstanceUID (as found) to its number of instances; 0 where the source does not say. `selected`: only
    these series are wanted, and not what else the study may have.
    """

    study_key: str
    patient_key: str
    source: str
    study_instance_uid: str
    patient_id: str
    issuer: str
    accession_number: str
    expected: Mapping[str, int]
    found_digest: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the ledger: what a stage last did with a study, and of which `inputs` (the output digest of the stage before)."""

    study_key: str
    stage: str
    fingerprint: str
    inputs: str
    status: Literal["running", "done", "failed", "interrupted"]
    reason_code: str
    error_id: str
    attempts: int
    owner: str
    output: str
    passed: int
    tally: tuple[Count, ...]
    started_at: float
    finished_at: float | None


def is_current(row: Result, before: Result | None) -> bool:
    """Whether a row is of what the stage before (None for the first stage) last handed on; otherwise it is due again."""
    return row.stage == STUDY_STAGES[0] or (before is not None and before.status == "done" and row.inputs == before.output)


@dataclass(frozen=True, slots=True)
class Run:
    """One process's turn at the work."""

    run: str
    kind: str
    process: str
    flow_run: str
    started_at: float
    heartbeat_at: float
    finished_at: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What was last noted of a stage that works on the whole cohort: `running`, `done` or `failed`; when, and after how long."""

    stage: str
    event: str
    at: float
    seconds: float


class Ledger:
    """A connection to the ledger. Safe to use from several threads; each process opens its own."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Open, and make the tables where they are missing.

        Raises:
            ConfigurationError: E-LEDGER-UNREACHABLE, E-LEDGER-VERSION.
        """
        self.url = url
        self._clock = clock
        self._engine = tables.engine(url)
        self._reader = self._engine.execution_options(reads=True)
        self._locks = Locks(self._engine)
        #: `INSERT … ON CONFLICT` in the database's own dialect.
        self.insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        new = self.insert(tables.results).values(statements.row_of(tables.results))
        self._claim = statements.Prepared(new.on_conflict_do_nothing().returning(tables.results.c.owner))
        try:
            with self.lock("schema"):
                tables.metadata.create_all(self._engine)
                known = tables.upgrade(self._engine)
        except (sa.exc.SQLAlchemyError, OSError):
            raise ConfigurationError("E-LEDGER-UNREACHABLE", self._engine.url.render_as_string(hide_password=True)) from None
        if not known:
            raise ConfigurationError("E-LEDGER-VERSION", self._engine.url.render_as_string(hide_password=True))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def now(self) -> float:
        """Seconds since the epoch, by the ledger's clock."""
        return self._clock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that only reads."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes."""
        with self._engine.begin() as connection:
            yield connection

    # ---- studies ----------------------------------------------------------------------------------------------------

    def register(self, studies: Iterable[Study]) -> int:
        """Add studies or renew what is known of them; return how many were new."""
        names = [column.name for column in tables.studies.columns]
        rows = [
            {name: getattr(study, name) for name in names} | {"expected": json.dumps(dict(study.expected), sort_keys=True)}
            for study in studies
        ]
        if not rows:
            return 0
        with self.writing() as connection:
            before = connection.scalar(sa.select(sa.func.count()).select_from(tables.studies)) or 0
            statement = self.insert(tables.studies)
            renewed = {name: statement.excluded[name] for name in names if name != "study_key"}
            connection.execute(statement.on_conflict_do_update(index_elements=["study_key"], set_=renewed), rows)
            after = connection.scalar(sa.select(sa.func.count()).select_from(tables.studies)) or 0
        return int(after - before)

    def studies(self, keys: Sequence[str] | None = None) -> dict[str, Study]:
        """Studies by key, in the order of their keys."""
        query = sa.select(tables.studies).order_by(tables.studies.c.study_key)
        rows = self._rows(query, tables.studies.c.study_key, keys)
        return {row["study_key"]: Study(**{**row, "expected": json.loads(row["expected"])}) for row in rows}

    def study(self, key: str) -> Study:
        """One study; KeyError where it is unknown."""
        return self.studies([key])[key]

    # ---- results ----------------------------------------------------------------------------------------------------

    def results(self, stage: str | None = None, keys: Sequence[str] | None = None) -> dict[tuple[str, str], Result]:
        """Rows by (study key, stage)."""
        query = sa.select(tables.results).order_by(tables.results.c.study_key, tables.results.c.stage)
        if stage is not None:
            query = query.where(tables.results.c.stage == stage)
        rows = self._rows(query, tables.results.c.study_key, keys)
        return {(row["study_key"], row["stage"]): Result(**{**row, "tally": tally_from_json(row["tally"])}) for row in rows}

    def due(self, stage: str, wanted: Mapping[str, str], *, max_attempts: int) -> list[str]:
        """Studies of `wanted` (study key → present fingerprint) without a finished row for it, in the order of their keys.

        A study that failed `max_attempts` times under the same fingerprint is set aside; one that a live run holds is not due.
        """
        rows = {key: row for (key, _), row in self.results(stage, list(wanted)).items()}
        dead = self._dead_owners({row.owner for row in rows.values() if row.status == "running"})
        return [key for key in sorted(wanted) if _is_due(rows.get(key), wanted[key], dead, max_attempts)]

    def claim(self, stage: str, key: str, fingerprint: str, run: str, *, inputs: str = "") -> bool:
        """Take a study for a stage and these inputs; False where a live run holds it, or has finished it meanwhile."""
        taken = {
            "fingerprint": fingerprint, "inputs": inputs, "status": "running", "owner": run, "started_at": self._clock(),
            "reason_code": "", "error_id": "", "output": "", "passed": 0, "tally": "[]", "finished_at": None,
        }  # fmt: skip
        with self.writing() as connection:
            if self._claim.on(connection, {"study_key": key, "stage": stage, "attempts": 0, **taken}).scalar() is not None:
                return True  # the first row of this study and stage
            row = connection.execute(statements.ROW, {"key": key, "of_stage": stage}).mappings().one_or_none()
            if row is None:
                return False  # it was forgotten just now, by a run that has new inputs for it
            if row["status"] == "done" and row["fingerprint"] == fingerprint:
                return False
            if row["status"] == "running" and row["owner"] not in self._dead_owners({row["owner"]}, connection):
                return False
            attempts = row["attempts"] if row["fingerprint"] == fingerprint else 0
            mine = sa.and_(tables.results.c.study_key == key, tables.results.c.stage == stage)
            connection.execute(sa.update(tables.results).where(mine).values(attempts=attempts, **taken))
        return True

    def finish(self, stage: str, key: str, run: str, outcome: Outcome, *, beside: Beside | None = None) -> None:
        """Write what a stage did with a study that this run holds.

        Args:
            beside: writes more in the same transaction, also where the study is lost.

        Raises:
            SafelightError: E-LEDGER-LOST where the study has meanwhile been taken by another run.
        """
        now = self._clock()
        with self.writing() as connection:
            started = statements.FINISH.on(connection, {
                "key": key, "of_stage": stage, "run": run, "failed": int(outcome.status == "failed"), "new_status": outcome.status,
                "new_reason_code": outcome.reason_code, "new_error_id": outcome.error_id, "new_output": outcome.output,
                "new_passed": outcome.passed, "new_tally": tally_to_json(outcome.tally), "new_finished_at": now,
            }).scalar()  # fmt: skip
            if started is not None:
                ended = {"reason_code": outcome.reason_code, "error_id": outcome.error_id, "said": outcome.said}
                self._log(connection, run, outcome.status, study_key=key, stage=stage, seconds=now - started, **ended)
            if beside is not None:
                beside(connection)
        if started is None:
            raise SafelightError("E-LEDGER-LOST", f"{stage} {key}")

    def release(self, stage: str, key: str, run: str, *, beside: Beside | None = None) -> None:
        """Give a study back undone, so that it is due at once; `beside` as with `finish`."""
        held = _held(stage, key, run)
        with self.writing() as connection:
            connection.execute(sa.update(tables.results).where(held).values(status="interrupted"))
            self._log(connection, run, "interrupted", study_key=key, stage=stage)
            if beside is not None:
                beside(connection)

    def forget(self, stage: str, key: str, run: str) -> None:
        """Drop the row of a study that this run holds: the stage has nothing of it any more."""
        with self.writing() as connection:
            connection.execute(sa.delete(tables.results).where(_held(stage, key, run)))
            self._log(connection, run, "withdrawn", study_key=key, stage=stage)

    def retry(self, stage: str | None = None) -> int:
        """Forget the failed attempts, so that studies that were set aside are due again; return how many."""
        failed = tables.results.c.status == "failed"
        query = (
            sa.update(tables.results)
            .where(failed if stage is None else sa.and_(failed, tables.results.c.stage == stage))
            .values(attempts=0)
        )
        with self.writing() as connection:
            return int(connection.execute(query).rowcount)

    # ---- runs -------------------------------------------------------------------------------------------------------

    @contextmanager
    def run(self, kind: str, *, flow_run: str = "") -> Iterator[str]:
        """A run: a row whose heart beats while the context lasts; yields its id. What it still holds at the end is given back.

        `flow_run` is the orchestrator's own id of it, so that `reconcile` can close a killed run there too.
        """
        run = f"{kind}-{secrets.token_hex(6)}"
        now = self._clock()
        with self.writing() as connection:
            began = {"started_at": now, "heartbeat_at": now, "finished_at": None, "state": "running"}
            process = str(ProcessId.current())
            connection.execute(sa.insert(tables.runs).values(run=run, kind=kind, process=process, flow_run=flow_run, **began))
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(run, stop), name=f"heartbeat {run}", daemon=True)
        heart.start()
        state = "failed"
        try:
            yield run
            state = "finished"
        finally:
            stop.set()
            heart.join()
            with self.writing() as connection:
                connection.execute(
                    sa.update(tables.results)
                    .where(tables.results.c.owner == run, tables.results.c.status == "running")
                    .values(status="interrupted")
                )
                connection.execute(
                    sa.update(tables.runs).where(tables.runs.c.run == run).values(state=state, finished_at=self._clock())
                )

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(tables.runs).order_by(tables.runs.c.started_at.desc())).mappings().all()
        return [Run(**row) for row in rows]

    def reconcile(self) -> dict[str, int]:
        """Close the runs that died and free what they held.

        Returns:
            `{"runs": closed, "studies": freed}`.
        """
        with self.reading() as connection:
            open_runs = set(connection.scalars(sa.select(tables.runs.c.run).where(tables.runs.c.state == "running")))
        dead = self._dead_owners(open_runs)
        if not dead:
            return {"runs": 0, "studies": 0}
        with self.writing() as connection:
            freed = connection.execute(
                sa.update(tables.results)
                .where(tables.results.c.owner.in_(dead), tables.results.c.status == "running")
                .values(status="interrupted")
            ).rowcount
            connection.execute(
                sa.update(tables.runs).where(tables.runs.c.run.in_(dead)).values(state="crashed", finished_at=self._clock())
            )
            for run in sorted(dead):
                self._log(connection, run, "crashed")
        return {"runs": len(dead), "studies": int(freed)}

    @contextmanager
    def turn(self, stage: str) -> Iterator[None]:
        """A stage's turn at the whole cohort: alone among all processes, and noted with its duration, done or failed."""
        with self.lock(stage):
            began = self._clock()
            self._note(stage, "running", 0.0)
            ended = "failed"
            try:
                yield
                ended = "done"
            finally:
                self._note(stage, ended, self._clock() - began)

    def turns(self, since: float = 0.0) -> dict[str, Turn]:
        """The last turn of each stage that works on the whole cohort, among those noted since a time (seconds since the epoch)."""
        query = (
            sa.select(tables.events)
            .where(tables.events.c.study_key == "", tables.events.c.stage != "", tables.events.c.at >= since)
            .order_by(tables.events.c.id)
        )
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["stage"]: Turn(row["stage"], row["event"], row["at"], row["seconds"]) for row in rows}

    def events(self, study_key: str) -> list[dict[str, Any]]:
        """What happened to a study, oldest first."""
        query = sa.select(tables.events).where(tables.events.c.study_key == study_key).order_by(tables.events.c.id)
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a named lock that other processes wait for; a process that dies gives it back (`tasks.ledger_locks`)."""
        with self._locks.lock(name):
            yield

    @contextmanager
    def slots(
        self,
        name: str,
        n: int,
        *,
        limit: Callable[[], float] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[int | None]:
        """Hold one of `n` slots of a name, of all processes and hosts; a process that dies gives it back.

        Args:
            limit: asked at each try: how many of the slots may be taken just now (at least one is). Those that hold one keep it.
            sleep: waits between two tries, in seconds.
            stopped: asked before each try: whether to wait no longer.

        Yields:
            the slot's number from 0, or None where `stopped` said so first.
        """
        with self._locks.slot(name, n, limit, sleep, stopped) as slot:
            yield slot

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _rows(self, query: sa.Select[Any], column: sa.Column[str], keys: Sequence[str] | None) -> Sequence[sa.RowMapping]:
        """The rows of a query, or those of some keys, however many: a database takes only so many parameters in a statement."""
        if keys is not None and len(keys) <= _PARAMETERS:
            query = query.where(column.in_(list(keys)))
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        if keys is None or len(keys) <= _PARAMETERS:
            return rows
        wanted = set(keys)
        return [row for row in rows if row[column.name] in wanted]

    def _beat(self, run: str, stop: threading.Event) -> None:
        while not stop.wait(_HEARTBEAT_SECONDS):
            with (
                suppress(sa.exc.SQLAlchemyError),
                self.writing() as connection,
            ):  # a database that restarts is there at the next beat
                connection.execute(sa.update(tables.runs).where(tables.runs.c.run == run).values(heartbeat_at=self._clock()))

    def _dead_owners(self, owners: set[str], connection: sa.Connection | None = None) -> set[str]:
        if not owners:
            return set()
        query = sa.select(tables.runs.c.run, tables.runs.c.process, tables.runs.c.heartbeat_at, tables.runs.c.state).where(
            tables.runs.c.run.in_(owners)
        )
        if connection is not None:
            rows = connection.execute(query).all()
        else:
            with self.reading() as opened:
                rows = opened.execute(query).all()
        dead = owners - {row.run for row in rows}
        for row in rows:
            process = ProcessId.parse(row.process)
            silent = self._clock() - row.heartbeat_at > _DEAD_AFTER_SECONDS
            gone = process is None or (silent if not process.is_here() else not process.is_alive())
            if row.state != "running" or gone:
                dead.add(row.run)
        return dead

    def _note(self, stage: str, what: str, seconds: float) -> None:
        with self.writing() as connection:
            self._log(connection, "", what, stage=stage, seconds=seconds)

    def _log(self, connection: sa.Connection, run: str, what: str, **known: Any) -> None:
        blank = {"study_key": "", "stage": "", "reason_code": "", "error_id": "", "seconds": 0.0, "said": ""}
        statements.EVENT.on(connection, blank | known | {"at": self._clock(), "run": run, "event": what})


def _held(stage: str, key: str, run: str) -> sa.ColumnElement[bool]:
    """The row that `run` is working on."""
    row = tables.results.c
    return sa.and_(row.study_key == key, row.stage == stage, row.owner == run, row.status == "running")


def _is_due(row: Result | None, fingerprint: str, dead: set[str], max_attempts: int) -> bool:
    if row is None:
        return True
    if row.status == "running":
        return row.owner in dead
    if row.fingerprint != fingerprint or row.status == "interrupted":
        return True
    return row.status == "failed" and row.attempts < max_attempts
