"""From the tables to `Results`: overall and in every declared subgroup, with what is missing said beside what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from tasks import accountability as night
from tasks.errors import ConfigurationError, catalogue
from tasks.evaluation.auc import curve_of
from tasks.evaluation.cases import Assembled, Cases, assemble
from tasks.evaluation.limitations import limitations
from tasks.evaluation.plan import Plan
from tasks.evaluation.ranking import Ranked
from tasks.evaluation.results import (
    Accounted,
    Baseline,
    Excluded,
    Provenance,
    Results,
    Roc,
)
from tasks.evaluation.subgroups import Table

#: No ROC curve has more points than this; a report draws no more.
ROC_POINTS = 501


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
    table = Table.of(cases, operating_point, plan)
    rows, curves, baseline = [table.overall()], [], []
    if not rows[0].suppressed:
        curves += _curve("", "", table.ranked)
    for attribute in cases.levels:
        for level in table.levels(attribute):
            rows.append(level.row)
            baseline.append(
                Baseline(
                    attribute=attribute, level=level.row.level, patients=level.row.patients, studies=level.row.studies,
                    positives=level.row.positives, suppressed=level.row.suppressed,
                )
            )  # fmt: skip
            if not level.row.suppressed:
                curves += _curve(attribute, level.row.level, level.ranked)
    hidden_too = rows[0].auc.reason if rows[0].suppressed else ""  # its right readings would be those of the hidden cases
    worst = Table.of(_all_wrong(assembled, operating_point), operating_point, plan).overall(hidden_too)
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


def _curve(attribute: str, level: str, cases: Ranked) -> list[Roc]:
    if not cases.positive.any() or cases.positive.all():
        return []
    fpr, tpr = curve_of(cases)
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
