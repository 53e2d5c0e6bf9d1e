"""Likelihood ratios, and what they make of a prevalence: predictive values, number needed to predict, and a table of 1,000 patients.

Sources: Simel, Samsa and Matchar, J Clin Epidemiol 1991;44:763 (log intervals); Mercaldo, Lau and Zhou, Stat Med 2007;26:2170 (logit
intervals of predictive values at a given prevalence); Linn and Grunau, Emerg Themes Epidemiol 2006;3:11 (number needed to predict);
FDA, draft guidance on AI-enabled device software functions, January 2025, appendix F (the table of patients).
"""

from __future__ import annotations

from math import exp, hypot, sqrt
from typing import Literal

from tasks.evaluation.cells import FN, FP, TN, TP, Cells
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.proportions import effect
from tasks.evaluation.results import Estimate, PerThousand

Sign = Literal["positive", "negative"]
#: Sign → the cell that is the share among positives, the one among negatives, and the sign of both errors' covariance.
_CELLS = {"positive": (TP, FP), "negative": (FN, TN)}
_LARGEST = float("inf")


def likelihood_ratio(counts: Cells, sign: Sign, *, confidence: float = 0.95) -> Estimate:
    """LR+ = sensitivity / (1 - specificity), or LR- = (1 - sensitivity) / specificity, with an interval on the log scale.

    The variance of the logarithm is the sum of the two shares' relative variances, each with the design effect over patients, less
    twice their covariance over patients that have positives and negatives: Simel's where each patient has one case.

    Returns:
        the estimate, or `not_estimable`: no positive or negative cases, a count of zero in the numerator or denominator, or all
        positive or all negative cases of one patient.
    """
    z = normal_quantile(confidence)
    variance, reason = _log_variance(counts, sign)
    if reason:
        return not_estimable(reason, confidence)
    top, bottom = _CELLS[sign]
    positives, negatives = counts.totals[TP] + counts.totals[FN], counts.totals[TN] + counts.totals[FP]
    ratio = (counts.totals[top] / positives) / (counts.totals[bottom] / negatives)
    spread = sqrt(variance)
    reach = z * spread
    clustered = counts.patients() < positives + negatives
    name = "Simel (log)" + (", variance over patients" if clustered else "")
    return estimated(
        ratio, ratio * exp(-reach), ratio * exp(reach), confidence, name, most=_LARGEST, standard_error=spread, scale="log"
    )


def _log_variance(counts: Cells, sign: Sign) -> tuple[float, str]:
    """Variance of ln LR, or why there is none."""
    top, bottom = _CELLS[sign]
    sensitivity, specificity = counts.share("sensitivity"), counts.share("specificity")
    for share, what in ((sensitivity, "positive"), (specificity, "negative")):
        if not share.cases:
            return 0.0, f"no {what} cases"
        if share.patients == 1 and share.cases > 1:
            return 0.0, f"the {what} cases are of one patient"
    names = {TP: "true positives", FP: "false positives", FN: "false negatives", TN: "true negatives"}
    for cell in (top, bottom):
        if not counts.totals[cell]:
            return 0.0, f"no {names[cell]}"
    total = 0.0
    for share, hits in ((sensitivity, counts.totals[top]), (specificity, counts.totals[bottom])):
        spread = 1.0 if share.successes in (0, share.cases) else effect(share)
        total += spread * (1.0 / hits - 1.0 / share.cases)
    k = counts.patients()
    if k > 1:
        # ln LR+ has sensitivity above and 1 - specificity below, ln LR- the opposites: either way twice this term is added.
        shares = counts.covariance("sensitivity", "specificity") / (sensitivity.cases * specificity.cases) * k / (k - 1)
        total += 2.0 * shares / ((counts.totals[top] / sensitivity.cases) * (counts.totals[bottom] / specificity.cases))
    return max(total, 0.0), "" if total > 0.0 else "the estimated variance is zero"


def predictive_value(counts: Cells, sign: Sign, prevalence: float, *, confidence: float = 0.95) -> Estimate:
    """PPV or NPV at a prevalence that is not the data's: odds of the finding = LR · prevalence / (1 - prevalence).

    The interval is that of the likelihood ratio, carried over: the logit interval of Mercaldo 2007.

    Raises:
        ValueError: the prevalence is not between 0 and 1.
    """
    if not 0.0 < prevalence < 1.0:
        raise ValueError("the prevalence must lie between 0 and 1")
    found = likelihood_ratio(counts, sign, confidence=confidence)
    if found.estimate is None or found.lower is None or found.upper is None:
        return found
    odds = prevalence / (1.0 - prevalence)
    low, middle, high = (odds * ratio / (1.0 + odds * ratio) for ratio in (found.lower, found.estimate, found.upper))
    if sign == "negative":
        low, middle, high = 1.0 - high, 1.0 - middle, 1.0 - low
    name = "Mercaldo (logit)" + found.method.removeprefix("Simel (log)")
    return estimated(middle, low, high, confidence, name, standard_error=found.standard_error, scale="logit")


def number_needed_to_predict(ppv: Estimate, npv: Estimate) -> Estimate:
    """1 / (PPV + NPV - 1): how many patients must be tested to tell one more rightly than by chance.

    The interval is that of the sum, by square-and-add of the two intervals, turned over. Where the sum's lower bound is not above 1
    there is no upper bound, which `reason` says.
    """
    confidence = ppv.confidence
    for value in (ppv, npv):
        if value.estimate is None or value.lower is None or value.upper is None:
            return not_estimable(value.reason, confidence)
    p, q = float(ppv.estimate or 0), float(npv.estimate or 0)
    gain = p + q - 1.0
    if gain <= 0.0:
        return not_estimable("the predictive values add up to no more than 1", confidence)
    low = gain - hypot(p - float(ppv.lower or 0), q - float(npv.lower or 0))
    high = gain + hypot(float(ppv.upper or 0) - p, float(npv.upper or 0) - q)
    bounds = {"lower": 1.0 / min(1.0, high), "upper": 1.0 / low if low > 0.0 else None}
    reason = "" if low > 0.0 else "no upper bound: the interval of PPV + NPV reaches 1"
    return Estimate(
        status="estimated", estimate=1.0 / gain, **bounds, confidence=confidence, method="square-and-add, inverted", reason=reason
    )


def per_thousand(counts: Cells, prevalence: float | None = None) -> PerThousand | None:
    """What happens to 1,000 cases of a prevalence (the data's own where it is None); None without positives or negatives."""
    tn, fp, fn, tp = counts.totals
    positives, negatives = tp + fn, tn + fp
    if not positives or not negatives:
        return None
    own = positives / (positives + negatives)
    share = own if prevalence is None else prevalence
    ill, well = 1000.0 * share, 1000.0 * (1.0 - share)
    return PerThousand(
        prevalence=share, positives=ill, negatives=well,
        tp=ill * tp / positives, fn=ill * fn / positives, fp=well * fp / negatives, tn=well * tn / negatives,
    )  # fmt: skip
