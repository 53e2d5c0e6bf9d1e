"""Reads the hospital's tables (labels, demographics) and lets only columns and values through that a contract allows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.cohort import AGE_BANDS, ETHNICITIES, RACES, SITE_PATTERN
from tasks.errors import ConfigurationError

Kind = Literal["reference", "cohort"]
Key = Literal["AccessionNumber", "StudyInstanceUID", "PatientID"]
KEYS: tuple[Key, ...] = ("AccessionNumber", "StudyInstanceUID", "PatientID")

#: Identifying columns that a table may have beside its key: they are dropped.
_DROPPED = frozenset({*KEYS, "PatientName", "PatientBirthDate", "StudyDate"})
_PLAIN = re.compile(r"[A-Za-z][A-Za-z_]{0,30}")
_NOT_STATED = frozenset({"", "na", "n/a", "null", "none", "nan"})
_ALIASES = {
    "black": "Black or African American", "african american": "Black or African American", "caucasian": "White",
    "american indian": "American Indian or Alaska Native", "alaska native": "American Indian or Alaska Native",
    "native hawaiian": "Native Hawaiian or Other Pacific Islander", "pacific islander": "Native Hawaiian or Other Pacific Islander",
    "multiple": "More than one", "two or more races": "More than one", "hispanic": "Hispanic or Latino", "latino": "Hispanic or Latino",
    "not hispanic": "Not Hispanic or Latino", "non-hispanic": "Not Hispanic or Latino", "declined": "Unknown",
}  # fmt: skip
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O", "unknown": None, "u": None}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the hospital's key (identified), and what the contract lets through."""

    key: str
    values: tuple[tuple[str, Any], ...]


def read(content: bytes, suffix: str, *, kind: Kind, key: Key) -> list[Entry]:
    """The rows of a table.

    Args:
        content: the file's bytes: CSV (UTF-8, comma or semicolon, header line) or Parquet.
        suffix: `.csv` or `.parquet`.
        kind: which contract the columns must fit.
        key: the column that names the study or patient. Always text: a key's leading zeros count.

    Raises:
        ConfigurationError: E-IMPORT-FILE, E-IMPORT-KEY, E-IMPORT-COLUMN (with the column's name where it is a plain word),
            E-IMPORT-VALUE (with the column and the row's number, never the value).
    """
    names, rows = _parquet(content, key) if suffix == ".parquet" else _csv(content)
    if key not in names:
        raise ConfigurationError("E-IMPORT-KEY", key)
    if len(set(names)) != len(names):
        raise ConfigurationError("E-IMPORT-COLUMN", "a column's name stands twice")
    readers = _READERS[kind]
    for position, name in enumerate(names, 1):
        if name not in readers and name not in _DROPPED:
            raise ConfigurationError("E-IMPORT-COLUMN", name if _PLAIN.fullmatch(name) else f"column {position}")
    missing = [name for name in _REQUIRED[kind] if name not in names]
    if missing:
        raise ConfigurationError("E-IMPORT-COLUMN", f"{', '.join(missing)} is missing")
    made = []
    for number, row in enumerate(rows, 1):
        stated = dict(zip(names, row, strict=True))
        values = {name: _value(name, reader, stated.get(name, ""), number) for name, reader in readers.items()}
        made.append(Entry(stated[key].strip(), tuple((_aged(values) if kind == "cohort" else values).items())))
    return made


def _value(name: str, reader: Callable[[str], Any], text: str, number: int) -> Any:
    try:
        return reader(text.strip())
    except (KeyError, ValueError):
        raise ConfigurationError("E-IMPORT-VALUE", f"column {name}, row {number}") from None


def _csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError("E-IMPORT-FILE", "not UTF-8") from None
    first = text.partition("\n")[0]
    try:
        lines = list(
            csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",", strict=True)
        )
    except csv.Error:
        raise ConfigurationError("E-IMPORT-FILE", "not valid CSV") from None
    lines = [line for line in lines if line]
    if not lines:
        raise ConfigurationError("E-IMPORT-FILE", "empty")
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise ConfigurationError("E-IMPORT-FILE", f"row {number} has {len(row)} fields, the header {len(names)}")
    return names, rows


def _parquet(content: bytes, key: str) -> tuple[list[str], list[list[str]]]:
    try:
        table = pq.ParquetFile(
            pa.BufferReader(content)
        ).read()  # unlike `read_table` it reads columns of one name, to be refused by name
        columns = [
            column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in table.columns
        ]
    except (OSError, pa.ArrowException):
        raise ConfigurationError("E-IMPORT-FILE", "not valid Parquet") from None
    for name, column in zip(table.column_names, columns, strict=True):
        if name == key and str(column.type) not in ("string", "large_string", "string_view"):
            raise ConfigurationError(
                "E-IMPORT-KEY", f"{key} is not text: the leading zeros of numbers are lost; store it as text"
            )
    texts = [["" if value is None else _plain(value) for value in column.to_pylist()] for column in columns]
    return list(table.column_names), [list(row) for row in zip(*texts, strict=True)]


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else str(value)


def _choice(allowed: tuple[str, ...]) -> Callable[[str], str | None]:
    known = {each.lower(): each for each in allowed}

    def read_one(text: str) -> str | None:
        low = text.lower()
        return None if low in _NOT_STATED else known[_ALIASES.get(low, low).lower()]

    return read_one


def _sex(text: str) -> str | None:
    return None if text.lower() in _NOT_STATED else _SEXES[text.lower()]


def _age(text: str) -> int | None:
    """Whole years; 90 stands for all above 89."""
    if text.lower() in _NOT_STATED:
        return None
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?|90\+", text):
        raise ValueError
    return min(int(float(text.rstrip("+"))), 90)


def _site(text: str) -> str | None:
    if not text:
        return None
    if not re.fullmatch(SITE_PATTERN, text):
        raise ValueError
    return text


def _finding(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text):
        raise ValueError
    return text


def _label(text: str) -> int:
    return {"0": 0, "1": 1, "false": 0, "true": 1}[text.lower()]


def _aged(values: Mapping[str, Any]) -> dict[str, Any]:
    """Age as Safe Harbor allows it, in years and as a band that agree: 45 CFR 164.514(b)(2)(i)(C)."""
    age, band = values["age_years"], values["age_band"]
    if age is not None:
        band = "90+" if age >= 90 else next(each for each in AGE_BANDS[:-1] if age <= int(each.split("-")[1]))
    return {**values, "age_years": age if age is not None and age < 90 else None, "age_band": band}


_READERS: Mapping[Kind, Mapping[str, Callable[[str], Any]]] = {
    "reference": {"finding": _finding, "label": _label},
    "cohort": {
        "sex": _sex, "age_years": _age, "age_band": _choice(AGE_BANDS), "race": _choice(RACES), "ethnicity": _choice(ETHNICITIES), "site": _site,
    },
}  # fmt: skip
_REQUIRED: Mapping[Kind, tuple[str, ...]] = {"reference": ("finding", "label"), "cohort": ()}


def suffix_of(path: Path) -> str:
    """`.csv` or `.parquet`.

    Raises:
        ConfigurationError: E-IMPORT-FILE for any other.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise ConfigurationError("E-IMPORT-FILE", "neither .csv nor .parquet")
    return suffix
