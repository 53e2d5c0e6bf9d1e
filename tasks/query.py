"""SQL over the lake's tables: each table of a contract is a DuckDB view of its Parquet files, and nothing else can be read.

The tables of IDC's index are there too (`tasks.idc`), made of ours.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
from rich.table import Table

from data_contracts.contract import Contract
from data_contracts.document import contracts
from tasks.compact.coverage import PART, Selection, select
from tasks.compact.reading import dataset
from tasks.errors import SafelightError
from tasks.idc import VIEWS
from tasks.lake import Lake

#: So often a query is asked anew where a file was replaced or withdrawn while it was read.
_TRIES = 5
_ASKING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


def ask(lake: Lake | Path, sql: str) -> pa.Table:
    """Run one query over the lake, given as such or as its folder.

    Raises:
        SafelightError: E-QUERY with DuckDB's word on what is wrong with it.
    """
    zone = lake if isinstance(lake, Lake) else Lake(str(lake.absolute()))
    for tries in range(_TRIES, 0, -1):
        try:
            return _ask(zone, sql)
        except (duckdb.Error, FileNotFoundError) as error:
            said = str(error)
            if tries == 1 or not _is_gone(error, said):
                raise SafelightError("E-QUERY", said.splitlines()[0]) from None
    raise SafelightError("E-QUERY")


def _is_gone(error: Exception, said: str) -> bool:
    """Whether a file of the lake was not there any more when it was to be read."""
    return (
        isinstance(error, FileNotFoundError)
        or "No such file" in said
        or "Path does not exist" in said
        or "No files found" in said
    )


def _ask(lake: Lake, sql: str) -> pa.Table:
    with duckdb.connect() as connection:
        readable: list[str] = []
        for contract in contracts():
            readable += _offer(connection, lake, contract)
        for name, view in VIEWS.items():
            connection.execute(f'CREATE VIEW "{name}" AS {view}')
        connection.execute("SET allowed_paths = ?", [readable])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        _only_asks(connection, sql)
        try:
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error:
            # DuckDB takes the name of a file that is gone for a folder's, and says that it may not look into it
            if all(Path(path).exists() for path in readable):
                raise
            raise FileNotFoundError("a large file of a compacted table") from None


def _only_asks(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what may write: DuckDB would write over the files that it may read."""
    for statement in connection.extract_statements(sql):
        if statement.type not in _ASKING or (statement.type == duckdb.StatementType.EXPLAIN and "analyze" in sql.lower()):
            raise SafelightError("E-QUERY", "only SELECT, PIVOT, DESCRIBE, SHOW, SUMMARIZE, and EXPLAIN without ANALYZE")


def _offer(connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract) -> list[str]:
    """Make a table known. What a query does not ask for is not read. Returns the files that DuckDB itself reads."""
    chosen = select(lake, contract)
    if not chosen.chunks:
        connection.register(contract.name, dataset(lake, contract, chosen))
        return []
    own = [] if lake.root is None else [str(lake.root / chunk.path) for chunk in chosen.chunks]
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    # DuckDB's own reader passes over what cannot be an answer; an object store is read by Arrow, which needs no extension of DuckDB
    known = connection.read_parquet(own) if own else connection.from_arrow(dataset(lake, contract, replace(chosen, parts=())))
    if chosen.stale:
        names = ", ".join(f"'{part}'" for part in sorted(chosen.stale))  # parts are named by keys of ours: no quotes
        known = known.filter(f"{PART} NOT IN ({names})")
    known = known.project(columns)
    if chosen.parts:
        parts = connection.from_arrow(dataset(lake, contract, Selection((), frozenset(), chosen.parts)))
        known = known.union(parts.project(columns))
    known.create_view(contract.name)
    return own


def draw(answer: pa.Table, rows: int = 200) -> Table:
    """An answer for a terminal; at most `rows` rows, and a last line that says how many were left out."""
    left_out = max(answer.num_rows - rows, 0)
    drawn = Table(caption=f"{answer.num_rows} rows" + (f", {left_out} not shown" if left_out else ""))
    for name, kind in zip(answer.column_names, answer.schema.types, strict=True):
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        drawn.add_column(name, justify="right" if number else "left")
    for row in answer.slice(0, rows).to_pylist():
        drawn.add_row(
            *("" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value) for value in row.values())
        )
    return drawn


def as_csv(answer: pa.Table) -> str:
    """An answer as comma-separated values with a header line; the values of a list are joined by a backslash, as DICOM does."""
    for place, (name, kind) in enumerate(zip(answer.column_names, answer.schema.types, strict=True)):
        if pa.types.is_list(kind):
            joined = [None if values is None else "\\".join(map(str, values)) for values in answer[name].to_pylist()]
            answer = answer.set_column(place, name, pa.array(joined, pa.string()))
    sink = io.BytesIO()
    pacsv.write_csv(answer, sink)
    return sink.getvalue().decode()
