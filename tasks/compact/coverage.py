"""What is compacted of a table: which files hold which parts' rows, and whether these are still what lies in the lake.

The parts that stages publish stay where they are, and are the truth. `compact/<table>/index.json` names the large files and `covered`, a list of
every part that is in them, with its size, its time, and its SHA-256. A part that is not as it was then does not count as covered: readers
take it from its own file, and leave out what the large file says of it. So whatever happens between a part and its copy, readers are right.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Contract
from tasks.stage import digest

if TYPE_CHECKING:
    from tasks.lake import Lake

#: Beside a contract's columns, a large file says of each row which part it is of (its name below `tables/<table>/`), and its place there.
PART, ROW = "_part", "_row"
#: So often a table is looked at anew where files went while they were read.
_TRIES = 10
Answer = TypeVar("Answer")
COVERED = pa.schema([
    ("part", pa.string()), ("size", pa.int64()), ("changed_ns", pa.int64()), ("sha256", pa.string()), ("chunk", pa.int32()),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chunk:
    """One large file: its lake path, its SHA-256, and how many rows it has."""

    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Covered:
    """A part as it was when it was compacted: its state (`Lake.states`), its SHA-256, and the number of its chunk."""

    state: tuple[int, int]
    sha256: str
    chunk: int


@dataclass(frozen=True, slots=True)
class Index:
    """What is compacted of a table.

    Attributes:
        schema: the digest of the columns; files of other columns do not count.
        covered: the lake path of the list of parts.
        folders: the times of the folders that the parts lie in, relative to the table's. As long as these are the same, no part has come, gone
            or been replaced since, and the list need not be read. None where that cannot be told.
    """

    schema: str
    chunks: tuple[Chunk, ...]
    covered: str
    folders: Mapping[str, int] | None

    def to_json(self) -> bytes:
        """Canonical bytes."""
        return (json.dumps(asdict(self), sort_keys=True, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Selection:
    """From where a table is read.

    Attributes:
        chunks: large files.
        stale: names of parts whose rows in the large files do not count.
        parts: lake paths of parts that are read themselves, by name.
        covered: every part that counts as covered.
    """

    chunks: tuple[Chunk, ...]
    stale: frozenset[str]
    parts: tuple[str, ...]
    covered: Mapping[str, Covered] = field(default_factory=dict)


def index_path(table: str) -> str:
    """Where a table's index is."""
    return f"compact/{table}/index.json"


def columns_digest(contract: Contract) -> str:
    """Changes with the names and types of a table's columns."""
    return digest([(column.name, str(column.type)) for column in contract.columns])


def index_of(lake: Lake, table: str) -> Index | None:
    """A table's index, or None where nothing is compacted."""
    if not lake.exists(index_path(table)):
        return None
    try:
        body = json.loads(lake.read(index_path(table)))
    except FileNotFoundError:  # taken away in this moment
        return None
    return Index(body["schema"], tuple(Chunk(**chunk) for chunk in body["chunks"]), body["covered"], body["folders"])


def list_to_bytes(rows: pa.Table) -> bytes:
    """A list of parts, of the schema `COVERED`, as an Arrow file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, COVERED, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def list_of(lake: Lake, index: Index) -> pa.Table:
    """The list of parts that an index names, of the schema `COVERED`.

    Raises:
        FileNotFoundError: another compaction has replaced it.
    """
    with pa.ipc.open_file(pa.BufferReader(lake.read(index.covered))) as reader:
        return reader.read_all()


def covered_by(lake: Lake, index: Index) -> dict[str, Covered]:
    """The same, by the parts' names."""
    rows = list_of(lake, index).to_pydict()
    return {
        part: Covered((size, changed), sha256, chunk)
        for part, size, changed, sha256, chunk in zip(*(rows[name] for name in COVERED.names), strict=True)
    }


def known(lake: Lake, contract: Contract) -> tuple[Index | None, dict[str, Covered]]:
    """A table's index and its list, or None and nothing: where there is none, the columns were others then, or the list has gone, which
    two compactions at once may do to each other. Large files whose parts are not known must not be read."""
    index = index_of(lake, contract.name)
    if index is None or index.schema != columns_digest(contract) or not lake.exists(index.covered):
        return None, {}
    return index, covered_by(lake, index)


