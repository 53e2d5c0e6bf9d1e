"""Calibration, decision curve and risk strata, against the table and the ROC curve."""

from __future__ import annotations

from itertools import pairwise

from tasks.evaluation.results import CalibrationBin, CalibrationResult, Counts, NetBenefit, Performance, Results, Stratum
from tasks.report.checks import curves, estimates
from tasks.report.checks.holding import TOLERANCE, close, hold, mismatch, named, single


def check_probabilities(results: Results) -> None:
    """All that is about scores as probabilities."""
    if results.overall().suppressed:
        there = (results.calibration, results.net_benefit, results.strata)
        hold(not any(there), "all cases", "probabilities are shown though all cases are withheld")
        return
    rows = {(row.attribute, row.level): row for row in results.performance}
    seen = [(each.attribute, each.level) for each in results.calibration]
    hold(len(set(seen)) == len(seen), "calibration", "a row stands twice")
    for found in results.calibration:
        row = rows.get((found.attribute, found.level))
        if row is None or row.suppressed:
            raise mismatch(f"{named(found.attribute, found.level)}: calibration", "it has no row that may be shown")
        _check_calibration(found, row, results)
    for point in results.net_benefit:
        _check_net_benefit(point, results)
    if results.strata:
        _check_strata(results)


def scored(results: Results) -> bool:
    """Whether all cases of the main table have a score of the model's own, and so a probability."""
    return results.unscored == 0


# ---- calibration ------------------------------------------------------------------------------------------------------------


def _check_calibration(found: CalibrationResult, row: Performance, results: Results) -> None:
    where, confidence = f"{named(found.attribute, found.level)}: calibration", results.confidence
    for name, value in (("intercept", found.intercept), ("slope", found.slope)):
        estimates.normal(value, confidence, where, name)
    estimates.normal(found.brier, confidence, where, "brier", least=0.0, most=1.0)
    estimates.normal(found.observed_to_expected, confidence, where, "observed_to_expected", least=0.0)
    hits = [_check_bin(each, confidence, where, place) for place, each in enumerate(found.curve, start=1)]
    hold(not single(row) or all(each.patients == each.studies for each in found.curve), where, "the patients of its bins")
    hold(all(a.upper_score <= b.lower_score + TOLERANCE for a, b in pairwise(found.curve)), where, "the bins overlap")
    studies, shown = sum(each.studies for each in found.curve), not any(each.suppressed for each in found.curve)
    hold(studies <= row.studies, where, "its bins hold more studies than there are")
    hold(found.ece is None or 0.0 <= found.ece <= 1.0, where, "ece")
    if not found.curve or not shown:
        return
    if scored(results):
        hold(studies == row.studies, where, "its bins do not add up")
    if None in hits:
        hold(found.ece is None, where, "ece: a bin has no estimate")
        return
    positives = sum(each or 0 for each in hits)
    hold(not scored(results) or positives == row.positives, where, "the positives of its bins do not add up")
    pairs = [
        (float(each.mean_score or 0.0), (hit or 0) / each.studies, each.studies)
        for each, hit in zip(found.curve, hits, strict=True)
    ]
    hold(
        found.ece is not None and close(found.ece, sum(abs(mean - share) * n for mean, share, n in pairs) / studies), where, "ece"
    )
    expected = sum(mean * n for mean, _, n in pairs)
    if found.observed_to_expected.estimate is not None:
        hold(expected > 0.0 and close(found.observed_to_expected.estimate, positives / expected), where, "observed_to_expected")
    if found.brier.estimate is not None:
        # The mean of squares is at least the square of the mean in each bin (Jensen).
        least = sum((mean - share) ** 2 * n for mean, share, n in pairs) / studies
        hold(found.brier.estimate >= least - TOLERANCE, where, "brier: its bins alone have a larger error")


def _check_bin(each: CalibrationBin, confidence: float, where: str, number: int) -> int | None:
    """The positives of a bin; None where it has no estimate."""
    where = f"{where}: bin {number}"
    hold(each.lower_score <= each.upper_score, where, "its bounds")
    hold(each.lower_score >= 0.0 and each.upper_score <= 1.0, where, "its bounds are no probabilities")
    if each.suppressed:
        bare = not each.patients and not each.studies and each.mean_score is None and each.observed.estimate is None
        hold(bare, where, "the numbers of a withheld bin are shown")
    else:
        hold(0 < each.patients <= each.studies, where, "patients")
        mean = each.mean_score
        inside = mean is not None and each.lower_score - TOLERANCE <= mean <= each.upper_score + TOLERANCE
        hold(inside, where, "the mean score is outside of the bin")
    return estimates.from_share(
        each.observed, each.studies, confidence, where, "observed", patients=each.patients, singles=each.patients == each.studies
    )  # fmt: skip


