"""The ledger's statements that are sent for every study: compiled once a dialect, and handed to the driver as they are.

Through SQLAlchemy's own `execute` making a statement's parameters and its result costs several times what the database does with it.
`Prepared` leaves that out, and nothing else: connections, transactions, errors and lost connections stay SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from tasks.ledger_tables import conditions, events, results, retrievals

_value = sa.bindparam


class Prepared:
    """A statement whose parameters are all named. Safe to use from several threads."""

    def __init__(self, clause: sa.Select[Any] | sa.sql.dml.UpdateBase) -> None:
        self._clause = clause
        self._texts: dict[str, tuple[str, dict[str, Any]]] = {}

    def on(self, connection: sa.Connection, parameters: Mapping[str, Any]) -> sa.CursorResult[Any]:
        """Carry it out; every one of its parameters must be given. What the columns' types would convert is not converted."""
        known = self._texts.get(connection.dialect.name)
        text, constants = known or self._texts.setdefault(connection.dialect.name, self._compiled(connection.dialect))
        return connection.exec_driver_sql(text, {**constants, **parameters})

    def _compiled(self, dialect: sa.Dialect) -> tuple[str, dict[str, Any]]:
        """Its text in a dialect, and the parameters that are constants."""
        named = (
            sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
        )  # SQLAlchemy's own way there is by position
        compiled = self._clause.compile(dialect=named)
        return str(compiled), {name: bound.value for name, bound in compiled.binds.items() if not bound.required}


def row_of(table: sa.Table, *but: str) -> dict[str, sa.BindParameter[Any]]:
    """A new row's values: each column as a parameter of its name, all `but` these."""
    return {column.name: _value(column.name, type_=column.type) for column in table.columns if column.name not in but}


#: A study's row of a stage; parameters `key`, `of_stage`.
ROW = sa.select(results).where(results.c.study_key == _value("key"), results.c.stage == _value("of_stage")).with_for_update()

#: Parameters `key`, `of_stage`, `run`, `failed` (0 or 1), and the new values by `new_` and their names.
#: Gives when the run began with it, or nothing.
FINISH = Prepared(
    sa.update(results)
    .where(
        results.c.study_key == _value("key"), results.c.stage == _value("of_stage"), results.c.owner == _value("run"),
        results.c.status == "running",
    )
    .values(
        {
            name: _value(f"new_{name}")
            for name in ("status", "reason_code", "error_id", "output", "passed", "tally", "finished_at")
        }
        | {"attempts": results.c.attempts + _value("failed", type_=sa.Integer)}
    )
    .returning(results.c.started_at)
)  # fmt: skip

#: A line of what happened; its columns as parameters.
EVENT = Prepared(sa.insert(events).values(row_of(events, "id")))

#: How it stands with a PACS; parameter `source`.
CONDITION = Prepared(sa.select(conditions).where(conditions.c.source == _value("source")))

#: A try at a study begins; its columns as parameters, without those that have a default. For SQLAlchemy's `execute`: it gives the row's number.
BEGIN = sa.insert(retrievals)

#: A try at a study that was not noted before it ended; its columns as parameters.
TRY = Prepared(sa.insert(retrievals).values(row_of(retrievals, "id")))

#: It has ended; parameters `number`, and what is known of it by `new_` and the columns' names. `new_seconds` may be None.
END = Prepared(
    sa.update(retrievals)
    .where(retrievals.c.id == _value("number"))
    .values(
        {
            name: _value(f"new_{name}")
            for name in ("modality", "requests", "instances", "bytes", "last_status", "reason_code", "finished_at")
        }
        | {
            "seconds": sa.func.coalesce(
                _value("new_seconds", type_=sa.Float), _value("new_finished_at", type_=sa.Float) - retrievals.c.started_at
            )
        }
    )
)
