"""Predictive values at the data's own prevalence and at those of the plan, with the table of 1,000 cases; and heterogeneity over levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.evaluation import heterogeneity
from tasks.evaluation.likelihood import number_needed_to_predict, per_thousand, predictive_value
from tasks.evaluation.multiplicity import benjamini_hochberg, holm
from tasks.evaluation.plan import Plan
from tasks.evaluation.proportions import interval
from tasks.evaluation.results import Difference, Heterogeneity, Performance, Predictive
from tasks.evaluation.sums import Sums

_NONE = float("nan")


def predictive(rows: Iterable[Sums], plan: Plan) -> tuple[Predictive, ...]:
    """Of every shown row with cases: the data's own prevalence first, then the plan's."""
    made = []
    for row in rows:
        counts = row.counts
        found = counts.share("prevalence")
        if not found.cases or row.withheld:
            continue
        own = found.successes / found.cases
        ppv, npv = (interval(counts.share(name), plan.confidence, method=plan.interval) for name in ("ppv", "npv"))
        values = [(own, True, ppv, npv)]
        for prevalence in plan.prevalences:
            ppv = predictive_value(counts, "positive", prevalence, confidence=plan.confidence)
            values.append((prevalence, False, ppv, predictive_value(counts, "negative", prevalence, confidence=plan.confidence)))
        for prevalence, is_own, ppv, npv in values:
            made.append(Predictive(
                attribute=row.attribute, level=row.level, prevalence=prevalence, own=is_own, ppv=ppv, npv=npv,
                number_needed_to_predict=number_needed_to_predict(ppv, npv),
                per_thousand=per_thousand(counts, None if is_own else prevalence),
            ))  # fmt: skip
    return tuple(made)


def heterogeneities(attributes: Sequence[str], levels: Sequence[Sums]) -> tuple[Heterogeneity, ...]:
    """One test an attribute and metric over its shown levels, with p values adjusted over the attributes."""
    made = []
    for metric in ("auc", "sensitivity", "specificity"):
        found = []
        for attribute in attributes:
            inside = [row for row in levels if row.attribute == attribute]
            unknown = next((row.withheld for row in inside if row.withheld), "")
            if unknown and metric != "auc":  # the statistic and the other levels would tell
                found.append(Heterogeneity(attribute=attribute, metric=metric, reason=unknown))
            elif metric == "auc":
                found.append(heterogeneity.of_aucs(attribute, [row.area for row in inside if row.area is not None]))
            else:
                found.append(heterogeneity.of_proportions(attribute, metric, [row.counts.share(metric) for row in inside]))
        adjusted = _adjusted([test.p for test in found])
        made += [test.model_copy(update=more) for test, more in zip(found, adjusted, strict=True)]
    return tuple(made)


def adjusted_differences(rows: Sequence[Performance]) -> list[Performance]:
    """The rows with p values of their differences from the rest adjusted over all rows, metric by metric."""
    places = [(number, found) for number, row in enumerate(rows) for found in row.against_rest]
    renewed: dict[int, list[Difference]] = {number: [] for number, _ in places}
    by_metric: dict[str, list[tuple[int, Difference]]] = {}
    for number, found in places:
        by_metric.setdefault(found.metric, []).append((number, found))
    for tests in by_metric.values():
        for (number, found), more in zip(tests, _adjusted([found.p for _, found in tests]), strict=True):
            renewed[number].append(found.model_copy(update=more))
    return [
        row.model_copy(update={"against_rest": tuple(renewed[number])}) if number in renewed else row
        for number, row in enumerate(rows)
    ]


def _adjusted(p: Sequence[float | None]) -> list[dict[str, float | None]]:
    raw = [_NONE if value is None else value for value in p]
    both = zip(p, holm(raw).tolist(), benjamini_hochberg(raw).tolist(), strict=True)
    return [
        {"p_holm": None, "p_benjamini_hochberg": None} if value is None else {"p_holm": one, "p_benjamini_hochberg": other}
        for value, one, other in both
    ]
