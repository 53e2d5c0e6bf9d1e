"""One estimate with its interval, held against the counts it is of."""

from __future__ import annotations

from math import inf

from tasks.evaluation.results import Estimate
from tasks.report.checks import again
from tasks.report.checks.holding import TOLERANCE, close, hold, mismatch, whole

_FEW_PATIENTS = 10


def known(value: Estimate, confidence: float, where: str, name: str, *, least: float = 0.0, most: float = 1.0) -> bool:
    """Whether there is a number, which then has an interval around it; without one there is a reason and nothing else."""
    hold(value.confidence == confidence, where, f"{name} (confidence)")
    if value.status == "not_estimable":
        made_of = (value.effective_n, value.standard_error, value.scale, value.freedom, value.groups)
        bare = (value.estimate, value.lower, value.upper) == (None, None, None) and made_of == (None,) * 5
        hold(bare and bool(value.reason), where, name)
        return False
    if value.estimate is None or value.lower is None or value.upper is None:
        raise mismatch(where, f"{name} (an estimate without an interval)")
    hold(not value.reason, where, f"{name} (an estimate, and a reason why there is none)")
    hold(least <= value.lower <= value.upper <= most, where, f"{name} (interval)")
    hold(value.lower - TOLERANCE <= value.estimate <= value.upper + TOLERANCE, where, f"{name} (outside its interval)")
    return True


def bounded(
    value: Estimate, bounds: again.Bounds | None, where: str, name: str, *, least: float = 0.0, most: float = 1.0
) -> None:
    """The interval is the one that was made again, held to the same range."""
    if bounds is None or value.estimate is None:
        raise mismatch(where, f"{name} (what its interval was made of is not said)")
    lower, upper = max(least, min(bounds[0], value.estimate)), min(most, max(bounds[1], value.estimate))
    hold(close(value.lower, lower) and close(value.upper, upper), where, f"{name} (its interval does not follow from its counts)")


def proportion(
    value: Estimate,
    part: int,
    among: int,
    confidence: float,
    where: str,
    name: str,
    *,
    patients: int | None = None,
    singles: bool = False,
) -> None:
    """A rate and its interval follow from its counts and the effective sample size.

    Args:
        part, among: the counts.
        patients: of the row at most, where they are known.
        singles: whether each patient has one case: then the sample size is the number of cases.
    """
    if not known(value, confidence, where, name):
        hold(not (singles and among) or value.reason.startswith("Wald"), where, f"{name} (it can be estimated)")
        return
    if value.estimate is None or not among or not close(value.estimate, part / among):
        raise mismatch(where, name)
    n = value.effective_n
    if n is None:
        raise mismatch(where, f"{name} (what its interval was made of is not said)")
    hold(n <= among * (1.0 + TOLERANCE), where, f"{name} (its effective sample size is beyond the cases)")
    hold(not singles or close(n, among), where, f"{name} (its effective sample size is not the cases)")
    if part in (0, among):
        most = among if patients is None else min(among, patients)
        hold(whole(n) and n <= most, where, f"{name} (its effective sample size is not that of patients)")
    bounded(value, again.proportion(value.method, part / among, n, confidence), where, name)


def from_share(
    value: Estimate, among: int, confidence: float, where: str, name: str, *, patients: int | None = None, singles: bool = False
) -> int | None:
    """The count of successes behind a rate of which only the cases are published; None where there is no number.

    Args:
        patients, singles: as in `proportion`.
    """
    if not known(value, confidence, where, name):
        return None
    part = round(float(value.estimate or 0.0) * among)
    proportion(value, part, among, confidence, where, name, patients=patients, singles=singles)
    return part


def normal(value: Estimate, confidence: float, where: str, name: str, *, least: float = -inf, most: float = inf) -> bool:
    """An estimate whose interval follows from its standard error; returns whether there is one."""
    if not known(value, confidence, where, name, least=least, most=most):
        return False
    bounded(value, again.normal(value), where, name, least=least, most=most)
    return True


def area(value: Estimate, confidence: float, where: str, name: str, *, positives: int, negatives: int, patients: int) -> None:
    """An area under a curve: normal by its standard error, or score-type on its numbers of patients."""
    if not known(value, confidence, where, name):
        return
    hold(positives > 0 and negatives > 0, where, name)
    singles = patients == positives + negatives
    if value.groups is None:
        bounded(value, again.normal(value), where, name)
        hold(bool(value.standard_error), where, f"{name} (no variance)")
        hold(value.method.startswith("DeLong" if singles else "Obuchowski"), where, f"{name} (method)")
        hold(("logit" in value.method) == (value.scale == "logit"), where, f"{name} (method)")
        return
    ill, well = value.groups
    right = (
        (ill, well) == (positives, negatives) if singles else ill <= min(positives, patients) and well <= min(negatives, patients)
    )
    hold(right and min(ill, well) > 0, where, f"{name} (patients of its interval)")
    hold(value.estimate in (0.0, 1.0) or min(ill, well) < _FEW_PATIENTS, where, f"{name} (method)")
    bounded(value, again.score_type(float(value.estimate or 0.0), ill, well, confidence), where, name)


def ratio(
    value: Estimate | None,
    confidence: float,
    where: str,
    name: str,
    top: tuple[int, int],
    bottom: tuple[int, int],
    *,
    singles: bool,
) -> None:
    """A ratio of two shares, with its interval on the log scale.

    Args:
        top, bottom: count and whole of either share.
        singles: whether each patient has one case: then the standard error, too, follows from the counts (Simel 1991).
    """
    if value is None or not normal(value, confidence, where, name, least=0.0):
        return
    if not (top[0] and bottom[0]) or not close(value.estimate, top[0] * bottom[1] / (top[1] * bottom[0])):
        raise mismatch(where, name)
    hold(value.scale == "log" and value.method.startswith("Simel (log)"), where, f"{name} (method)")
    hold((value.method == "Simel (log)") or not singles, where, f"{name} (method)")
    if singles:
        variance = 1.0 / top[0] - 1.0 / top[1] + 1.0 / bottom[0] - 1.0 / bottom[1]
        hold(close(value.standard_error, variance**0.5), where, f"{name} (standard error)")
