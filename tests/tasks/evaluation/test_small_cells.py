"""Cells of few patients in levels that are shown: an attack with all that is published, and nothing that follows from them left anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from tasks.evaluation.analysis import analyse
from tasks.evaluation.cells import FN, FP, TN, TP, Cells, counts
from tasks.evaluation.results import Results
from tasks.evaluation.small_cells import small, withheld_cells, withheld_crossed
from tasks.report.checks import check
from tests.tasks.evaluation.cohorts import plan, tables

CELLS = (TN, FP, FN, TP)
#: Counts of TN, FP, FN, TP in a level.
LEVEL = st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))


def made(numbers) -> Cells:
    """The cells of a level in which each patient has one case."""
    tn, fp, fn, tp = numbers
    return counts([0] * (tn + fp) + [1] * (fn + tp), [0] * tn + [1] * fp + [0] * fn + [1] * tp)


def attacked(
    levels: dict[str, tuple[int, ...]], sums: list[tuple[set[str], bool]], unknown: set[str]
) -> dict[tuple[str, int], tuple[float, float]]:
    """Least and most of every cell of an unknown level, for somebody who knows all margins by reference standard, all other cells, and the sums.

    Args:
        sums: sets of levels whose cells add up to a row, and whether that row's cells are shown.
    """
    place = {key: number for number, key in enumerate((level, cell) for level in sorted(unknown) for cell in CELLS)}
    lines, totals = [], []

    def equation(keys, total):
        line = np.zeros(len(place))
        for key in keys:
            line[place[key]] = 1.0
        lines.append(line)
        totals.append(total)

    for level in unknown:  # positives and negatives of every level are shown
        equation([(level, FN), (level, TP)], levels[level][FN] + levels[level][TP])
        equation([(level, TN), (level, FP)], levels[level][TN] + levels[level][FP])
    for members, shown in sums:
        for cell in CELLS if shown else ():
            equation([(level, cell) for level in members & unknown], sum(levels[level][cell] for level in members & unknown))
    found = {}
    for key, number in place.items():
        aim = np.eye(len(place))[number]
        ends = [optimize.linprog(sign * aim, A_eq=lines, b_eq=totals, bounds=(0, None)) for sign in (1, -1)]
        found[key] = (ends[0].fun, -ends[1].fun)
    return found


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("ABCDEF"), LEVEL, min_size=2), st.integers(2, 6))
def test_no_small_cell_of_a_level_is_determined_by_what_is_published(levels, minimum):
    found = {level: made(numbers) for level, numbers in levels.items()}
    unknown = set(withheld_cells(found, set(), minimum))
    assert {level for level, each in found.items() if small(each, minimum)} <= unknown
    if not unknown or all(level in unknown or not sum(levels[level]) for level in levels):
        return
    told = attacked(levels, [(set(levels), True)], unknown)
    for level in unknown:
        for cell in (each for each in CELLS if 0 < levels[level][each] < minimum):
            least, most = told[level, cell]
            kind = (FN, TP) if cell in (FN, TP) else (TN, FP)
            shown = {each for each in levels if each not in unknown and sum(levels[each][k] for k in kind)}
            # All unknown cases of a kind in one cell are known to be there, and where nobody else has such cases, all cases tell the level.
            trivial = all(levels[each][kind[0] + kind[1] - cell] == 0 for each in unknown)
            assert most - least >= 1 or trivial or not shown, (level, cell)


def test_the_attack_succeeds_where_nothing_complementary_is_withheld():
    levels = {"A": (20, 5, 1, 30), "B": (25, 9, 7, 28), "C": (22, 8, 6, 21)}
    found = {level: made(numbers) for level, numbers in levels.items()}
    alone = set(withheld_cells(found, set(), 5, complementary=False))
    assert alone == {"A"}
    assert attacked(levels, [(set(levels), True)], alone)["A", FN] == pytest.approx((1, 1))
    both = set(withheld_cells(found, set(), 5))
    assert len(both) == 2
    least, most = attacked(levels, [(set(levels), True)], both)["A", FN]
    assert most - least >= 5


def test_a_level_without_the_finding_hides_nobody_who_has_it():
    levels = {"A": (20, 8, 1, 30), "B": (15, 9, 0, 0), "C": (22, 8, 6, 41)}
    found = {level: made(numbers) for level, numbers in levels.items()}
    unknown = set(withheld_cells(found, set(), 5))
    assert "C" in unknown
    least, most = attacked(levels, [(set(levels), True)], unknown)["A", FN]
    assert most - least >= 5


def test_crossed_levels_do_not_give_back_a_margin_nor_a_margin_a_pair():
    pairs = {("F", "x"): (20, 6, 1, 30), ("F", "y"): (25, 9, 7, 28), ("M", "x"): (22, 8, 6, 21), ("M", "y"): (30, 6, 8, 25),
             ("O", "x"): (18, 7, 9, 20), ("O", "y"): (21, 8, 7, 24)}  # fmt: skip
    found = {pair: made(numbers) for pair, numbers in pairs.items()}
    unknown = withheld_crossed(found, {}, set(), 5, margins=(frozenset(), frozenset()))
    assert len(unknown) >= 4  # a rectangle: no row and no column has a single one
    for side in (0, 1):
        for level in {pair[side] for pair in pairs}:
            assert sum(pair[side] == level for pair in unknown) != 1
    by_name = {" ".join(pair): numbers for pair, numbers in pairs.items()}
    lines = [({name for name in by_name if level in name.split()}, True) for level in ("F", "M", "O", "x", "y")]
    least, most = attacked(by_name, lines, {" ".join(pair) for pair in unknown})["F x", FN]
    assert most - least >= 1
    quiet = {pair: made((30, 9, 9, 30)) for pair in pairs}
    with_margin = withheld_crossed(quiet, {}, set(), 5, margins=(frozenset({"F", "M"}), frozenset()))
    assert any(pair[0] == "F" for pair in with_margin)
    assert any(pair[0] == "M" for pair in with_margin)


def evaluated(**changes) -> Results:
    said = {
        "minimum_cell": 12, "prevalences": [0.1], "calibration": {}, "operating_points": [{"name": "low", "threshold": 0.4}],
        "goals": [{"metric": "sensitivity", "at_least": 0.5, "subgroups": True}, {"metric": "auc", "at_least": 0.5, "subgroups": True}],
        "subgroups": [{"attribute": "sex", "levels": ["F", "M"]}, {"attribute": "SliceThickness", "levels": ["2.5", "5"]}],
    }  # fmt: skip
    return analyse(*tables(), plan(**{**said, **changes}))


def test_of_a_level_with_a_small_cell_nothing_is_left_that_tells_it():
    open_, closed = evaluated(minimum_cell=0), evaluated(minimum_cell=25)
    bare = {(row.attribute, row.level) for row in closed.performance if row.cells_withheld}
    assert bare
    before = {(row.attribute, row.level): row for row in open_.performance}
    for row in closed.performance:
        key = (row.attribute, row.level)
        if key not in bare:
            continue
        assert (row.patients, row.studies, row.positives, row.auc) == (
            *(getattr(before[key], f) for f in ("patients", "studies", "positives")),
            before[key].auc,
        )
        assert row.counts.tp + row.counts.fn + row.counts.fp + row.counts.tn == 0
        for name in ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative"):
            assert "a cell of fewer than 25 patients" in getattr(row, name).reason
        assert {found.metric for found in row.against_rest} <= {"auc"}
    for rows in (closed.predictive, closed.roc, [each for each in closed.calibration if each.attribute]):
        assert not bare & {(row.attribute, row.level) for row in rows}
    for goal in closed.goals:
        if (goal.attribute, goal.level) in bare:
            assert (goal.estimate is None) == (goal.metric == "sensitivity")
    attributes = {attribute for attribute, _ in bare}
    assert all(test.p is None for test in closed.heterogeneity if test.attribute in attributes and test.metric != "auc")
    check(closed)


def test_every_attribute_has_no_single_bare_level_and_the_whole_is_shown():
    results = evaluated(minimum_cell=25)
    assert not results.overall().cells_withheld
    for rows in (results.performance, *(point.performance for point in results.operating_points)):
        for attribute in ("sex", "SliceThickness"):
            bare = [row for row in rows if row.attribute == attribute and row.cells_withheld]
            assert len(bare) != 1


def test_a_level_in_which_few_have_the_finding_is_hidden_whole():
    results = evaluated(minimum_cell=70)
    assert {row.attribute for row in results.performance if row.suppressed}
    assert all(row.positives == 0 for row in results.performance if row.suppressed)


def test_without_it_nothing_changes():
    assert evaluated(minimum_cell=0) == evaluated(minimum_cell=0).model_copy()
    assert not any(row.cells_withheld for row in evaluated(minimum_cell=0).performance)
    assert not any(row.cells_withheld for row in evaluated(minimum_cell=1).performance)
