"""A subgroup against all other cases: the difference of two estimates of different patients, with its interval."""

from __future__ import annotations

from math import hypot
from typing import Literal

from tasks.evaluation.results import Difference, Estimate

Metric = Literal["auc", "sensitivity", "specificity"]
COMPARED: tuple[Metric, ...] = ("auc", "sensitivity", "specificity")
_METHOD = "square-and-add of the two intervals"


def difference(metric: Metric, part: Estimate, rest: Estimate) -> Difference | None:
    """`part` minus `rest`, by the square-and-add method on their own intervals; None where either is not estimated.

    With intervals (l1, u1) of part p1 and (l2, u2) of rest p2, the interval of p1 - p2 is
    d - sqrt((p1-l1)^2 + (u2-p2)^2) to d + sqrt((u1-p1)^2 + (p2-l2)^2): method 10 of Newcombe (Stat Med 1998;17:873) for proportions by
    Wilson's intervals, and of Zou and Donner (Stat Med 2008;27:1693) for any two estimates of independent samples. Patients with studies on
    both sides are taken as if they were not: their likeness would make the interval narrower.
    """
    if None in {part.estimate, part.lower, part.upper, rest.estimate, rest.lower, rest.upper}:
        return None
    p1, l1, u1 = float(part.estimate or 0), float(part.lower or 0), float(part.upper or 0)
    p2, l2, u2 = float(rest.estimate or 0), float(rest.lower or 0), float(rest.upper or 0)
    lower, upper = p1 - p2 - hypot(p1 - l1, u2 - p2), p1 - p2 + hypot(u1 - p1, p2 - l2)
    return Difference(
        metric=metric, rest=p2, difference=p1 - p2, lower=max(lower, -1.0), upper=min(upper, 1.0),
        confidence=part.confidence, method=_METHOD,
    )  # fmt: skip
