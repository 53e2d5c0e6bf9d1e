"""Questions to a `series` table of a million rows: from large files, and, for ten thousand studies, from a part a study too.

    python -m benchmarks.lake_tables --idc VENV     # rows of IDC's own index: a virtual environment with idc-index-data in it
    python -m benchmarks.lake_tables                # made-up rows

Of IDC's index come modality, body part, manufacturer, model, class, sizes and which series make a study; its UIDs are replaced. What the package does
not carry (tube voltage, thickness, outcome …) is made up from a seed. Of IDC's series, none is drawn twice: where there are fewer than asked for,
the rest is made up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.series import CONTRACT
from tasks.compact.writing import compact
from tasks.lake import Lake
from tasks.query import ask

_ALPHABET = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
_REASONS = ("", "", "", "", "E-VOLUME-SINGLE-SLICE", "E-VOLUME-UNEVEN-SPACING", "E-VOLUME-TILT", "E-VOLUME-SOP-CLASS")
#: What is taken over from IDC.
_TAKEN = (
    "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "SOPClassUID", "sop_class_name", "TransferSyntaxUID",
    "transfer_syntax_name", "PhotometricInterpretation", "SeriesDescription",
)  # fmt: skip


def idc(environment: Path, rows: int) -> pa.Table:
    """IDC's own series, as many as there are, with their studies."""
    [path] = environment.glob("lib/python3*/site-packages/idc_index_data/idc_index.parquet")
    names = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "instanceCount", "series_size_MB", *_TAKEN]
    return pq.read_table(path, columns=names).slice(0, rows)


