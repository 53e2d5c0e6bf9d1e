"""The tables of a release's folder: plain CSV with declared columns, so that every program reads them, and they are read back."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

_STRING, _INTEGER, _NUMBER, _BOOLEAN = "string", "integer", "number", "boolean"
_ARROW = {_STRING: pa.string(), _INTEGER: pa.int64(), _NUMBER: pa.float64(), _BOOLEAN: pa.bool_()}

#: Table → column → kind. The files are `NAME.csv`.
TABLES: dict[str, dict[str, str]] = {
    "volumes": {
        "path": _STRING, "sha256": _STRING, "size_bytes": _INTEGER, "split": _STRING, "StudyInstanceUID": _STRING, "PatientID": _STRING,
        "SeriesInstanceUID": _STRING, "volume_index": _INTEGER, "status": _STRING, "kind": _STRING, "Modality": _STRING,
        "BodyPartExamined": _STRING, "Manufacturer": _STRING, "ManufacturerModelName": _STRING, "ConvolutionKernel": _STRING,
        "KVP": _NUMBER, "SliceThickness": _NUMBER, "EchoTime": _NUMBER, "DiffusionBValue": _NUMBER, "n_columns": _INTEGER,
        "n_rows": _INTEGER, "n_slices": _INTEGER, "n_volumes": _INTEGER, "column_spacing_mm": _NUMBER, "row_spacing_mm": _NUMBER,
        "slice_spacing_mm": _NUMBER, "dtype": _STRING, "units": _STRING, "lossy": _BOOLEAN,
    },
    "studies": {
        "StudyInstanceUID": _STRING, "PatientID": _STRING, "split": _STRING, "sex": _STRING, "age_band": _STRING, "race": _STRING,
        "ethnicity": _STRING, "site": _STRING, "study_year": _INTEGER,
    },
    "patients": {"PatientID": _STRING, "person": _STRING, "split": _STRING, "n_studies": _INTEGER, "n_volumes": _INTEGER},
    "labels": {"StudyInstanceUID": _STRING, "PatientID": _STRING, "split": _STRING, "finding": _STRING, "label": _INTEGER},
}  # fmt: skip
KEYS = {
    "volumes": ("path",), "studies": ("StudyInstanceUID",), "patients": ("PatientID",), "labels": ("StudyInstanceUID", "finding"),
}  # fmt: skip


def write(name: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table as CSV (UTF-8, a header line, text in quotes, a null as an empty field), columns as declared."""
    columns = TABLES[name]
    arrays = [pa.array([row[column] for row in rows], _ARROW[kind]) for column, kind in columns.items()]
    sink = io.BytesIO()
    csv.write_csv(pa.table(arrays, names=list(columns)), sink)
    return sink.getvalue()


def read(name: str, content: bytes) -> list[dict[str, Any]]:
    """The inverse of `write`."""
    columns = TABLES[name]
    options = csv.ConvertOptions(
        column_types={column: _ARROW[kind] for column, kind in columns.items()}, null_values=[""], strings_can_be_null=True,
        quoted_strings_can_be_null=False, include_columns=list(columns),
    )  # fmt: skip
    rows: list[dict[str, Any]] = csv.read_csv(io.BytesIO(content), convert_options=options).to_pylist()
    return rows
