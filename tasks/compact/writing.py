"""Makes few large files of a table's many small parts, and publishes them as a stage publishes a study: all at once, the manifest last.

The parts stay. A second time, large files that are full and still right stay as they are; all others are made anew, from what in them is
still right and from the parts that are not. What is right is told by `coverage`, by size and time of each part: so the parts are listed
first, and read no sooner than a tick of the store's clock later. What is replaced after it was read has then another time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Contract
from tasks.compact.coverage import (
    COVERED,
    PART,
    ROW,
    Chunk,
    Covered,
    Index,
    Selection,
    again,
    columns_digest,
    folders_of,
    index_path,
    judge,
    known,
    list_to_bytes,
    parts_of,
)
from tasks.compact.reading import chunk, lenient, part_of, tell
from tasks.lake import Lake, Publication
from tasks.parquet import write_sorted
from tasks.stage import digest

STAGE = "compact"
#: Rows of a large file, about: a withdrawal takes a whole one away until the next compaction.
ROWS = 250_000
#: Seconds between two times that the store's clock tells apart: of a file system, and of one that counts whole seconds, as object stores do.
_TICK, _COARSE = 0.05, 1.1
#: Parts that are read side by side, and so many before their rows are taken.
_READERS, _AHEAD = 4, 256
#: What rows are sorted by, where a table has it, before its key.
_SORTED = ("Modality", "StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was done for a table.

    parts, rows: of the whole table. read: parts that were read now. chunks, kept: large files, and those of them that stayed as they were.
    """

    parts: int
    rows: int
    read: int
    chunks: int
    kept: int


def compact(lake: Lake, contract: Contract, rows: int = ROWS) -> Compacted:
    """Compact one table.

    Killed at any moment it leaves readers right, and a second time goes on. Two at once do no harm: one of the two counts.

    Args:
        rows: of a large file, about.
    """
    while True:
        done = again(lambda: _compact(lake, contract, rows))
        # A study that was withdrawn while its rows were copied has looked for them in vain: it is asked here.
        listed = again(lambda: _listed(lake, contract))
        if listed <= set(parts_of(lake, contract.name)):
            return done


def _listed(lake: Lake, contract: Contract) -> set[str]:
    return set(known(lake, contract)[1])


def _is_whole(lake: Lake, table: str, index: Index) -> bool:
    """Whether the publication that made the index came to its end."""
    manifest = lake.manifest(STAGE, table)
    names = {index_path(table), index.covered, *(each.path for each in index.chunks)}
    return manifest is not None and not manifest.stale and set(manifest.files) == names


def _compact(lake: Lake, contract: Contract, most: int) -> Compacted:
    table = contract.name
    _tidy(lake, table)
    folders = folders_of(lake, table)
    time.sleep(_TICK)
    if folders != folders_of(lake, table):
        folders = None  # it is being written in: readers will look at each part
    parts = parts_of(lake, table)
    if not parts:
        lake.withdraw(STAGE, table)
        return Compacted(0, 0, 0, 0, 0)
    time.sleep(_TICK if any(changed % 10**9 for _, changed in parts.values()) else _COARSE)
    index, before = known(lake, contract)
    chunks = () if index is None else index.chunks
    there = [lake.exists(each.path) for each in chunks]
    listed = _recognized(lake, table, before, parts)
    work = _Work(lake, contract, most, chunks, listed, judge(table, chunks, there, listed, parts))
    if index is not None and not work.has_to and listed == before and folders == index.folders and _is_whole(lake, table, index):
        return Compacted(len(parts), sum(each.rows for each in chunks), 0, len(chunks), len(chunks))
    with lake.publication(STAGE, table, digest({"table": table, "columns": columns_digest(contract)})) as publication:
        return work.publish(publication, parts, folders)


def _recognized(
    lake: Lake, table: str, listed: Mapping[str, Covered], parts: Mapping[str, tuple[int, int]]
) -> dict[str, Covered]:
    """The list of parts, where one that was written anew with the same content counts as what it was."""
    known = dict(listed)
    for name, was in listed.items():
        now = parts.get(name, was.state)
        if now != was.state and now[0] == was.state[0] and _digest(lake.read(f"tables/{table}/{name}")) == was.sha256:
            known[name] = replace(was, state=now)
    return known


def _tidy(lake: Lake, table: str) -> None:
    """Remove what a compaction left that was killed."""
    manifest = lake.manifest(STAGE, table)
    lake.clear(f"compact/{table}", {*manifest.files, *manifest.stale} if manifest is not None else ())


