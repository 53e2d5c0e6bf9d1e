"""The ledger's tables, and the connection to the database that holds them: SQLite in WAL mode, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

metadata = sa.MetaData()

studies = sa.Table(
    "studies", metadata,
    sa.Column("study_key", sa.String, primary_key=True),
    sa.Column("patient_key", sa.String, nullable=False, index=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("study_instance_uid", sa.String, nullable=False, index=True),
    sa.Column("patient_id", sa.String, nullable=False, index=True),
    sa.Column("issuer", sa.String, nullable=False),
    sa.Column("accession_number", sa.String, nullable=False, index=True),
    sa.Column("expected", sa.Text, nullable=False),
    sa.Column("found_digest", sa.String, nullable=False),
    sa.Column("selected", sa.Boolean, nullable=False, default=False),
)  # fmt: skip

results = sa.Table(
    "results", metadata,
    sa.Column("study_key", sa.String, primary_key=True),
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("inputs", sa.String, nullable=False, default=""),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason_code", sa.String, nullable=False, default=""),
    sa.Column("error_id", sa.String, nullable=False, default=""),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("output", sa.String, nullable=False, default=""),
    sa.Column("passed", sa.Integer, nullable=False, default=0),
    sa.Column("tally", sa.Text, nullable=False, default="[]"),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
)  # fmt: skip

events = sa.Table(
    "events", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("study_key", sa.String, nullable=False),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("reason_code", sa.String, nullable=False),
    sa.Column("error_id", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("said", sa.Text, nullable=False, default=""),
)  # fmt: skip

runs = sa.Table(
    "runs", metadata,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("process", sa.String, nullable=False),
    sa.Column("flow_run", sa.String, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("heartbeat_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("state", sa.String, nullable=False),
)  # fmt: skip

#: Under which evaluation plans each reference standard was opened (tasks/evaluation/openings.py).
openings = sa.Table(
    "openings", metadata,
    sa.Column("subject", sa.String, primary_key=True),
    sa.Column("mark", sa.String, primary_key=True),
    sa.Column("opened_at", sa.Float, nullable=False),
)  # fmt: skip

# ---- what is known of each PACS (tasks/pacs/book.py) ------------------------------------------------------------------

plans = sa.Table(
    "plans", metadata,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("cohort", sa.String, primary_key=True),
    sa.Column("asked_at", sa.Float, nullable=False),
)  # fmt: skip

refusals = sa.Table(
    "refusals", metadata,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("reason_code", sa.String, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
)  # fmt: skip

retrievals = sa.Table(
    "retrievals", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("study_key", sa.String, nullable=False, index=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("modality", sa.String, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False, index=True),
    sa.Column("finished_at", sa.Float),
    sa.Column("seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("requests", sa.Integer, nullable=False, default=0),
    sa.Column("instances", sa.Integer, nullable=False, default=0),
    sa.Column("bytes", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_status", sa.String, nullable=False, default=""),
    sa.Column("reason_code", sa.String, nullable=False, default=""),
)  # fmt: skip

conditions = sa.Table(
    "conditions", metadata,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("order", sa.String, nullable=False, default="run"),
    sa.Column("reason_code", sa.String, nullable=False, default=""),
    sa.Column("until", sa.Float),
    sa.Column("noted_at", sa.Float, nullable=False, default=0.0),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("failing_since", sa.Float),
    sa.Column("retry_at", sa.Float),
)  # fmt: skip

# ---- what the hospital says of studies (tasks/delivery/statements.py) -------------------------------------------------

statements = sa.Table(
    "statements", metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("accession_number", sa.String, nullable=False, index=True),
    sa.Column("study_instance_uid", sa.String, nullable=False, index=True),
    sa.Column("patient_ids", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("said_at", sa.Float, nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
)  # fmt: skip


def upgrade(made: sa.Engine) -> bool:
    """Give the tables of an earlier version the columns that this one has besides; False where one cannot be filled for old rows."""
    found = sa.inspect(made)
    missing = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name not in {known["name"] for known in found.get_columns(table.name)}
    ]
    if any(column.default is None and not column.nullable for column in missing):
        return False
    with made.begin() as connection:
        for column in missing:
            kind = column.type.compile(made.dialect)
            connection.execute(sa.text(f'ALTER TABLE {column.table.name} ADD COLUMN "{column.name}" {kind} {_filled(column)}'))
    return True


def _filled(column: sa.Column[Any]) -> str:
    """What old rows have in a new column."""
    value = getattr(column.default, "arg", None)
    if value is None:
        return ""
    literal = str(sa.literal(value).compile(compile_kwargs={"literal_binds": True}))
    return f"NOT NULL DEFAULT {literal}"


def engine(url: str) -> sa.Engine:
    """A connection pool to a ledger's database; an SQLite file is made private, in WAL mode, and its writers start as writers."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed)
    if parsed.database:
        path = Path(parsed.database)
        if not path.exists() and path.parent.exists():
            path.touch(mode=0o600)
    made = sa.create_engine(parsed, connect_args={"timeout": 60, "check_same_thread": False})

    @event.listens_for(made, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's `begin` below decides: a writer must not start as a reader
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reads", False):  # whoever only reads does it statement by statement
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made
