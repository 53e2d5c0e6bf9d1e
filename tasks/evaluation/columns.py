"""Parts of the results as tables of columns: the same rows as CSV and as Parquet, with types from the parts' own declarations."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import pyarrow as pa
from pydantic import BaseModel

from tasks.evaluation.estimate import Estimate

#: What stands beside an estimate, and its type.
_BESIDE = {"lower": pa.float64(), "upper": pa.float64(), "method": pa.string(), "reason": pa.string()}
_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64(), Estimate: pa.float64()}


@dataclass(frozen=True)
class Rows:
    """A table of the results.

    Args:
        header: the names of the columns.
        rows: their values; None where there is none.
        parts: whose fields the columns are; the first that has one of a column's name gives its type.
        types: of columns that are no part's field.
    """

    header: Sequence[str]
    rows: Iterable[Iterable[Any]]
    parts: tuple[type[BaseModel], ...] = ()
    types: tuple[tuple[str, pa.DataType], ...] = ()

    def schema(self) -> pa.Schema:
        """Names and types.

        Raises:
            LookupError: a column is no part's field and has no type.
        """
        return pa.schema([(name, self._type(name)) for name in self.header])

    def _type(self, name: str) -> pa.DataType:
        given = dict(self.types)
        if name in given:
            return given[name]
        for part in self.parts:
            found = _fields(part).get(name)
            if found is not None:
                return found
        whole, _, last = name.rpartition("_")
        if last in _BESIDE and whole:
            return _BESIDE[last]
        raise LookupError(f"the column {name} has no type")

    def taken(self) -> Rows:
        """The same, with rows that may be gone through more than once."""
        return Rows(self.header, [list(row) for row in self.rows], self.parts, self.types)


@cache
def _fields(part: type[BaseModel]) -> dict[str, pa.DataType]:
    """The Arrow types of a part's fields that are single values."""
    found = {}
    for name, field in part.model_fields.items():
        kind = _kind(field.annotation)
        if kind is not None:
            found[name] = kind
    return found


def _kind(annotation: Any) -> pa.DataType | None:
    if annotation in _TYPES:
        return _TYPES[annotation]
    options = [each for each in get_args(annotation) if each is not type(None)]
    if options and all(isinstance(each, str) for each in options):  # Literal
        return pa.string()
    return _kind(options[0]) if len(options) == 1 and options[0] in _TYPES else None


def bounds(name: str) -> tuple[str, ...]:
    """The columns of an estimate."""
    return name, *(f"{name}_{each}" for each in _BESIDE)


def values(estimate: Estimate | None) -> tuple[Any, ...]:
    """An estimate in those columns."""
    if estimate is None:
        return (None,) * (1 + len(_BESIDE))
    return estimate.estimate, estimate.lower, estimate.upper, estimate.method, estimate.reason


def estimates(names: Sequence[str], row: BaseModel) -> Iterator[Any]:
    """Several estimates of a part, one after the other."""
    for name in names:
        yield from values(getattr(row, name))


def shown(suppressed: bool, *counts: int | None) -> list[int | None]:
    """Counts as they may be shown: none of a suppressed level."""
    return [None if suppressed else n for n in counts]


def flat(kind: type[BaseModel], rows: Sequence[BaseModel]) -> Rows:
    """A table of a part's own fields."""
    names = tuple(kind.model_fields)
    return Rows(names, ([getattr(row, name) for name in names] for row in rows), (kind,))


def csv_of(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """UTF-8 with LF, numbers in full, nothing for None."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_field(value) for value in row])
    return sink.getvalue().encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def arrow_of(table: Rows) -> pa.Table:
    """The table in Arrow; nulls for None."""
    schema = table.schema()
    rows = [tuple(row) for row in table.rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