class _Work:
    """One compaction: which large files stay, and what the others are made of."""

    def __init__(
        self,
        lake: Lake,
        contract: Contract,
        most: int,
        chunks: tuple[Chunk, ...],
        listed: Mapping[str, Covered],
        chosen: Selection,
    ) -> None:
        self.lake, self.contract, self.most, self.chosen = lake, contract, most, chosen
        dirty = {listed[name].chunk for name in chosen.stale}
        full = [number for number, each in enumerate(chunks) if each in chosen.chunks and number not in dirty]
        small = [number for number in full if chunks[number].rows < most // 2]
        join = small if len(small) > 1 or chosen.parts or dirty else []
        self.kept = [number for number in full if number not in join]
        self.anew = [chunks[number] for number in sorted({*join, *dirty})]
        self.chunks, self.listed = chunks, listed
        self.plain = lenient(contract.schema())
        told = [*self.plain, pa.field(PART, pa.string()), pa.field(ROW, pa.int32())]
        self.schema = pa.schema(told, metadata=self.plain.metadata)

    @property
    def has_to(self) -> bool:
        """Whether rows have to be written."""
        return bool(self.anew or self.chosen.parts)

    def publish(
        self, publication: Publication, parts: Mapping[str, tuple[int, int]], folders: Mapping[str, int] | None
    ) -> Compacted:
        """Write what is made anew, and the index of all."""
        made = [self.chunks[number] for number in self.kept]
        covered: dict[str, Covered] = {}
        for each in made:
            publication.keep(each.path, each.sha256)
        moved = {number: place for place, number in enumerate(self.kept)}
        for name, was in self.chosen.covered.items():
            if was.chunk in moved:
                covered[name] = replace(was, chunk=moved[was.chunk])
        hashes = {name: was.sha256 for name, was in self.listed.items() if name in self.chosen.covered}
        for batch in self._batches(hashes):
            for name in pc.unique(batch[PART]).to_pylist():
                covered[name] = Covered(parts[name], hashes[name], len(made))
            if batch.num_rows:
                made.append(self._write(publication, batch))
        names = sorted(covered)
        table = pa.table([
            names, [covered[name].state[0] for name in names], [covered[name].state[1] for name in names],
            [covered[name].sha256 for name in names], [covered[name].chunk for name in names],
        ], schema=COVERED)  # fmt: skip
        content = list_to_bytes(table)
        list_path = f"compact/{self.contract.name}/covered-{_digest(content)[:32]}.arrow"
        publication.write(list_path, content)
        index = Index(columns_digest(self.contract), tuple(made), list_path, folders)
        publication.write(index_path(self.contract.name), index.to_json())
        publication.commit()
        return Compacted(len(parts), sum(each.rows for each in made), len(self.chosen.parts), len(made), len(self.kept))

    def _batches(self, hashes: dict[str, str]) -> Iterator[pa.Table]:
        """Rows for one large file after the other; a part is never divided."""
        return _joined(self._sources(hashes), self.most * 5 // 4)

    def _sources(self, hashes: dict[str, str]) -> Iterator[pa.Table]:
        for each in self.anew:
            yield chunk(self.lake, each.path, self.schema, self.chosen.stale)
        with ThreadPoolExecutor(_READERS) as pool:
            for start in range(0, len(self.chosen.parts), _AHEAD):
                read = list(pool.map(self._part, self.chosen.parts[start : start + _AHEAD]))
                hashes |= {name: sha256 for name, sha256, _ in read}
                yield from _joined([table for _, _, table in read], self.most)

    def _part(self, path: str) -> tuple[str, str, pa.Table]:
        name = path.removeprefix(f"tables/{self.contract.name}/")
        content = self.lake.read(path)
        table = tell(part_of(content, self.plain), name)
        return name, _digest(content), pa.Table.from_arrays(table.columns, schema=self.schema)

    def _write(self, publication: Publication, rows: pa.Table) -> Chunk:
        """One large file: sorted, so that what is asked for together lies together."""
        keys = [name for name in dict.fromkeys((*_SORTED, *self.contract.key)) if name in rows.column_names]
        rows = rows.combine_chunks()  # to pick from thousands of pieces takes minutes
        rows = rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in (*keys, PART, ROW)]))
        draft = publication.scratch / "chunk.parquet"
        write_sorted(rows, draft, keys)
        with draft.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        path = f"compact/{self.contract.name}/{sha256[:32]}.parquet"
        publication.adopt(path, draft, sha256)
        return Chunk(path, sha256, rows.num_rows)


def _joined(tables: Iterable[pa.Table], most: int) -> Iterator[pa.Table]:
    """Tables in one piece each, of not much more than `most` rows."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        if rows and rows + table.num_rows > most:
            yield pa.concat_tables(held).combine_chunks()
            held, rows = [], 0
        held.append(table)
        rows += table.num_rows
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
