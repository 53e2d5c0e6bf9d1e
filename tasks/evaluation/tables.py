"""The tables of an evaluation: read from files, cut to the columns that count, and hashed by what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan

_STUDY = "StudyInstanceUID"
#: Acquisition attributes may stand beside the predictions, since they belong to the series that was read.
ACQUISITION = ("Manufacturer", "SliceThickness", "ConvolutionKernel")
#: What is read of each table, besides the cohort's attributes that the plan names.
COLUMNS = {
    "predictions": (
        _STUDY, "SeriesInstanceUID", "PatientID", "model_name", "model_version", "finding", "score", "reason_code", "weights_sha256",
        *ACQUISITION,
    ),
    "reference": (_STUDY, "PatientID", "finding", "label"),
    "cohort": (_STUDY, "PatientID", "SliceThickness"),
    "overlaps": (
        _STUDY, "structure", "dice", "surface_dice", "mean_distance", "hausdorff", "hausdorff_95", "volume", "reference_volume", "reason_code",
    ),
    "measurements": (_STUDY, "measurement", "value", "reference_value", "target", "repeat"),
    "readings": (_STUDY, "reader", "modality", "score"),
}  # fmt: skip
#: Columns that are numbers, whatever type a file gives them; all others are text, so that `007` stays what it is.
NUMBERS = frozenset({"score", "label", "SliceThickness"})
#: The same of the tables that do not name attributes of a cohort.
MEASURED = NUMBERS | {
    "dice", "surface_dice", "mean_distance", "hausdorff", "hausdorff_95", "volume", "reference_volume", "value", "reference_value",
}  # fmt: skip


def read_table(path: Path, what: str, plan: Plan | None = None) -> pa.Table:
    """A table from a .parquet file, a .csv file (UTF-8, header line; an empty field is a null) or a folder of .parquet parts.

    Args:
        what: the table's role (`predictions`, `reference`, `cohort`), for the error.
        plan: where it is given, columns of Parquet that its evaluation does not need are not read.

    Raises:
        ConfigurationError: E-EVAL-FILE with the role, the path and what is wrong.
    """
    try:
        if path.is_dir():
            parts = sorted(path.rglob("*.parquet"))
            if not parts:
                raise ConfigurationError("E-EVAL-FILE", f"{what}: no .parquet file below {path}")
            return pa.concat_tables([_read_parquet(part, what, plan) for part in parts], promote_options="permissive")
        if path.suffix.lower() == ".parquet":
            return _read_parquet(path, what, plan)
        if path.suffix.lower() == ".csv":
            return _read_csv(path)
    except (OSError, pa.ArrowException) as error:
        kind = "is not there" if isinstance(error, FileNotFoundError) else "is damaged, or its parts do not agree"
        raise ConfigurationError("E-EVAL-FILE", f"{what}: {path} {kind}") from None
    raise ConfigurationError("E-EVAL-FILE", f"{what}: {path} is neither .parquet nor .csv nor a folder")


def _read_parquet(path: Path, what: str, plan: Plan | None) -> pa.Table:
    if plan is None:
        return pq.read_table(path, partitioning=None)
    wanted = {*COLUMNS.get(what, ()), *plan.attributes}
    return pq.read_table(path, partitioning=None, columns=[name for name in pq.read_schema(path).names if name in wanted])


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


def text(table: pa.Table, column: str, what: str) -> pa.ChunkedArray:
    """A column as text without surrounding spaces, null where it is null or empty.

    Raises:
        ConfigurationError: E-EVAL-COLUMN where the column's type can't be read as text.
    """
    try:
        values = table[column] if pa.types.is_string(table[column].type) else table[column].cast(pa.string())
        trimmed = pc.utf8_trim_whitespace(values)
        empty = pc.equal(pc.binary_length(trimmed), 0)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ConfigurationError("E-EVAL-COLUMN", f"{what}: {column} can't be read as text") from None
    if not pc.any(empty).as_py():
        return trimmed
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)


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


def _sorted(table: pa.Table, names: Sequence[str]) -> pa.Table:
    keys = [(name, "ascending") for name in dict.fromkeys(names)]
    return table.take(pc.sort_indices(table, sort_keys=keys)) if keys else table


def content_sha256(table: pa.Table, numbers: Set[str] = NUMBERS) -> str:
    """SHA-256 of what a table says, whatever file it came from.

    Of each column in the order of the names: its name, which values there are, and these: numbers as float64, texts by length and
    UTF-8, rows sorted by StudyInstanceUID (by all columns where a study has several rows). The order of rows and columns, the layout
    of the file, surrounding spaces, and whether an empty text is null do not count. Columns that can't be read as text (lists,
    structures) raise ConfigurationError E-EVAL-COLUMN.

    Args:
        numbers: the columns that are numbers.
    """
    names = sorted(table.column_names)
    made = pa.table({
        name: pa.array(number(table, name, "input")) if name in numbers else text(table, name, "input") for name in names
    })  # fmt: skip
    if made.num_rows:
        made = _sorted(made.combine_chunks(), [name for name in names if name == _STUDY])
        if (
            _STUDY not in names
            or made[_STUDY].null_count
            or pc.any(pc.equal(made[_STUDY].slice(1), made[_STUDY].slice(0, made.num_rows - 1))).as_py()
        ):
            made = _sorted(made, [name for name in (_STUDY, *names) if name in names])
    said = hashlib.sha256(f"{made.num_rows} {names}".encode())
    for name in names:
        column = made[name].combine_chunks()
        column = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
        if not len(column):
            continue
        if name in numbers:
            values = np.asarray(column)
            said.update(np.isnan(values).tobytes())
            said.update(np.where(np.isnan(values), 0.0, values).astype("<f8").tobytes())
        else:
            said.update(np.asarray(pc.fill_null(pc.binary_length(column), -1)).astype("<i4").tobytes())
            filled = pc.fill_null(column, "")
            offsets = np.frombuffer(filled.buffers()[1], dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
            if filled.buffers()[2] is not None:
                said.update(memoryview(filled.buffers()[2])[int(offsets[0]) : int(offsets[-1])])
    return said.hexdigest()
