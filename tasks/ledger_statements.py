"""The ledger's statements that are sent for every study: made once, since making one costs as much as carrying it out."""

from __future__ import annotations

import sqlalchemy as sa

from tasks.ledger_tables import conditions, events, results, retrievals

_value = sa.bindparam

#: A study's row of a stage; parameters `key`, `of_stage`.
ROW = sa.select(results).where(results.c.study_key == _value("key"), results.c.stage == _value("of_stage")).with_for_update()

#: Parameters `key`, `of_stage`, `run`, `failed` (0 or 1), and the new values by `new_` and their names.
#: Gives when the run began with it, or nothing.
FINISH = (
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
EVENT = sa.insert(events)

#: How it stands with a PACS; parameter `source`.
CONDITION = sa.select(conditions).where(conditions.c.source == _value("source"))

#: A try at a study; its columns as parameters.
BEGIN = sa.insert(retrievals)

#: It has ended; parameters `number`, `now`, and what is known of it by `new_` and the columns' names. `new_seconds` may be None.
END = (
    sa.update(retrievals)
    .where(retrievals.c.id == _value("number"))
    .values(
        {name: _value(f"new_{name}") for name in ("modality", "requests", "instances", "bytes", "last_status", "reason_code")}
        | {"finished_at": _value("now", type_=sa.Float)}
        | {
            "seconds": sa.func.coalesce(
                _value("new_seconds", type_=sa.Float), _value("now", type_=sa.Float) - retrievals.c.started_at
            )
        }
    )
)
