"""Patients as clusters: several studies of one patient are not independent cases, and no interval here treats them as such."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.int64]


def encode(patients: Sequence[str] | NDArray[np.generic] | None, cases: int) -> Codes:
    """Number the patients.

    Args:
        patients: one key a case, shape (cases,); None where every case is a patient of its own.
        cases: how many cases there are.

    Returns:
        int64 of shape (cases,): the patient's number of each case, from 0, without gaps.

    Raises:
        ValueError: there are not as many keys as cases.
    """
    if patients is None:
        return np.arange(cases, dtype=np.int64)
    keys = np.asarray(patients)
    if keys.shape != (cases,):
        raise ValueError(f"there are {keys.shape[0] if keys.ndim else 0} patient keys for {cases} cases")
    if keys.dtype.kind in "iu" and keys.size and keys.min() >= 0 and keys.max() < 8 * keys.size + 1024:
        numbers: Codes = np.cumsum(np.bincount(keys) > 0) - 1  # the same as below, without a sort
        return np.asarray(numbers[keys], dtype=np.int64)
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def count(codes: Codes) -> int:
    """How many different patients there are."""
    return int(np.count_nonzero(np.bincount(codes)))


def sums(codes: Codes, values: NDArray[np.float64], patients: int) -> NDArray[np.float64]:
    """Sum of `values` over each patient's cases: float64 of shape (patients,), zero for a patient without cases."""
    return np.bincount(codes, weights=values, minlength=patients).astype(np.float64)


def binary(values: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """Values as float64, and how many of them are neither 0 nor 1 (NaN included)."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers, int(np.count_nonzero((numbers != 0.0) & (numbers != 1.0)))
