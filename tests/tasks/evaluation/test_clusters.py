"""Patients are numbered in the order of their keys, whatever the keys are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation import clusters


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=80))
def test_numbers_are_numbered_as_their_sorted_order(keys: list[int]) -> None:
    codes = clusters.encode(np.array(keys), len(keys))
    assert codes.tolist() == [sorted(set(keys)).index(key) for key in keys]
    assert clusters.count(codes) == len(set(keys))


@pytest.mark.parametrize("keys", [["b", "a", "b"], [10**12, 7, 10**12], [-1, -5, -1]])
def test_keys_of_any_kind_are_numbered(keys: list[object]) -> None:
    assert clusters.encode(np.array(keys), 3).tolist() == [1, 0, 1]


def test_no_cases_have_no_patients() -> None:
    assert clusters.count(clusters.encode(None, 0)) == 0
