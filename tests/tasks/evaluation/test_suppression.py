"""What is hidden cannot be worked out from what is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.suppression import withheld

LEVELS = st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(0, 30), min_size=1)


@given(LEVELS, st.integers(1, 12))
def test_the_total_minus_what_is_shown_is_never_a_small_number(patients, minimum):
    hidden = withheld(patients, minimum)
    remainder = sum(patients.values()) - sum(n for level, n in patients.items() if level not in hidden)
    everything = all(level in hidden or n == 0 for level, n in patients.items())
    assert remainder == 0 or remainder >= minimum or everything
    assert len(hidden) != 1 or everything


@given(LEVELS, st.integers(1, 12))
def test_every_small_level_is_hidden_and_an_empty_one_never(patients, minimum):
    hidden = withheld(patients, minimum)
    assert all((level in hidden) for level, n in patients.items() if 0 < n < minimum)
    assert not any(level in hidden for level, n in patients.items() if n == 0)


@given(LEVELS)
def test_nothing_is_hidden_where_nothing_is_small(patients):
    assert withheld(patients, 1) == {}
