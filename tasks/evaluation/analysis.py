"""From the tables to `Results`: overall and in every declared subgroup, with what is missing said beside what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks import accountability as night
from tasks.errors import ConfigurationError, catalogue
from tasks.evaluation import clusters
from tasks.evaluation.auc import auc, roc
from tasks.evaluation.cases import Assembled, Cases, assemble, declared
from tasks.evaluation.differences import COMPARED, difference
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.limitations import limitations
from tasks.evaluation.plan import Plan
from tasks.evaluation.proportions import proportion
from tasks.evaluation.results import (
    Accounted,
    Baseline,
    Counts,
    Difference,
    Estimate,
    Excluded,
    Performance,
    Provenance,
    Results,
    Roc,
)
from tasks.evaluation.suppression import withheld

#: No ROC curve has more points than this; a report draws no more.
ROC_POINTS = 501
_METRICS = ("sensitivity", "specificity", "ppv", "npv", "auc")


def analyse(
    predictions: pa.Table,
    reference: pa.Table,
    cohort: pa.Table,
    plan: Plan,
    *,
    threshold: float | None = None,
    accountability: Iterable[Mapping[str, Any]] = (),
) -> Results:
    """Evaluate a model against the reference standard as the plan says.

    Args:
        predictions, reference, cohort: see `tasks.evaluation.cases.assemble`; the order of rows does not matter.
        threshold: the operating point where the plan says `manifest`; a score at or above it is a positive reading.
        accountability: rows with stage, outcome, reason_code, unit and n: where the night's units went.

    Returns:
        the results; a function of the arguments' content and of the version of this software.

    Raises:
        ConfigurationError: E-EVAL-THRESHOLD where neither the plan nor the caller gives one; those of `assemble`.
        SafelightError: those of `assemble`.
    """
    operating_point = threshold if isinstance(plan.threshold, str) else plan.threshold
    if operating_point is None or not np.isfinite(operating_point):
        raise ConfigurationError("E-EVAL-THRESHOLD", plan.model)
    assembled = assemble(predictions, reference, cohort, plan)
    cases = assembled.analysed
    rows = [_row("", "", cases, threshold=operating_point, plan=plan)]
    baseline, curves = [], []
    if not rows[0].suppressed:
        curves += _curve("", "", cases)
    for group in plan.subgroups:
        masks = declared(cases.levels[group.attribute], group.levels)
        sizes = {level: clusters.count(_codes(cases.inside(mask))) for level, mask in masks}
        hidden = withheld(sizes, plan.minimum_cases, complementary=plan.complementary_suppression)
        for level, mask in masks:
            inside = cases.inside(mask)
            row = _row(group.attribute, level, inside, threshold=operating_point, plan=plan, hidden=hidden.get(level, ""))
            rest = _row("", "", cases.inside(~mask), threshold=operating_point, plan=plan)
            row = row.model_copy(update={"against_rest": _differences(row, rest)})
            rows.append(row)
            baseline.append(
                Baseline(
                    attribute=group.attribute, level=level, patients=row.patients, studies=row.studies,
                    positives=row.positives, suppressed=row.suppressed,
                )
            )  # fmt: skip
            if not row.suppressed:
                curves += _curve(group.attribute, level, inside)
    hidden_too = rows[0].auc.reason if rows[0].suppressed else ""  # its right readings would be those of the hidden cases
    worst = _row("", "", _all_wrong(assembled, operating_point), threshold=operating_point, plan=plan, hidden=hidden_too)
    return Results(
        title=plan.title,
        synthetic=plan.synthetic,
        intended_use=plan.intended_use,
        finding=plan.finding,
        threshold=operating_point,
        confidence=plan.confidence,
        minimum_cases=plan.minimum_cases,
        provenance=_provenance(assembled, plan),
        accountability=_accounted(accountability),
        baseline=tuple(baseline),
        excluded=tuple(Excluded(reason=_said(code), studies=n) for code, n in assembled.excluded.items()),
        performance=tuple(rows),
        worst_case=worst,
        roc=tuple(curves),
        limitations=limitations(plan, rows, worst, unread=assembled.unread.labels.size),
    )


def _codes(cases: Cases) -> clusters.Codes:
    return clusters.encode(cases.patients, cases.labels.size)


def _row(attribute: str, level: str, cases: Cases, *, threshold: float, plan: Plan, hidden: str = "") -> Performance:
    """One row of the table; `hidden` is the reason not to show it."""
    codes, confidence = _codes(cases), plan.confidence
    patients = clusters.count(codes)
    if not attribute and 0 < patients < plan.minimum_cases:
        hidden = f"fewer than {plan.minimum_cases} patients"
    if hidden:
        return Performance(
            attribute=attribute, level=level, patients=0, studies=0, positives=0, negatives=0, suppressed=True,
            counts=Counts(tp=0, fp=0, fn=0, tn=0), **dict.fromkeys(_METRICS, not_estimable(hidden, confidence)),
        )  # fmt: skip
    ill, called = cases.labels == 1.0, cases.scores >= threshold

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_], empty: str) -> Estimate:
        return proportion(hits[among], codes[among], confidence=confidence, empty=empty)

    return Performance(
        attribute=attribute,
        level=level,
        patients=patients,
        studies=int(ill.size),
        positives=int(ill.sum()),
        negatives=int((~ill).sum()),
        counts=Counts(
            tp=int((ill & called).sum()),
            fp=int((~ill & called).sum()),
            fn=int((ill & ~called).sum()),
            tn=int((~ill & ~called).sum()),
        ),
        sensitivity=share(called, ill, "no positive cases"),
        specificity=share(~called, ~ill, "no negative cases"),
        ppv=share(ill, called, "no case was read as positive"),
        npv=share(~ill, ~called, "no case was read as negative"),
        auc=auc(cases.scores, cases.labels, codes, confidence=confidence),
    )


def _differences(part: Performance, rest: Performance) -> tuple[Difference, ...]:
    found = (difference(metric, getattr(part, metric), getattr(rest, metric)) for metric in COMPARED)
    return tuple(each for each in found if each is not None)


def _curve(attribute: str, level: str, cases: Cases) -> list[Roc]:
    fpr, tpr = roc(cases.scores, cases.labels)
    if not fpr.size:
        return []
    if fpr.size > ROC_POINTS:
        shown = np.round(np.linspace(0, fpr.size - 1, ROC_POINTS)).astype(np.int64)
        fpr, tpr = fpr[shown], tpr[shown]
    return [Roc(attribute=attribute, level=level, fpr=tuple(fpr.tolist()), tpr=tuple(tpr.tolist()))]


def _all_wrong(assembled: Assembled, threshold: float) -> Cases:
    """Analysed cases and unread ones, each of these read as wrongly as can be: below every other if positive, else above."""
    analysed, unread = assembled.analysed, assembled.unread
    finite = np.append(analysed.scores, threshold)
    # Whole steps beyond the extremes would be lost in rounding beside huge scores; the next float would not.
    lowest, highest = np.nextafter(finite.min(), -np.inf), np.nextafter(finite.max(), np.inf)
    return Cases(
        np.concatenate([analysed.patients, unread.patients]),
        np.concatenate([analysed.scores, np.where(unread.labels == 1.0, lowest, highest)]),
        np.concatenate([analysed.labels, unread.labels]),
        {},
    )


def _accounted(rows: Iterable[Mapping[str, Any]]) -> tuple[Accounted, ...]:
    return tuple(
        Accounted(stage=stage, outcome=outcome, reason_code=reason, unit=unit, n=n)
        for (stage, outcome, reason, unit), n in night.totals(rows).items()
    )


def _said(code: str) -> str:
    reason = catalogue().get(code)
    return f"{code}: {reason.meaning}" if reason is not None else code


def _provenance(assembled: Assembled, plan: Plan) -> Provenance:
    return Provenance(
        safelight_version=version("safelight"),
        plan_name=plan.name,
        plan_sha256=plan.sha256,
        model_name=plan.model_name,
        model_version=assembled.model_version or plan.model_version,
        weights_sha256=assembled.weights_sha256,
        predictions_sha256=assembled.predictions_sha256,
        reference_sha256=assembled.reference_sha256,
        cohort_sha256=assembled.cohort_sha256,
    )
