"""How much measurements of the same patient differ when nothing has changed.

Sources: Bland and Altman, BMJ 1996;313:744 and 313:106 (within-subject SD and CV); Raunig et al., Stat Methods Med Res 2015;24:27 (QIBA).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from tasks.evaluation import clusters
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.results import Estimate

_REPEATABILITY = 1.959963984540054 * np.sqrt(2.0)


@dataclass(frozen=True)
class Repeatability:
    """Within-subject SD (`wsd`), the repeatability coefficient 1.96·√2·wsd, and the within-subject CV in per cent (`cv_percent`).

    `freedom`: Σ (measurements - 1) over patients with at least two.
    """

    wsd: Estimate
    coefficient: Estimate
    cv_percent: Estimate
    freedom: int


def repeatability(values: ArrayLike, patients: ArrayLike, *, confidence: float = 0.95) -> Repeatability:
    """Repeatability of measurements of the same thing.

    The within-subject SD is the root of the pooled variance within patients, its interval by chi-squared; the CV is the root of the mean
    square of the patients' own CVs, weighted by their degrees of freedom, its interval by the same chi-squared (an approximation).

    Args:
        values: finite, shape (measurements,).
        patients: one key a measurement; patients with a single one add nothing.
    """
    normal_quantile(confidence)
    given = np.asarray(values, dtype=np.float64)
    codes = clusters.encode(np.asarray(patients), given.size)
    bad = int(np.count_nonzero(~np.isfinite(given)))
    sizes = np.bincount(codes)
    freedom = int(np.sum(sizes - 1)) if given.size else 0
    reason = "no measurements" if not given.size else f"{bad} of {given.size} measurements are not finite" if bad else ""
    reason = reason or ("no patient was measured twice" if freedom == 0 else "")
    if reason:
        none = not_estimable(reason, confidence)
        return Repeatability(none, none, none, freedom)
    means = clusters.sums(codes, given, sizes.size) / sizes
    squares = clusters.sums(codes, (given - means[codes]) ** 2, sizes.size)
    wsd = float(np.sqrt(squares.sum() / freedom))
    tail = (1.0 - confidence) / 2.0
    low, high = (float(np.sqrt(freedom / special.chdtri(freedom, tail_))) for tail_ in (tail, 1.0 - tail))

    def spread(value: float, name: str) -> Estimate:
        if value == 0.0:
            return not_estimable("all repeated measurements agree", confidence)
        return estimated(value, value * low, value * high, confidence, name, most=np.inf, freedom=freedom)

    again = sizes > 1
    if (means[again] <= 0.0).any():
        cv = not_estimable("a patient's mean is not above zero: there is no CV", confidence)
    else:
        relative = squares[again] / means[again] ** 2
        cv = spread(100.0 * float(np.sqrt(relative.sum() / freedom)), "chi-squared, pooled over patients (approximate)")
    name = "chi-squared, pooled over patients"
    return Repeatability(spread(wsd, name), spread(float(_REPEATABILITY) * wsd, name), cv, freedom)