def made_up(rows: int) -> pa.Table:
    """Series of studies of five, of some manufacturers."""
    rng = np.random.default_rng(3)
    kinds = np.array(["CT", "MR", "PT", "CR", "SR"])[rng.integers(0, 5, rows)]
    makers = np.array([f"maker {number}" for number in range(40)])[rng.integers(0, 40, rows)]
    columns = dict.fromkeys(_TAKEN, pa.nulls(rows, pa.string())) | {"Modality": pa.array(kinds), "Manufacturer": pa.array(makers)}
    numbers = np.arange(rows)
    uids = {"PatientID": numbers // 10, "StudyInstanceUID": numbers // 5, "SeriesInstanceUID": numbers}
    return pa.table({name: pa.array([f"made-up {number}" for number in of]) for name, of in uids.items()} | columns | {
        "instanceCount": rng.integers(1, 400, rows), "series_size_MB": rng.random(rows) * 200,
    })  # fmt: skip


def series(found: pa.Table) -> pa.Table:
    """Rows of our contract, sorted by study."""
    rows = found.num_rows
    rng = np.random.default_rng(4)
    drawn: dict[str, pa.Array] = {name: found[name] for name in _TAKEN}
    for name in ("SOPClassUID", "TransferSyntaxUID"):
        drawn[name] = pc.replace_substring(found[name], ",", "\\")
        drawn[name] = pc.if_else(
            pc.match_substring_regex(drawn[name], r"^[0-9.]{1,64}$"), drawn[name], pa.scalar(None, pa.string())
        )
    for name, make in (("StudyInstanceUID", _uids), ("SeriesInstanceUID", _uids), ("PatientID", _patients)):
        codes = found[name].combine_chunks().dictionary_encode()
        drawn[name] = make(len(codes.dictionary)).take(codes.indices)
    ct = np.array([kind == "CT" for kind in found["Modality"].to_pylist()])
    reasons = rng.integers(0, len(_REASONS), rows)
    none = reasons < 4
    drawn |= {
        "KVP": _some(rng.choice([80.0, 100, 120, 140], rows), ct),
        "SliceThickness": _some(rng.choice([0.6, 1.0, 1.25, 2.0, 2.5, 3.0, 5.0], rows), rng.random(rows) < 0.8),
        "ConvolutionKernel": _some(rng.choice(["B30f", "B70f", "STANDARD", "LUNG", "BONE"], rows), ct),
        "n_instances": pa.array(found["instanceCount"].to_numpy(), pa.int32()), "series_size_MB": found["series_size_MB"],
        "n_frames": pa.array(found["instanceCount"].to_numpy(), pa.int32()),
        "n_volumes": pa.array(none.astype(np.int32)), "n_resampled": pa.array(np.zeros(rows, np.int32)),
        "n_quarantined": pa.array((~none).astype(np.int32)),
        "reason_codes": pa.array([[reason] if (reason := _REASONS[each]) else [] for each in reasons]),
        "mixed": pa.array([[]] * rows, pa.list_(pa.string())), "regularly_spaced_3d_volume": pa.array(rng.random(rows) < 0.6),
        "consistent_image_dimensions": pa.array(rng.random(rows) < 0.97),
    }  # fmt: skip
    table = pa.table({name: drawn.get(name, pa.nulls(rows)) for name in CONTRACT.schema().names})
    return CONTRACT.validate(table).sort_by([("StudyInstanceUID", "ascending")])


def _some(values: np.ndarray, there: np.ndarray) -> pa.Array:
    return pa.array(values, mask=~there)


def _uids(count: int) -> pa.Array:
    """As long as real ones, in no order."""
    high = np.random.default_rng(count).permutation(count)
    return pa.array([f"2.25.{100000000000000000000000000000000000000 + int(number) * 7919 * 10**30 // count}" for number in high])


def _patients(count: int) -> pa.Array:
    digits = np.array([(np.arange(count) * 2654435761 % 2**60) >> (5 * place) & 31 for place in range(12)])
    digits[-4:] = [(np.arange(count) >> (5 * place)) & 31 for place in range(4)]
    return pa.array(["SL-" + "".join(row) for row in _ALPHABET[digits.T]])


def write_parts(lake: Lake, rows: pa.Table, parts: int) -> None:
    """The table as so many parts, by study; what a publication adds to that (manifests, `fsync`) is left out."""
    assert lake.root is not None
    folder = lake.root / "tables" / CONTRACT.name
    folder.mkdir(parents=True)
    edges = np.linspace(0, rows.num_rows, parts + 1).astype(int)
    for number, (start, end) in enumerate(pairwise(edges)):
        if end > start:
            part = rows.slice(start, end - start).replace_schema_metadata(CONTRACT.schema().metadata)
            pq.write_table(part, folder / f"2.25.{number:08d}.parquet", compression="zstd", store_schema=True)


def questions(key: str) -> dict[str, str]:
    """What is asked, by name."""
    return {
        "manufacturer × reason": "SELECT Manufacturer, r AS reason_code, count(*) AS n FROM series, unnest(reason_codes) AS u(r) GROUP BY ALL",
        "counts by modality, maker": "SELECT Modality, Manufacturer, count(*) AS n, sum(n_instances) AS images FROM series GROUP BY ALL",
        "one series by its key": f"SELECT * FROM series WHERE SeriesInstanceUID = '{key}'",
        "thin soft CT": "SELECT SeriesInstanceUID, SliceThickness FROM series WHERE Modality = 'CT' AND SliceThickness <= 1.25 "
        "AND ConvolutionKernel = 'B30f'",
        "IDC's geometry": "SELECT Modality, count(*) AS n FROM index JOIN volume_geometry_index USING (SeriesInstanceUID) "
        "WHERE regularly_spaced_3d_volume GROUP BY ALL",
    }  # fmt: skip


def measure(lake: Lake, title: str, repeat: int, asked: dict[str, str]) -> None:
    """Ask everything `repeat` times, after one time that is not counted, and print medians."""
    print(title)
    for name, sql in asked.items():
        seconds: list[float] = []
        for turn in range(repeat + 1):
            begun = time.perf_counter()
            found = ask(lake, sql).num_rows
            if turn:
                seconds.append(time.perf_counter() - begun)
        print(f"  {name:<28} {median(seconds):9.4f} s  slowest {max(seconds):9.4f} s  {found} rows", flush=True)


def plainly(lake: Lake, repeat: int, key: str) -> None:
    """The same by DuckDB alone, on the large files."""
    assert lake.root is not None
    files = [str(lake.root / path) for path in lake.files(f"compact/{CONTRACT.name}") if path.endswith(".parquet")]
    print("  by DuckDB alone, on the large files")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW series AS SELECT * FROM read_parquet({files})")
        for name, sql in list(questions(key).items())[:4]:
            seconds = []
            for _ in range(repeat + 1):
                begun = time.perf_counter()
                connection.sql(sql).to_arrow_table()
                seconds.append(time.perf_counter() - begun)
            print(f"  {name:<28} {median(seconds[1:]):9.4f} s", flush=True)


def compacted(lake: Lake) -> None:
    """Compact, and once more, and say how long both took."""
    for name in ("compact", "compact again"):
        begun = time.perf_counter()
        done = compact(lake, CONTRACT)
        print(f"  {name:<28} {time.perf_counter() - begun:9.4f} s  {done.parts} parts, {done.rows} rows, {done.chunks} files")
    size = sum(size for size, _ in lake.states(f"compact/{CONTRACT.name}").values())
    parts = sum(size for size, _ in lake.states(f"tables/{CONTRACT.name}").values())
    print(f"  {'large files':<28} {size / 1e6:9.1f} MB; parts {parts / 1e6:.1f} MB", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, ask, compact, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idc", type=Path, help="a virtual environment with idc-index-data in it")
    parser.add_argument("--rows", type=int, default=1_000_000, help="series (default: %(default)s)")
    parser.add_argument("--parts", type=int, default=10_000, help="studies for the small parts (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="turns (default: %(default)s)")
    given = parser.parse_args(arguments)
    found = idc(given.idc, given.rows) if given.idc else made_up(given.rows)
    if found.num_rows < given.rows:
        print(f"IDC has {found.num_rows} series; {given.rows - found.num_rows} are made up")
        found = pa.concat_tables([found, made_up(given.rows - found.num_rows).cast(found.schema)])
    rows = series(found)
    few = rows.slice(0, min(5 * given.parts, rows.num_rows))
    with TemporaryDirectory(prefix="safelight-tables-") as folder:
        small, large = Lake.open(Path(folder) / "small"), Lake.open(Path(folder) / "large")
        write_parts(small, few, given.parts)
        key = few["SeriesInstanceUID"][few.num_rows // 2].as_py()
        asked = questions(key)
        first = dict(list(asked.items())[:1])  # each takes about as long: every part is opened
        measure(small, f"series, {few.num_rows} rows in {given.parts} parts", 1, first)
        compacted(small)
        measure(small, f"series, {few.num_rows} rows, compacted", given.repeat, asked)
        write_parts(large, rows, max(1, given.parts // 20))
        key = rows["SeriesInstanceUID"][rows.num_rows // 2].as_py()
        print(f"series, {rows.num_rows} rows")
        compacted(large)
        measure(large, f"series, {rows.num_rows} rows, compacted", given.repeat, questions(key))
        plainly(large, given.repeat, key)


if __name__ == "__main__":
    main()
