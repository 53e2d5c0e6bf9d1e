"""The part of a release's selection that is SQL: over the lake's tables, read only, and giving volumes by a key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.query import ask
from tasks.release.rule import Row

#: What tells volumes apart in an answer, the finest first.
_KEYS = (("path",), ("SeriesInstanceUID", "volume_index"), ("SeriesInstanceUID",), ("StudyInstanceUID",), ("PatientID",))
_STATEMENT = re.compile(r"\s*\(*\s*(select|with|from)\b", re.IGNORECASE)


def chosen_by(lake: Lake, where: str | None, rows: Sequence[Row]) -> list[bool]:
    """For each volume, whether the selection by SQL has it; all, where there is none.

    Args:
        where: a condition over the columns of `volumes`, or a whole query over any tables whose answer has one of these columns:
            `path`, `SeriesInstanceUID` (with or without `volume_index`), `StudyInstanceUID`, `PatientID`.

    Raises:
        ConfigurationError: E-RELEASE-SQL with DuckDB's word on what is wrong, or where no column names volumes, or where the lake
            is not a local folder.
    """
    if where is None:
        return [True] * len(rows)
    if lake.root is None:
        raise ConfigurationError("E-RELEASE-SQL", "the lake is not a local folder")
    sql = where if _STATEMENT.match(where) else f"SELECT SeriesInstanceUID, volume_index FROM volumes WHERE ({where}\n)"  # noqa: S608 - it is the user's own query, in a database that can only be read
    try:
        answer = ask(lake.root, sql)
    except SafelightError as error:
        raise ConfigurationError("E-RELEASE-SQL", error.place) from None
    key = next((key for key in _KEYS if set(key) <= set(answer.column_names)), None)
    if key is None:
        raise ConfigurationError("E-RELEASE-SQL", "the answer has none of the columns that name volumes")
    wanted = {tuple(row.values()) for row in answer.select(list(key)).to_pylist()}
    return [tuple(row[name] for name in key) in wanted for row in rows]
