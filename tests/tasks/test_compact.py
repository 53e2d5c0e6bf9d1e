"""Compaction changes where rows are read from and never which: before, after, in the middle of it, and whatever becomes of a study since."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import fs
from typer.testing import CliRunner

from data_contracts.accountability import CONTRACT
from data_contracts.contract import Contract
from tasks import lake as lake_module
from tasks import query
from tasks.cli import app
from tasks.compact import reading, writing
from tasks.compact.coverage import PART, ROW, select
from tasks.compact.writing import compact
from tasks.lake import Lake
from tasks.query import ask


def publish(lake: Lake, study: int, n: int = 3, rows: int = 2, stage: str = "account") -> None:
    """A study with `rows` rows that say `n`."""
    key = f"2.25.{study}"
    base = {"StudyInstanceUID": key, "PatientID": "SL-ABCDEFGHIJKL", "reason_code": "", "unit": "instance", "n": n}
    with lake.publication(stage, key, "f") as publication:
        publication.write_table(CONTRACT, [base | {"stage": f"s{row}", "outcome": "pulled"} for row in range(rows)])
        publication.commit()


def plain(lake: Lake, contract: Contract = CONTRACT) -> pa.Table:
    """The table from its parts alone, by another reader: what must be read whatever is compacted."""
    assert lake.root is not None
    paths = sorted(
        (lake.root / "tables" / contract.name).rglob("*.parquet"), key=lambda path: path.relative_to(lake.root).as_posix()
    )
    parts = [pq.read_table(path, partitioning=None) for path in paths]
    return pa.concat_tables(parts) if parts else contract.schema().empty_table()


def right(lake: Lake) -> bool:
    """Whether both ways to read the table give each row once."""
    expected = plain(lake)
    asked = ask(lake, "SELECT * FROM accountability ORDER BY StudyInstanceUID, stage").to_pylist()
    in_order = sorted(expected.to_pylist(), key=lambda row: (row["StudyInstanceUID"], row["stage"]))
    return lake.table(CONTRACT).equals(expected) and asked == in_order


def files(lake: Lake) -> set[str]:
    return {path for path in lake.files("compact") if path.endswith(".parquet")}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.open(tmp_path / "lake")
    for study in range(1, 9):
        publish(made, study)
    return made


def from_large_files_only(lake: Lake) -> bool:
    chosen = select(lake, CONTRACT)
    return bool(chosen.chunks) and not chosen.parts and not chosen.stale


def test_the_table_is_the_same_before_and_after(lake: Lake) -> None:
    before, parts = lake.table(CONTRACT), lake.files("tables")
    done = compact(lake, CONTRACT)
    assert (done.parts, done.rows, done.read, done.chunks, done.kept) == (8, 16, 8, 1, 0)
    assert from_large_files_only(lake)
    assert lake.table(CONTRACT).equals(before, check_metadata=True)
    assert lake.table(CONTRACT, ["n", "stage"]).equals(before.select(["n", "stage"]))
    assert lake.files("tables") == parts
    assert right(lake)


def test_the_large_file_is_sorted_compressed_and_has_statistics(lake: Lake) -> None:
    compact(lake, CONTRACT)
    [path] = files(lake)
    assert lake.root is not None
    file = pq.ParquetFile(lake.root / path)
    assert file.read(columns=["StudyInstanceUID"])["StudyInstanceUID"].to_pylist() == sorted(
        plain(lake)["StudyInstanceUID"].to_pylist()
    )
    column = file.metadata.row_group(0).column(0)
    assert (column.compression, column.has_column_index) == ("ZSTD", True)
    assert (column.statistics.min, column.statistics.max) == ("2.25.1", "2.25.8")
    assert file.schema_arrow.names == [*CONTRACT.schema().names, PART, ROW]
    said = json.loads(lake.read("compact/accountability/index.json"))
    assert [chunk["path"] for chunk in said["chunks"]] == [path]


def test_the_second_time_nothing_is_written(lake: Lake) -> None:
    compact(lake, CONTRACT)
    assert lake.root is not None
    stamp = {path: (lake.root / path).stat().st_mtime_ns for path in lake.files("")}
    done = compact(lake, CONTRACT)
    assert (done.read, done.kept) == (0, 1)
    assert {path: (lake.root / path).stat().st_mtime_ns for path in lake.files("")} == stamp


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("withdraw"), st.integers(1, 8), st.just(0), st.just(0)),
        st.tuples(st.just("compact"), st.sampled_from([2, 5, 1000]), st.just(0), st.just(0)),
    ),
    min_size=1, max_size=10,
)  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_whatever_happens_in_whatever_order_each_row_is_read_once(changes: list[Any], tmp_path_factory) -> None:
    lake = Lake.open(tmp_path_factory.mktemp("order") / "lake")
    for what, number, n, rows in changes:
        if what == "publish":
            publish(lake, number, n, rows)
        elif what == "withdraw":
            lake.withdraw("account", f"2.25.{number}")
        else:
            compact(lake, CONTRACT, number)
        assert lake.table(CONTRACT).equals(plain(lake))
    assert right(lake)
    compact(lake, CONTRACT)
    assert right(lake)
    assert plain(lake).num_rows == 0 or from_large_files_only(lake)
    manifest = lake.manifest("compact", CONTRACT.name)
    assert (set(manifest.files) if manifest is not None else set()) == set(lake.files("compact"))
    assert manifest is None or lake.intact(manifest)


def test_a_study_that_is_done_again_is_read_anew_and_its_old_rows_go_with_the_next_compaction(lake: Lake) -> None:
    compact(lake, CONTRACT)
    publish(lake, 4, n=77)
    assert right(lake)
    assert lake.table(CONTRACT)["n"].to_pylist().count(77) == 2
    done = compact(lake, CONTRACT)
    assert done.read == 1
    assert from_large_files_only(lake)
    [path] = files(lake)
    assert pq.read_table(lake.root / path)["n"].to_pylist().count(77) == 2  # type: ignore[operator]
    assert done.rows == 16


def test_a_study_that_is_done_again_with_the_same_result_costs_no_large_file(lake: Lake) -> None:
    compact(lake, CONTRACT)
    before = files(lake)
    publish(lake, 4)
    assert not from_large_files_only(lake)
    compact(lake, CONTRACT)
    assert from_large_files_only(lake)
    assert files(lake) == before


def test_a_withdrawn_study_leaves_at_once_no_row_in_any_file(lake: Lake) -> None:
    compact(lake, CONTRACT, rows=4)
    assert len(files(lake)) > 1
    lake.withdraw("account", "2.25.4")
    assert lake.root is not None
    for path in lake.files(""):
        if path.endswith(".parquet"):
            assert "2.25.4" not in pq.read_table(lake.root / path, partitioning=None)["StudyInstanceUID"].to_pylist()
    assert files(lake)  # the other large files are still there
    assert right(lake)
    compact(lake, CONTRACT)
    assert from_large_files_only(lake)
    assert b"2.25.4" not in b"".join(lake.read(path) for path in lake.files("compact"))


def test_a_study_that_is_withdrawn_while_its_rows_are_copied_leaves_none(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    write = writing.write_sorted

    def then_withdraw(*arguments: Any) -> None:
        write(*arguments)
        lake.withdraw("account", "2.25.4")

    monkeypatch.setattr(writing, "write_sorted", then_withdraw)
    compact(lake, CONTRACT)
    [path] = files(lake)
    assert "2.25.4" not in pq.read_table(lake.root / path)["StudyInstanceUID"].to_pylist()  # type: ignore[operator]
    assert right(lake)


def test_what_comes_while_parts_are_read_is_not_missed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read = writing.part_of
    came: list[int] = []

    def and_then(*arguments: Any) -> pa.Table:
        if not came:
            came.append(1)
            publish(lake, 50, n=50)
            publish(lake, 8, n=88)
        return read(*arguments)

    monkeypatch.setattr(writing, "part_of", and_then)
    compact(lake, CONTRACT)
    assert right(lake)
    assert {50, 88} <= set(lake.table(CONTRACT)["n"].to_pylist())


def test_full_files_stay_and_a_night_is_added_beside_them(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    for study in range(1, 7):
        publish(lake, study, rows=4)
    compact(lake, CONTRACT, rows=12)
    full = files(lake)
    assert len(full) == 2
    publish(lake, 70)
    done = compact(lake, CONTRACT, rows=12)
    assert (done.read, done.kept) == (1, 2)
    assert files(lake) > full
    publish(lake, 71)
    assert compact(lake, CONTRACT, rows=12).chunks == 3  # what a night adds is joined to what the last one added
    assert right(lake)


@pytest.mark.parametrize("damage", ["a large file is gone", "the parts are copied elsewhere", "the columns are others"])
def test_readers_are_right_whatever_became_of_the_files(damage: str, lake: Lake, tmp_path: Path) -> None:
    compact(lake, CONTRACT, rows=4)
    if damage == "a large file is gone":
        lake._remove(sorted(files(lake))[0])
    elif damage == "the parts are copied elsewhere":
        shutil.copytree(tmp_path / "lake", tmp_path / "copy", copy_function=shutil.copyfile)
        lake = Lake.open(tmp_path / "copy")
    else:
        said = json.loads(lake.read("compact/accountability/index.json"))
        (tmp_path / "lake" / "compact" / "accountability" / "index.json").write_text(json.dumps(said | {"schema": "another"}))
    assert right(lake)
    compact(lake, CONTRACT, rows=4)
    assert right(lake)
    assert from_large_files_only(lake)


def test_a_part_without_a_column_that_came_later_has_nulls_there(lake: Lake) -> None:
    assert lake.root is not None
    path = lake.root / "tables" / "accountability" / "2.25.4.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["unit"]), path)
    expected = ["instance"] * 6 + [None] * 2 + ["instance"] * 8
    assert lake.table(CONTRACT)["unit"].to_pylist() == expected
    compact(lake, CONTRACT)
    assert lake.table(CONTRACT)["unit"].to_pylist() == expected
    assert ask(lake, "SELECT count(*) AS n FROM accountability WHERE unit IS NULL")["n"].to_pylist() == [2]


def _die(url: str, moment: int) -> None:
    """Compact, and be killed as the file number `moment` gets its name."""
    move, moved = lake_module._move, []

    def until(source: Path, target: Path) -> None:
        if len(moved) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        moved.append(target)
        move(source, target)

    lake_module._move = until
    compact(Lake(url), CONTRACT, 8)


@pytest.mark.parametrize("before", [False, True])
def test_killed_at_any_moment_it_leaves_readers_right_and_the_next_one_clean(before: bool, tmp_path: Path) -> None:
    ended = []
    for moment in range(12):
        lake = Lake.open(tmp_path / str(moment))
        for study in range(1, 6):
            publish(lake, study)
        if before:
            compact(lake, CONTRACT, 1000)
            publish(lake, 2, n=22)
            publish(lake, 9)
        child = multiprocessing.get_context("fork").Process(target=_die, args=(lake.url, moment))
        child.start()
        child.join()
        ended.append(child.exitcode)
        assert right(lake)
        lake.sweep()
        compact(lake, CONTRACT, 8)
        assert from_large_files_only(lake)
        assert lake.table(CONTRACT).equals(plain(lake))
        manifest = lake.manifest("compact", CONTRACT.name)
        assert manifest is not None
        assert set(lake.files("compact")) == set(manifest.files)
        if child.exitcode == 0:
            break
    assert ended[0] == -signal.SIGKILL
    assert ended[-1] == 0


def test_two_at_once_and_readers_beside_them_are_right(lake: Lake) -> None:
    expected = plain(lake)

    def look() -> bool:
        return lake.table(CONTRACT).equals(expected) and ask(lake, "SELECT count(*) AS n FROM accountability")[
            "n"
        ].to_pylist() == [16]

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(compact, Lake(lake.url), CONTRACT, rows) for rows in (4, 6, 5)]
        looks = [pool.submit(look) for _ in range(12)]
        assert all(each.result() for each in looks)
        assert {each.result().rows for each in work} == {16}
    assert right(lake)
    compact(lake, CONTRACT)
    assert from_large_files_only(lake)


def test_parts_in_folders_of_their_own_count_as_well(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    row = {
        "StudyInstanceUID": "2.25.1", "PatientID": "SL-ABCDEFGHIJKL", "stage": "pull", "outcome": "pulled", "reason_code": "",
        "unit": "instance", "n": 3,
    }  # fmt: skip
    for part in ("model/1/a", "model/2/a"):
        with lake.publication("infer", part.replace("/", "-"), "f") as publication:
            publication.write_table(CONTRACT, [row], part=part)
            publication.commit()
    compact(lake, CONTRACT)
    assert from_large_files_only(lake)
    with lake.publication("infer", "later", "f") as publication:
        publication.write_table(CONTRACT, [row | {"n": 4}], part="model/2/b")
        publication.commit()
    assert lake.table(CONTRACT)["n"].to_pylist() == [3, 3, 4]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """An object store: no folders, no renames."""
    remote = Lake("memory://bucket/compacted")
    memory = fsspec.filesystem("memory")
    handler = fs.PyFileSystem(fs.FSSpecHandler(memory))
    resolved = Lake._resolved.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Lake, "_resolved", property(lambda lake: (handler, "/bucket/compacted") if lake.url == remote.url else resolved(lake))
    )
    monkeypatch.setattr(writing, "_COARSE", 0.05)  # the clock of this store is fine
    yield remote
    memory.rm("/bucket/compacted", recursive=True)


def test_an_object_store_is_compacted_alike(store: Lake) -> None:
    for study in range(1, 6):
        publish(store, study)
    before = store.table(CONTRACT)
    compact(store, CONTRACT)
    assert from_large_files_only(store)
    assert store.table(CONTRACT).equals(before)
    publish(store, 3, n=33)
    store.withdraw("account", "2.25.5")
    asked = ask(store, "SELECT n FROM accountability ORDER BY StudyInstanceUID, stage")["n"].to_pylist()
    assert asked == [3, 3, 3, 3, 33, 33, 3, 3]
    assert store.table(CONTRACT)["n"].to_pylist() == asked


def test_what_goes_while_it_is_read_is_looked_for_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(lake, CONTRACT)
    chunk, gone = reading.chunk, []

    def late(*arguments: Any) -> pa.Table:
        if not gone:
            gone.append(1)
            lake._remove(next(iter(files(lake))))
        return chunk(*arguments)

    monkeypatch.setattr(reading, "chunk", late)
    assert lake.table(CONTRACT).equals(plain(lake))
    assert gone


def test_a_large_file_that_goes_before_a_query_reads_it_is_looked_for_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(lake, CONTRACT)
    judged, gone = query._only_asks, []

    def late(*arguments: Any) -> None:
        if not gone:
            gone.append(1)
            lake._remove(next(iter(files(lake))))
        judged(*arguments)

    monkeypatch.setattr(query, "_only_asks", late)
    assert ask(lake, "SELECT count(*) AS n FROM accountability")["n"].to_pylist() == [16]
    assert gone


def test_the_command_says_what_it_did_and_plain_duckdb_reads_the_large_files(lake: Lake) -> None:
    said = CliRunner().invoke(app, ["compact", "--lake", lake.url])
    assert said.exit_code == 0
    assert said.output == "compact: 1 tables, 16 rows · 8 parts, 8 of them new, in 1 files\n"
    with duckdb.connect() as connection:
        connection.execute(
            f"SET VARIABLE files = (SELECT list('{lake.url}/' || chunk.path) FROM "
            f"(SELECT unnest(chunks) AS chunk FROM '{lake.url}/compact/accountability/index.json'))"
        )
        counted = connection.sql("SELECT count(*), count(DISTINCT StudyInstanceUID) FROM read_parquet(getvariable('files'))")
        assert counted.fetchall() == [(16, 8)]


@pytest.mark.parametrize(("arguments", "code"), [(["--table", "nothing"], "E-COMPACT-TABLE"), ([], "E-COMPACT-LAKE")])
def test_what_cannot_be_is_one_sentence_and_exit_code_2(arguments: list[str], code: str, lake: Lake, tmp_path: Path) -> None:
    place = lake.url if arguments else str(tmp_path / "nowhere")
    said = CliRunner().invoke(app, ["compact", "--lake", place, *arguments])
    assert said.exit_code == 2
    assert code in said.stderr
    assert not (tmp_path / "nowhere").exists()
