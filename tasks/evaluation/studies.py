"""The keys of three tables as numbers, and each study's one reading among all rows that speak of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.evaluation import clusters, tables

_STUDY, _SERIES, _PATIENT = "StudyInstanceUID", "SeriesInstanceUID", "PatientID"


@dataclass(frozen=True, slots=True)
class Keys:
    """Studies and patients of several tables, numbered over all of them.

    Args:
        studies: of each table, the study's number of each row, int64.
        patients: of each table, the patient's number of each row in the order of the patients' keys, int64; -1 where it names none.
        among: how many different studies there are.
        names: their keys, text of length `among`.
    """

    studies: tuple[NDArray[np.int64], ...]
    patients: tuple[clusters.Codes, ...]
    among: int
    names: pa.Array

    @classmethod
    def of(cls, *given: pa.Table) -> Keys:
        """Number the studies of tables that all name one in each row."""
        studies, among, names = _numbered([table[_STUDY] for table in given])
        named = [table[_PATIENT] if _PATIENT in table.column_names else pa.nulls(table.num_rows, pa.string()) for table in given]
        patients, _, dictionary = _numbered(named)
        order = np.asarray(pc.sort_indices(dictionary))
        places = np.empty(order.size + 1, dtype=np.int64)
        places[order] = np.arange(order.size)
        places[order.size] = -1
        return cls(studies, tuple(places[each] for each in patients), among, names)


def _numbered(columns: list[pa.ChunkedArray | pa.Array]) -> tuple[tuple[NDArray[np.int64], ...], int, pa.Array]:
    """Columns of text by the place of each value in one dictionary; a null is the place behind its end."""
    chunks = [chunk for column in columns for chunk in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])]
    encoded = pc.dictionary_encode(pa.chunked_array(chunks, pa.string())).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no rows at all
        return tuple(np.empty(0, dtype=np.int64) for _ in columns), 0, pa.array([], pa.string())
    n = len(encoded.dictionary)
    codes = np.asarray(pc.fill_null(encoded.indices, n)).astype(np.int64)
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return tuple(np.split(codes, ends)), n, encoded.dictionary


def readings(
    read: pa.Table, studies: NDArray[np.int64], among: int, several: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each study's score.

    Args:
        read: rows of predictions with `score`; a row with a `reason_code`, or without a finite score, was not read.
        studies: the study's number of each row.
        among: how many studies there are.
        several: `refuse` several scored rows of a study, or take the `maximum` over its series.

    Returns:
        float64 of shape (among,), NaN where there is no score; and the row that stands for each study, int64, -1 where there is none.

    Raises:
        SafelightError: E-EVAL-DUPLICATE with a count.
    """
    scores = tables.number(read, "score", "predictions")
    scored = np.isfinite(scores)
    if "reason_code" in read.column_names:
        scored &= np.asarray(tables.text(read, "reason_code", "predictions").is_null(), dtype=np.bool_)
    scores = np.where(scored, scores, np.nan)
    rows = np.arange(studies.size)
    chosen = np.full(among, -1, dtype=np.int64)
    counts = np.bincount(studies, minlength=among)
    if counts.size and counts.max() > 1:
        _no_repetition(read, studies, scored, several)
        # Last in this order, and so the one that stays: the highest score; without one, the first reason and series.
        beside = [_order_of(read, name) for name in (_SERIES, "reason_code")]
        value = np.where(scored, scores, -np.inf)
        rows = np.lexsort((-beside[0], -beside[1], value, scored))
    chosen[studies[rows]] = rows
    found = np.full(among, np.nan)
    found[chosen >= 0] = scores[chosen[chosen >= 0]]
    return found, chosen


def _no_repetition(read: pa.Table, studies: NDArray[np.int64], scored: NDArray[np.bool_], several: str) -> None:
    if several == "maximum":
        keys = np.stack([studies[scored], _order_of(read, _SERIES)[scored]])
        twice = int(scored.sum()) - np.unique(keys, axis=1).shape[1]
    else:
        twice = int(scored.sum()) - np.unique(studies[scored]).size
    if twice:
        raise SafelightError("E-EVAL-DUPLICATE", f"predictions: {twice} rows beyond the first of their study")


def _order_of(read: pa.Table, name: str) -> NDArray[np.int64]:
    """The place of each row's text among all different ones; behind the last where it is null."""
    if name not in read.column_names:
        return np.zeros(read.num_rows, dtype=np.int64)
    return np.asarray(pc.rank(tables.text(read, name, "predictions"), tiebreaker="dense")).astype(np.int64)
