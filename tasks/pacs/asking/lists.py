"""A cohort by a list: the table of a person who knows which studies are wanted, read exactly, and held against what a PACS shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import ConfigurationError
from tasks.pacs.asking.found import StudyAnswer
from tasks.pacs.uids import is_uid

KEYS = ("AccessionNumber", "StudyInstanceUID", "PatientID")
ISSUER = "IssuerOfPatientID"


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row: its line in the file (the header is line 1), the wanted value, and the issuer where the list gives one."""

    line: int
    value: str = field(repr=False)
    issuer: str = field(default="", repr=False)

    def accepts(self, keyword: str, study: StudyAnswer) -> bool | None:
        """Whether a study is meant by this row; None where the PACS does not give the issuer that the row asks for.

        Values are equal when they are the same characters; spaces before and after them are padding (PS3.5 6.2, LO and SH).
        """
        if self.value != value_of(keyword, study):
            return False
        if not self.issuer or self.issuer == study.issuer:
            return True
        return None if not study.issuer else False


@dataclass(frozen=True, slots=True)
class StudyList:
    """A list: which attribute it is by, and its rows, each wanted value once."""

    keyword: str
    rows: tuple[ListRow, ...]


def read_list(path: Path) -> StudyList:
    """Read a CSV (UTF-8; comma, semicolon or tab) or Parquet table with one of `KEYS`, and IssuerOfPatientID if it is known.

    Everything is text: zeros in front count, and so does each space inside.

    Raises:
        ConfigurationError: E-PULL-LIST-FILE, E-PULL-LIST-COLUMNS, E-PULL-LIST-NUMBERS, E-PULL-LIST-ROW with the line.
    """
    try:
        lines = _parquet(path) if path.suffix.casefold() in {".parquet", ".pq"} else _csv(path)
    except (OSError, UnicodeDecodeError, pa.ArrowException, csv.Error):
        raise ConfigurationError("E-PULL-LIST-FILE", path.name) from None
    header = next(lines)[1]
    names = [name for name in header if name in KEYS]
    if len(names) != 1 or header.count(ISSUER) > 1:
        raise ConfigurationError("E-PULL-LIST-COLUMNS", path.name)
    at, issuer_at = header.index(names[0]), header.index(ISSUER) if ISSUER in header else None
    rows: dict[tuple[str, str], ListRow] = {}
    for line, cells in lines:
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise ConfigurationError("E-PULL-LIST-ROW", f"{path.name}, line {line}: it has not as many cells as the header")
        value, issuer = cells[at].strip(" "), cells[issuer_at].strip(" ") if issuer_at is not None else ""
        if not value:
            raise ConfigurationError("E-PULL-LIST-ROW", f"{path.name}, line {line}: {names[0]} is empty")
        if "\\" in value or not (value + issuer).isprintable() or (names[0] == "StudyInstanceUID" and not is_uid(value)):
            raise ConfigurationError("E-PULL-LIST-ROW", f"{path.name}, line {line}: no {names[0]} can be made like this")
        rows.setdefault((value, issuer), ListRow(line, value, issuer))
    if not rows:
        raise ConfigurationError("E-PULL-LIST-ROW", f"{path.name}: it has no rows")
    return StudyList(names[0], tuple(rows.values()))


def value_of(keyword: str, study: StudyAnswer) -> str:
    """What a study has of the attribute that a list is by."""
    if keyword == "StudyInstanceUID":
        return study.study_instance_uid
    return study.patient_id if keyword == "PatientID" else study.accession_number


def ambiguous(keyword: str, patients: Iterable[tuple[str, str]]) -> bool:
    """Whether the studies that one row stands for are of several patients, by (PatientID, issuer): then none can be trusted.

    A study's UID cannot be ambiguous; another PACS may have the same study under another PatientID.
    """
    known = set(patients)
    issuers = {issuer for _, issuer in known if issuer}
    names = {patient_id for patient_id, _ in known}
    return keyword != "StudyInstanceUID" and (len(issuers) > 1 or len(names) > 1)


def _csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each record, the header first."""
    content = path.read_bytes().decode("utf-8-sig")
    header = content.splitlines()[0] if content.strip() else ""
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    records = []
    for cells in reader:
        records.append((begins, cells))
        begins = reader.line_num + 1
    return iter(records or [(1, [])])


def _parquet(path: Path) -> Iterator[tuple[int, list[str]]]:
    names = [name for name in pq.read_schema(path).names if name in {*KEYS, ISSUER}]
    table = pq.read_table(path, columns=names)
    columns = []
    for name in names:
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
            raise ConfigurationError("E-PULL-LIST-NUMBERS", f"{path.name}, column {name}")
        columns.append([value or "" for value in table[name].to_pylist()])
    return iter([(1, names), *((line, list(cells)) for line, cells in enumerate(zip(*columns, strict=True), start=2))])
