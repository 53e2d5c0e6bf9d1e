"""What is left when a part is taken away has the AUC, the variance and the counts that it has by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluation import cells
from tasks.evaluation.ranking import Seen, area, area_of, rank
from tasks.evaluation.remainder import influence_without, sides
from tests.tasks.evaluation.test_curves import cohort

NONE = Seen(0, 0, 0)


def seen(cases):
    """The patients of some cases."""
    masks = cases.positive, ~cases.positive, np.ones(cases.positive.size, dtype=bool)
    return Seen(*(len(set(cases.patients[mask].tolist())) for mask in masks))


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_the_rest_is_what_it_is_by_itself(seed, share, ties):
    scores, labels, keys = cohort(seed, ties=ties)
    ranked, _ = rank(scores, labels, keys)
    inside = np.random.default_rng(seed).random(scores.size) < share
    alone, left = (
        area(ranked.inside(~inside)),
        influence_without(*sides(ranked), inside, ranked.among, seen(ranked.inside(~inside))),
    )
    assert left is not None
    found = area_of(left)
    assert found.variance == pytest.approx(alone.variance, rel=1e-12)
    assert (found.auc, found.patients) == (alone.auc, alone.patients)
    assert (found.with_positives, found.with_negatives) == (alone.with_positives, alone.with_negatives)


def test_a_rest_of_one_side_has_no_auc():
    scores, labels, keys = cohort(1)
    ranked, _ = rank(scores, labels, keys)
    assert influence_without(*sides(ranked), ranked.positive, ranked.among, NONE) is None
    assert influence_without(*sides(ranked), ~ranked.positive, ranked.among, NONE) is None


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_the_rests_cells_are_those_counted_by_themselves(seed, share):
    scores, labels, keys = cohort(seed)
    ranked, _ = rank(scores, labels, keys)
    cut = int(ranked.ranks[-1]) // 2
    inside = np.random.default_rng(seed).random(scores.size) < share
    members, part = ranked.inside(inside).compacted()
    whole, within = cells.by_patient(ranked, cut), cells.by_patient(part, cut)
    left = cells.summed(whole).without(cells.summed(within), whole[:, members], within)
    alone = cells.summed(cells.by_patient(ranked.inside(~inside), cut))
    assert left.totals == alone.totals
    assert left.present == alone.present
    np.testing.assert_array_equal(left.products, alone.products)
