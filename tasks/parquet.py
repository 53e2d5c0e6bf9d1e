"""The one way to write Parquet: of a table whose columns and types were declared before."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

#: Rows of a row group of a large file: enough to be read fast, few enough to be passed over.
_ROW_GROUP = 65_536


def write(table: pa.Table, path: Path) -> None:
    """Write a small table, ZSTD, with its Arrow schema."""
    pq.write_table(table, path, compression="zstd", store_schema=True)


def content(table: pa.Table) -> bytes:
    """What `write` writes: the same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=True)
    return bytes(sink.getvalue())


def write_sorted(rows: pa.Table, path: Path, keys: Sequence[str]) -> None:
    """Write rows of parts, which kept their contract when they were published, and are sorted by `keys`, as one large Parquet file: ZSTD, with
    statistics and page indexes, and Bloom filters of UIDs where the writer has them."""
    more: dict[str, Any] = {}
    if "bloom_filter_options" in signature(pq.write_table).parameters:
        options = {"ndv": min(rows.num_rows, _ROW_GROUP), "fpp": 0.05}
        more["bloom_filter_options"] = {name: options for name in rows.column_names if name.endswith("InstanceUID")}
    sorting = [pq.SortingColumn(rows.column_names.index(name)) for name in keys]
    pq.write_table(
        rows, path, compression="zstd", row_group_size=_ROW_GROUP, sorting_columns=sorting, write_page_index=True, **more
    )
