"""Adjusted p values are those of statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from tasks.evaluation.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize(("ours", "name"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_adjusted_p_values_are_those_of_statsmodels(ours, name, n):
    p = np.random.default_rng(n).random(n) ** 3
    p[n // 2] = p[0]  # equal ones
    np.testing.assert_allclose(ours(p), multipletests(p, method=name)[1], rtol=1e-12)


@pytest.mark.parametrize("ours", [holm, benjamini_hochberg])
def test_what_was_not_tested_does_not_count(ours):
    p = np.array([0.01, np.nan, 0.04, np.nan])
    np.testing.assert_allclose(ours(p)[[0, 2]], ours([0.01, 0.04]))
    assert np.isnan(ours(p)[[1, 3]]).all()
    assert ours([]).size == 0


@pytest.mark.parametrize("p", [[1.2], [-0.1], [[0.1]]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(ValueError, match="p values"):
        holm(p)
