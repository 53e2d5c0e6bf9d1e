"""What is hidden cannot be worked out from what is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from tasks.evaluation.suppression import withheld, withheld_pairs

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


# ---- two attributes crossed: an attack -----------------------------------------------------------------------------------

TABLE = st.integers(2, 4).flatmap(
    lambda rows: st.lists(st.lists(st.integers(0, 14), min_size=3, max_size=3), min_size=rows, max_size=rows)
)


def attacked(table, minimum, *, complementary=True):
    """What somebody can tell of each hidden pair who knows all that is shown: pair → least and most patients (linear programming)."""
    rows, columns = [f"r{i}" for i in range(len(table))], [f"c{j}" for j in range(len(table[0]))]
    sizes = {(r, c): table[i][j] for i, r in enumerate(rows) for j, c in enumerate(columns)}
    sums = [{r: sum(sizes[r, c] for c in columns) for r in rows}, {c: sum(sizes[r, c] for r in rows) for c in columns}]
    margins = tuple(frozenset(withheld(each, minimum, complementary=complementary)) for each in sums)
    hidden, _ = withheld_pairs(sizes, {}, minimum, margins=margins, complementary=complementary)
    known = {pair: n for pair, n in sizes.items() if pair not in hidden}
    unknown = list(hidden)
    equations, totals = [[1.0] * len(unknown)], [sum(sizes.values()) - sum(known.values())]
    for side, each in enumerate(sums):
        for level, n in each.items():
            if level not in margins[side]:
                equations.append([float(pair[side] == level) for pair in unknown])
                totals.append(n - sum(size for pair, size in known.items() if pair[side] == level))
    found = {}
    for place, pair in enumerate(unknown):
        aim = np.eye(len(unknown))[place]
        # Who is hidden has at least one patient, which is known as well: empty pairs are shown as empty.
        ends = [optimize.linprog(sign * aim, A_eq=equations, b_eq=totals, bounds=(1, None)) for sign in (1, -1)]
        found[pair] = tuple(sign * end.fun if end.status == 0 else np.inf for sign, end in zip((1, -1), ends, strict=True))
    return sizes, hidden, margins, found


@settings(max_examples=60)
@given(TABLE, st.integers(2, 6))
def test_no_hidden_pair_follows_from_all_that_is_shown(table, minimum):
    sizes, hidden, margins, _ = attacked(table, minimum)
    everything = all(pair in hidden or n == 0 for pair, n in sizes.items())
    assert all(pair in hidden for pair, n in sizes.items() if 0 < n < minimum)
    if everything:
        return
    unknown = list(hidden)
    lines = [[1.0] * len(unknown)]
    for side in range(2):
        levels = dict.fromkeys(pair[side] for pair in sizes)
        lines += [[float(pair[side] == level) for pair in unknown] for level in levels if level not in margins[side]]
    rank = np.linalg.matrix_rank(np.array(lines)) if unknown else 0
    for place in range(len(unknown)):
        assert np.linalg.matrix_rank(np.vstack([lines, np.eye(len(unknown))[place]])) == rank + 1, unknown[place]


def test_the_attack_finds_what_is_hidden_alone_and_fails_where_others_are_hidden_with_it():
    table = [[2, 30, 40], [25, 35, 20], [30, 18, 22]]
    _, hidden, _, told = attacked(table, 5, complementary=False)
    assert hidden.keys() == {("r0", "c0")}
    assert told["r0", "c0"] == pytest.approx((2, 2))
    _, hidden, _, told = attacked(table, 5)
    assert len(hidden) >= 4
    least, most = told["r0", "c0"]
    assert least < 2 < most
    assert most - least >= 5


def test_rows_outside_the_pairs_are_protected_by_the_total():
    sizes = {("a", "x"): 30, ("a", "y"): 20, ("b", "x"): 25, ("b", "y"): 40}
    pairs, outside = withheld_pairs(sizes, {"not stated": 3}, 5)
    assert outside.keys() == {"not stated"}
    assert pairs
