"""Patients that were found to be one person: a file of pairs, and the groups that they make."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from data_contracts.contract import PATIENT_PATTERN
from tasks.errors import ConfigurationError

_COLUMNS = ("PatientID", "same_as")


class Persons:
    """Groups of patients, each of which is one person (disjoint sets; Tarjan 1975). A patient of no pair is a person alone.

    A group's name is its first PatientID in the order of the alphabet, so it depends on no order of the pairs.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._above: dict[str, str] = {}
        for one, other in pairs:
            first, last = sorted((self.of(one), self.of(other)))
            self._above[last] = first

    def of(self, patient: str) -> str:
        """The name of the patient's group."""
        root = patient
        while self._above.get(root, root) != root:
            root = self._above[root]
        while self._above.get(patient, patient) != root:
            self._above[patient], patient = root, self._above.get(patient, patient)
        return root


def read_pairs(path: Path | None) -> list[tuple[str, str]]:
    """The pairs of a table with the columns `PatientID` and `same_as` (keys of the lake), CSV or Parquet, sorted.

    Raises:
        ConfigurationError: E-RELEASE-MERGES where it cannot be read, lacks a column, or holds what is no key of the lake.
    """
    if path is None:
        return []
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string())))
        columns = [table[name].cast(pa.string()).to_pylist() for name in _COLUMNS]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ConfigurationError("E-RELEASE-MERGES", f"{path.name}: {type(error).__name__}") from None
    for row, pair in enumerate(zip(*columns, strict=True), start=1):
        if not all(each is not None and re.fullmatch(PATIENT_PATTERN, each) for each in pair):
            raise ConfigurationError("E-RELEASE-MERGES", f"{path.name}: row {row} is not two keys of the lake")
    return sorted({(min(pair), max(pair)) for pair in zip(*columns, strict=True)})
