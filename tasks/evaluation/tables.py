"""The tables of an evaluation: read from files, cut to the columns that count, and hashed by what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from tasks.errors import ConfigurationError

#: Columns that are numbers, whatever type a file gives them; all others are text, so that `007` stays what it is.
NUMBERS = frozenset({"score", "label", "SliceThickness"})


def read_table(path: Path, what: str) -> pa.Table:
    """A table from a .parquet file, a .csv file (UTF-8, header line; an empty field is a null) or a folder of .parquet parts.

    Args:
        what: the table's role (`predictions`, `reference`, `cohort`), for the error.

    Raises:
        ConfigurationError: E-EVAL-FILE with the role, the path and what is wrong.
    """
    try:
        if path.is_dir():
            parts = sorted(path.rglob("*.parquet"))
            if not parts:
                raise ConfigurationError("E-EVAL-FILE", f"{what}: no .parquet file below {path}")
            return pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts], promote_options="permissive")
        if path.suffix.lower() == ".parquet":
            return pq.read_table(path, partitioning=None)
        if path.suffix.lower() == ".csv":
            return _read_csv(path)
    except (OSError, pa.ArrowException) as error:
        kind = "is not there" if isinstance(error, FileNotFoundError) else "is damaged, or its parts do not agree"
        raise ConfigurationError("E-EVAL-FILE", f"{what}: {path} {kind}") from None
    raise ConfigurationError("E-EVAL-FILE", f"{what}: {path} is neither .parquet nor .csv nor a folder")


def _read_csv(path: Path) -> pa.Table:
    with csv.open_csv(path) as reader:
        header = reader.schema.names
    types = dict.fromkeys(header, pa.string())
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=True, null_values=[""])
    return csv.read_csv(path, convert_options=options)


def require(table: pa.Table, columns: Iterable[str], what: str) -> None:
    """Hold that a table has these columns.

    Raises:
        ConfigurationError: E-EVAL-COLUMN with the role and every column that is missing.
    """
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise ConfigurationError("E-EVAL-COLUMN", f"{what}: {', '.join(missing)}")


def select(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Those of the columns that the table has."""
    return table.select([name for name in columns if name in table.column_names])


def text(table: pa.Table, column: str, what: str) -> pd.Series[Any]:
    """A column as text without surrounding spaces, None where it is null or empty; all None where the table lacks the column.

    Raises:
        ConfigurationError: E-EVAL-COLUMN where the column's type can't be read as text.
    """
    if column not in table.column_names:
        return pd.Series([None] * table.num_rows, dtype=object)
    try:
        trimmed = pc.utf8_trim_whitespace(table[column].cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ConfigurationError("E-EVAL-COLUMN", f"{what}: {column} can't be read as text") from None
    found = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    return pd.Series(found.to_pylist(), dtype=object)


def number(table: pa.Table, column: str, what: str) -> NDArray[np.float64]:
    """A column as float64, NaN where it is null; all NaN where the table lacks the column.

    Raises:
        ConfigurationError: E-EVAL-COLUMN where the column's type can't be read as numbers.
    """
    if column not in table.column_names:
        return np.full(table.num_rows, np.nan)
    try:
        values = table[column]
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            trimmed = pc.utf8_trim_whitespace(values)
            values = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)
        return np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), float("nan")), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ConfigurationError("E-EVAL-COLUMN", f"{what}: {column} can't be read as numbers") from None


def content_sha256(table: pa.Table) -> str:
    """SHA-256 of what a table says, whatever file it came from: columns by name, numbers as float64, rows sorted, as CSV.

    The order of rows and columns, the layout of the file, and whether an empty text is null do not count. Columns that can't be
    read as text (lists, structures) raise ConfigurationError E-EVAL-COLUMN.
    """
    names = sorted(table.column_names)
    made = {}
    for name in names:
        if name in NUMBERS:
            made[name] = pa.array(number(table, name, "input"))
        else:
            made[name] = pa.array(text(table, name, "input"), pa.string())
    ordered = pa.table(made)
    if ordered.num_rows:
        ordered = ordered.take(pc.sort_indices(ordered, sort_keys=[(name, "ascending") for name in names]))
    sink = pa.BufferOutputStream()
    csv.write_csv(ordered, sink)
    return hashlib.sha256(sink.getvalue().to_pybytes()).hexdigest()
