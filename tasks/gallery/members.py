"""Which rows are shown: all of a lake, those of listed studies, or the members of a release with their splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import UID_PATTERN
from data_contracts.release_members import CONTRACT as MEMBERS
from data_contracts.volumes import CONTRACT
from tasks.errors import ConfigurationError
from tasks.gallery.page import Number
from tasks.lake import Lake

_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "volume_index")
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


def since(lake: Lake, moment: datetime) -> set[str]:
    """Keys of the studies whose volumes were published at or after a moment: by the time at which the file of their manifest was written.

    The lake's own content has no time, so this is the file system's word: a copy of a lake may say otherwise.

    Args:
        moment: in this machine's time zone where it names none.

    Raises:
        ConfigurationError: E-GALLERY-SINCE for an object store.
    """
    if lake.root is None:
        raise ConfigurationError("E-GALLERY-SINCE")
    earliest = moment.astimezone().timestamp()
    return {file.stem for file in (lake.root / "manifests" / "volumes").glob("*.json") if file.stat().st_mtime >= earliest}


def _in_text(text: str) -> set[str]:
    lines = [re.split(r"[,;\t]", line.replace('"', "")) for line in text.splitlines()]
    header = [cell.strip() for cell in lines[0]] if lines else []
    place = header.index("StudyInstanceUID") if "StudyInstanceUID" in header else 0
    cells = (line[place].strip() for line in lines if len(line) > place)
    return {cell for cell in cells if re.fullmatch(UID_PATTERN, cell)}


def of_release(
    lake: Lake, release: str, found: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[Number, str], dict[str, int]]:
    """The rows that are members of a release (of its newest version, where `release` names none: NAME or NAME/VERSION), the split of each,
    and how many others were left out for which reason, the most first.

    Raises:
        ConfigurationError: E-GALLERY-RELEASE where the lake has no such release, or nothing of it.
    """
    name, _, version = release.partition("/")
    columns = ["release", "version", "SeriesInstanceUID", "volume_index", "included", "split", "reason_code"]
    rows = [row for row in lake.table(MEMBERS, columns).to_pylist() if row["release"] == name]
    newest = version or max((row["version"] for row in rows), key=_in_order, default="")
    members = {_number(row): row["split"] or "" for row in rows if row["version"] == newest and row["included"]}
    left_out = Counter(row["reason_code"] for row in rows if row["version"] == newest and not row["included"])
    chosen = [row for row in found if _number(row) in members]
    if not chosen:
        raise ConfigurationError("E-GALLERY-RELEASE")
    counted = sorted(left_out.items(), key=lambda count: (-count[1], count[0]))
    return chosen, {_number(row): members[_number(row)] for row in chosen}, dict(counted)


def _in_order(version: str) -> tuple[int, ...]:
    """A version's numbers, so that 1.10 comes after 1.9."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _number(row: Mapping[str, Any]) -> Number:
    return row["SeriesInstanceUID"], row["volume_index"]
