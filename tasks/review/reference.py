"""The reference standard of a review: a file of labels by the lake's keys."""

from __future__ import annotations

from pathlib import Path

from data_contracts import reference
from data_contracts.contract import ContractError
from tasks.errors import ConfigurationError
from tasks.evaluation.tables import read_table

Labels = dict[tuple[str, str], int]


def read(path: Path) -> Labels:
    """(StudyInstanceUID, finding) → 1 where the finding is there, 0 where it is not.

    Args:
        path: Parquet, CSV, or a folder of Parquet parts, with the columns StudyInstanceUID, finding and label; others are not read.

    Raises:
        ConfigurationError: E-EVAL-FILE where it cannot be read; E-REVIEW-REFERENCE where a column is missing, a label is neither 0 nor 1, a
            key is none of the lake's, or a study and finding have two labels.
    """
    table = read_table(path, "reference")
    names = ["StudyInstanceUID", "finding", "label"]
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise ConfigurationError("E-REVIEW-REFERENCE", f"{path}: no column {', '.join(missing)}")
    rows = [row | {"PatientID": _ANYBODY} for row in table.select(names).to_pylist()]
    try:
        held = reference.CONTRACT.validate([row | {"label": _whole(row["label"])} for row in rows])
    except ContractError as error:
        raise ConfigurationError("E-REVIEW-REFERENCE", f"{path}: {error.column}: {error.rule}") from None
    return {(row["StudyInstanceUID"], row["finding"]): row["label"] for row in held.to_pylist()}


#: The contract wants a patient, the file need not have one.
_ANYBODY = "SL-AAAAAAAAAAAA"


def _whole(label: object) -> object:
    """A label as a number where it is one: `1`, `1.0` and 1 are the same."""
    try:
        value = float(str(label))
    except ValueError:
        return -1
    return int(value) if value.is_integer() and abs(value) < 100 else -1