# ---- decision curve ---------------------------------------------------------------------------------------------------------


def _check_net_benefit(point: NetBenefit, results: Results) -> None:
    where, overall = f"net benefit at {point.threshold_probability:g}", results.overall()
    hold(0.0 < point.threshold_probability < 1.0, where, "threshold probability")
    hold(point.treat_none == 0.0, where, "treat_none")
    there = estimates.normal(point.model, results.confidence, where, "model")
    if not scored(results) or not overall.studies:
        hold(
            -point.threshold_probability / (1.0 - point.threshold_probability) - TOLERANCE <= point.treat_all <= 1.0,
            where,
            "treat_all",
        )
        return
    prevalence, harm = overall.positives / overall.studies, point.threshold_probability / (1.0 - point.threshold_probability)
    hold(close(point.treat_all, prevalence - (1.0 - prevalence) * harm), where, "treat_all")
    if not there or point.model.estimate is None:
        return
    for threshold, counts in _tables(results):
        if threshold == point.threshold_probability:
            gain = (counts.tp - counts.fp * harm) / overall.studies
            hold(close(point.model.estimate, gain), where, "model: it does not follow from the counts at this threshold")
    curve = curves.of_all_cases(results)
    if curve is not None and not curves.thinned(curve):
        # Net benefit is linear on each straight piece of the curve, so that its extremes are at the curve's points.
        gains = [y * prevalence - x * (1.0 - prevalence) * harm for x, y in curves.points(curve)]
        fits = min(gains) - TOLERANCE <= point.model.estimate <= max(gains) + TOLERANCE
        hold(fits, where, "model: no point of the ROC curve has it")


def _tables(results: Results) -> list[tuple[float, Counts]]:
    """Each threshold with the counts of all cases."""
    main = [(results.threshold, results.overall().counts)]
    return [
        *main,
        *(
            (point.threshold, next(row for row in point.performance if not row.attribute).counts)
            for point in results.operating_points
        ),
    ]


# ---- strata -----------------------------------------------------------------------------------------------------------------


def _check_strata(results: Results) -> None:
    strata, overall, confidence = results.strata, results.overall(), results.confidence
    hold(strata[0].lower is None and strata[-1].upper is None, "strata", "the outer ones have a bound")
    hold(all(a.upper is not None and a.upper == b.lower for a, b in pairwise(strata)), "strata", "they do not follow each other")
    bounds = [each.upper for each in strata[:-1]]
    hold(all(a is not None and b is not None and a < b for a, b in pairwise(bounds)), "strata", "their bounds do not ascend")
    shown = not any(each.suppressed for each in strata)
    studies, positives = sum(each.studies for each in strata), sum(each.positives for each in strata)
    hold(studies <= overall.studies and positives <= overall.positives, "strata", "they hold more than there is")
    if shown and scored(results):
        hold((studies, positives) == (overall.studies, overall.positives), "strata", "they do not add up")
    for number, each in enumerate(strata, start=1):
        where, singles = f"stratum {number}", each.patients == each.studies
        if each.suppressed:
            bare = not (each.patients or each.studies or each.positives) and each.observed.estimate is None
            hold(bare and each.likelihood_ratio.estimate is None, where, "the numbers of a withheld stratum are shown")
        else:
            hold(each.positives <= each.studies and each.patients <= each.studies, where, "counts")
            hold(bool(each.patients) == bool(each.studies), where, "patients")
        estimates.proportion(
            each.observed, each.positives, each.studies, confidence, where, "observed", patients=each.patients, singles=singles
        )  # fmt: skip
        _check_ratio(each, where, results, (positives, studies - positives) if shown else None)


def _check_ratio(each: Stratum, where: str, results: Results, wholes: tuple[int, int] | None) -> None:
    """The stratum's likelihood ratio from all strata, or where some are withheld from all cases if these are the same."""
    overall = results.overall()
    if wholes is None and scored(results):
        wholes = overall.positives, overall.negatives
    if wholes is None:
        estimates.normal(each.likelihood_ratio, results.confidence, where, "likelihood_ratio", least=0.0)
        return
    top, bottom = (each.positives, wholes[0]), (each.studies - each.positives, wholes[1])
    singles = overall.patients == overall.studies and scored(results)
    estimates.ratio(each.likelihood_ratio, results.confidence, where, "likelihood_ratio", top, bottom, singles=singles)
