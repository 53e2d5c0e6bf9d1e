"""A table of the lake from its large files and from the parts that are not in them, each row once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from data_contracts.contract import Contract
from tasks.compact.coverage import PART, ROW, Selection, again, select

if TYPE_CHECKING:
    from tasks.lake import Lake


def read(lake: Lake, contract: Contract, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a table, in the order of its parts' names: the same table whether it is compacted or not.

    Args:
        columns: the only ones that are read, in this order.

    A part of an earlier version that lacks a column has nulls there.
    """
    schema = contract.schema() if columns is None else pa.schema([contract.schema().field(name) for name in columns])
    return again(lambda: _read(lake, contract, schema))


def _read(lake: Lake, contract: Contract, schema: pa.Schema) -> pa.Table:
    chosen = select(lake, contract)
    if not chosen.chunks:
        tables = [part(lake, path, schema) for path in chosen.parts]
        return pa.concat_tables(tables) if tables else schema.empty_table()
    told = pa.schema([*lenient(schema), (PART, pa.string()), (ROW, pa.int32())])
    tables = [chunk(lake, each.path, told, chosen.stale) for each in chosen.chunks]
    base = len(f"tables/{contract.name}/")
    tables += [tell(part(lake, path, lenient(schema)), path[base:]) for path in chosen.parts]
    table = pa.concat_tables(tables).combine_chunks()  # to pick from thousands of pieces takes minutes
    order = pc.sort_indices(table.select([PART, ROW]), sort_keys=[(PART, "ascending"), (ROW, "ascending")])
    return pa.Table.from_arrays(table.select(schema.names).take(order).columns, schema=schema)


def lenient(schema: pa.Schema) -> pa.Schema:
    """The same columns, where nulls may stand in each: a part of an earlier version may lack one."""
    return pa.schema([field.with_nullable(True) for field in schema], metadata=schema.metadata)


def part(lake: Lake, path: str, schema: pa.Schema) -> pa.Table:
    """One part, with the columns of `schema`."""
    filesystem, [place] = lake.opened([path])
    with filesystem.open_input_file(place) as stream:
        return _fitted(pq.ParquetFile(stream), schema)


def part_of(content: bytes, schema: pa.Schema) -> pa.Table:
    """One part from its bytes, with the columns of `schema`."""
    return _fitted(pq.ParquetFile(pa.BufferReader(content)), schema)


def chunk(lake: Lake, path: str, schema: pa.Schema, stale: frozenset[str]) -> pa.Table:
    """One large file, with the columns of `schema`, without the rows of the parts that do not count."""
    filesystem, [place] = lake.opened([path])
    with filesystem.open_input_file(place) as stream:
        table = _fitted(pq.ParquetFile(stream), schema, small=False)
    if not stale:
        return table
    return table.filter(pc.invert(pc.is_in(table[PART], pa.array(sorted(stale), pa.string()))))


def tell(table: pa.Table, name: str) -> pa.Table:
    """A part's rows, each with the part's name and its place."""
    count = table.num_rows
    return table.append_column(PART, pa.repeat(pa.scalar(name), count)).append_column(ROW, pa.array(range(count), pa.int32()))


def _fitted(file: pq.ParquetFile, schema: pa.Schema, *, small: bool = True) -> pa.Table:
    """What a file has of the columns of `schema`, and nulls for the others. Threads are of use for large files alone."""
    there = set(file.schema_arrow.names)
    wanted = [name for name in schema.names if name in there]
    table = file.read(columns=None if len(wanted) == len(there) else wanted, use_threads=not small)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    arrays = []
    for field in schema:
        column = columns.get(field.name)
        if column is None:
            column = pa.nulls(table.num_rows, field.type)
        arrays.append(column if column.type == field.type else column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def dataset(lake: Lake, contract: Contract, chosen: Selection) -> Any:
    """A table as a `pyarrow.dataset.Dataset`, of which whoever asks reads no more than is asked for.

    It has the further column `PART` where `chosen.stale` is not empty; rows of these parts do not count.
    """
    schema = lenient(contract.schema())
    if chosen.stale:
        schema = schema.append(pa.field(PART, pa.string()))
    filesystem, paths = lake.opened([*(each.path for each in chosen.chunks), *chosen.parts])
    if not paths:
        return ds.dataset(schema.empty_table())
    return ds.dataset(paths, schema=schema, format="parquet", filesystem=filesystem)