def parts_of(lake: Lake, table: str) -> dict[str, tuple[int, int]]:
    """All parts that lie in the lake: name below `tables/<table>/` → state, by name."""
    base = len(f"tables/{table}/")
    found = lake.states(f"tables/{table}")
    return {path[base:]: found[path] for path in sorted(found) if path.endswith(".parquet")}


def folders_of(lake: Lake, table: str) -> dict[str, int] | None:
    """The times of a table's folders, or None in an object store, which has none, and where the file system's clock is coarse."""
    if lake.root is None:
        return None
    top = lake.root / "tables" / table
    try:
        times = {os.path.relpath(folder, top): Path(folder).stat().st_mtime_ns for folder, _, _ in os.walk(top)}
    except FileNotFoundError:
        return None
    return times if any(time % 10**9 for time in times.values()) else None


def select(lake: Lake, contract: Contract) -> Selection:
    """From where a table is read, by what lies in the lake now.

    Raises:
        FileNotFoundError: another compaction has replaced a file in this moment; ask again.
    """
    table = contract.name
    index = index_of(lake, table)
    if index is None or index.schema != columns_digest(contract):
        return Selection((), frozenset(), tuple(f"tables/{table}/{part}" for part in parts_of(lake, table)))
    there = [lake.exists(chunk.path) for chunk in index.chunks]
    if index.folders is not None and all(there) and _unchanged(lake, table, index.folders):
        return Selection(index.chunks, frozenset(), ())
    index, listed = known(lake, contract)
    chunks = () if index is None else index.chunks
    return judge(table, chunks, [lake.exists(chunk.path) for chunk in chunks], listed, parts_of(lake, table))


def judge(
    table: str,
    chunks: tuple[Chunk, ...],
    there: list[bool],
    listed: Mapping[str, Covered],
    parts: Mapping[str, tuple[int, int]],
) -> Selection:
    """Which of the listed parts count as covered, and which parts must be read themselves.

    Args:
        there: whether each chunk lies in the lake.
        listed: what was compacted.
        parts: what lies in the lake.
    """
    covered = {part: was for part, was in listed.items() if there[was.chunk] and parts.get(part) == was.state}
    stale = frozenset(part for part, was in listed.items() if there[was.chunk] and part not in covered)
    themselves = tuple(f"tables/{table}/{part}" for part in parts if part not in covered)
    return Selection(tuple(chunk for chunk, is_there in zip(chunks, there, strict=True) if is_there), stale, themselves, covered)


def _unchanged(lake: Lake, table: str, folders: Mapping[str, int]) -> bool:
    top = Path(f"{lake.root}/tables/{table}")
    try:
        return all((top / folder).stat().st_mtime_ns == time for folder, time in folders.items())
    except FileNotFoundError:
        return False


def again(work: Callable[[], Answer]) -> Answer:
    """Do `work`; once more where a file that was to be read has been replaced or withdrawn in the meantime."""
    for _ in range(_TRIES):
        try:
            return work()
        except FileNotFoundError:
            continue
    return work()


def of(lake: Lake, paths: Iterable[str]) -> list[str]:
    """The large files that hold rows of parts, given by their lake paths, as they are or as they were."""
    by_table: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        top, _, rest = path.partition("/")
        table, _, part = rest.partition("/")
        if top == "tables" and part:
            by_table[table].add(part)
    return sorted(again(lambda: _holding(lake, by_table)))


def _holding(lake: Lake, by_table: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    for table, parts in by_table.items():
        index = index_of(lake, table)
        if index is not None and not lake.exists(index.covered):
            found |= {chunk.path for chunk in index.chunks}  # it cannot be said which
        elif index is not None:
            rows = list_of(lake, index)
            held = pc.is_in(rows["part"], pa.array(sorted(parts), pa.string()))
            found |= {index.chunks[number].path for number in rows["chunk"].filter(held).to_pylist()}
    return found
