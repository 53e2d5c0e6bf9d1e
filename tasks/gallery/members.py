"""Which rows are shown: all of a lake, those of listed studies, or the members of a release with their splits."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.contract import UID_PATTERN
from data_contracts.volumes import CONTRACT
from tasks.errors import ConfigurationError
from tasks.gallery.page import Number
from tasks.lake import Lake

#: Columns of the table of a release's members that name a volume; those that are missing there stand for any.
_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "volume_index")
_MEMBERS = "release_members"
_SHOWN = [column.name for column in CONTRACT.columns if column.name not in {"source_instances", "source_frames"}]


def rows(lake: Lake, studies: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Rows of the table `volumes` by study, series and index, without the lists of their sources.

    Parts of an earlier version are read too: a column that they lack is null.

    Args:
        studies: keys of the studies that are wanted; None for all.

    Raises:
        ConfigurationError: E-GALLERY-EMPTY where no row is left.
    """
    found = []
    for table in _parts(lake, CONTRACT.name):
        names = [name for name in _SHOWN if name in table.column_names]
        blank = dict.fromkeys(_SHOWN)
        found += [blank | row for row in table.select(names).to_pylist()]
    if studies is not None:
        found = [row for row in found if row["StudyInstanceUID"] in studies]
    if not found:
        raise ConfigurationError("E-GALLERY-EMPTY")
    return sorted(found, key=lambda row: tuple(row[name] for name in _KEYS))


def _parts(lake: Lake, name: str) -> Iterator[pa.Table]:
    for path in lake.files(f"tables/{name}"):
        if path.endswith(".parquet"):
            yield pq.read_table(BytesIO(lake.read(path)))


def listed(file: Path) -> set[str]:
    """Keys of studies in a file: Parquet with a column StudyInstanceUID, or text, of which every line's first key of a study counts.

    Raises:
        ConfigurationError: E-GALLERY-STUDIES where it cannot be read, or names none.
    """
    try:
        if file.suffix.lower() == ".parquet":
            keys = {key for key in pq.read_table(file, columns=["StudyInstanceUID"])["StudyInstanceUID"].to_pylist() if key}
        else:
            keys = _in_text(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, KeyError, pa.ArrowException):
        raise ConfigurationError("E-GALLERY-STUDIES", str(file)) from None
    if not keys:
        raise ConfigurationError("E-GALLERY-STUDIES", str(file))
    return keys


def _in_text(text: str) -> set[str]:
    lines = [re.split(r"[,;\t]", line.replace('"', "")) for line in text.splitlines()]
    header = [cell.strip() for cell in lines[0]] if lines else []
    place = header.index("StudyInstanceUID") if "StudyInstanceUID" in header else 0
    cells = (line[place].strip() for line in lines if len(line) > place)
    return {cell for cell in cells if re.fullmatch(UID_PATTERN, cell)}


def of_release(lake: Lake, release: str, found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[Number, str]]:
    """The rows that are members of a release, and the split of each.

    Members are read from the table `release_members`: rows whose column `release` is the name, or the part that is called so. Of
    StudyInstanceUID, SeriesInstanceUID and volume_index those columns count that are there; `split` may be missing.

    Raises:
        ConfigurationError: E-GALLERY-RELEASE where the lake has no such release, or nothing of it.
    """
    members: dict[tuple[Any, ...], str] = {}
    keys: tuple[str, ...] = ()
    for table, of in _members(lake, release):
        keys = of
        for row in table.to_pylist():
            members[tuple(row[key] for key in keys)] = row.get("split") or ""
    chosen = [row for row in found if keys and tuple(row[key] for key in keys) in members]
    if not chosen:
        raise ConfigurationError("E-GALLERY-RELEASE")
    return chosen, {_number(row): members[tuple(row[key] for key in keys)] for row in chosen}


def _members(lake: Lake, release: str) -> Iterator[tuple[pa.Table, tuple[str, ...]]]:
    for path in lake.files(f"tables/{_MEMBERS}"):
        if not path.endswith(".parquet"):
            continue
        table = pq.read_table(BytesIO(lake.read(path)))
        keys = tuple(key for key in _KEYS if key in table.column_names)
        if not keys:
            continue
        if "release" in table.column_names:
            table = table.filter(pc.equal(table["release"].cast(pa.string()), release))
        elif Path(path).stem != release:
            continue
        if table.num_rows:
            yield table.select([*keys, *(["split"] if "split" in table.column_names else [])]), keys


def _number(row: Mapping[str, Any]) -> Number:
    return row["SeriesInstanceUID"], row["volume_index"]
