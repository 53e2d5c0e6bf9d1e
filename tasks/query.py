"""SQL over the lake's tables: each table of a contract is a DuckDB view of its Parquet parts, and nothing else can be read."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
from rich.table import Table

from data_contracts.document import contracts
from tasks.errors import SafelightError
from tasks.lake import Lake


def ask(folder: Path, sql: str) -> pa.Table:
    """Run one query over the lake in `folder`.

    Raises:
        SafelightError: E-QUERY with DuckDB's word on what is wrong with it.
    """
    lake = Lake(str(folder.absolute()))
    with duckdb.connect() as connection:
        for contract in contracts():
            # an Arrow table, not a file: what is asked can then not depend on which parts happen to lack a column
            connection.register(contract.name, lake.table(contract))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise SafelightError("E-QUERY", str(error).splitlines()[0]) from None


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
    """An answer as comma-separated values with a header line."""
    sink = io.BytesIO()
    pacsv.write_csv(answer, sink)
    return sink.getvalue().decode()
