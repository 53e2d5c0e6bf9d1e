"""Intervals cover the truth as often as they promise when patients have several correlated images; ignoring patients does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.evaluation.curves import auc
from tasks.evaluation.proportions import proportion

PATIENTS, IMAGES, CORRELATION, TURNS = 60, 5, 0.5, 2000


@pytest.mark.slow
def test_nominal_95_percent_is_kept_over_patients_and_lost_over_rows():
    rng = np.random.default_rng(20_261_124)
    keys = np.repeat(np.arange(2 * PATIENTS), IMAGES)
    labels = keys < PATIENTS
    shift, cut = 1.2, 0.3
    true_auc, true_sensitivity = stats.norm.cdf(shift / np.sqrt(2)), stats.norm.sf(cut - shift)
    covered = {"auc": 0, "auc over rows": 0, "sensitivity": 0, "sensitivity over rows": 0}
    for _ in range(TURNS):
        own = np.sqrt(CORRELATION) * rng.normal(size=2 * PATIENTS)[keys] + np.sqrt(1 - CORRELATION) * rng.normal(size=keys.size)
        scores = own + shift * labels
        for name, patients in (("", keys), (" over rows", None)):
            area = auc(scores, labels, patients)
            covered[f"auc{name}"] += area.lower <= true_auc <= area.upper
            hit = proportion(scores[labels] >= cut, None if patients is None else keys[labels])
            covered[f"sensitivity{name}"] += hit.lower <= true_sensitivity <= hit.upper
    shares = {name: n / TURNS for name, n in covered.items()}
    assert 0.93 <= shares["auc"] <= 0.97, shares
    assert 0.93 <= shares["sensitivity"] <= 0.97, shares
    assert shares["auc over rows"] < 0.83, shares
    assert shares["sensitivity over rows"] < 0.85, shares
