"""From the tables to `Results`: overall and in every declared subgroup, with what is missing said beside what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from tasks import accountability as night
from tasks.errors import ConfigurationError, catalogue
from tasks.evaluation.balance import standardized_differences
from tasks.evaluation.bands import band_of
from tasks.evaluation.cases import Assembled, assemble
from tasks.evaluation.curves import curve_of
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.endpoints.further import further as endpoints
from tasks.evaluation.failures import failed_cases
from tasks.evaluation.goals import judged
from tasks.evaluation.intention import entered
from tasks.evaluation.limitations import limitations
from tasks.evaluation.marks import detections
from tasks.evaluation.plan import Plan
from tasks.evaluation.predictive import adjusted_differences, heterogeneities, predictive
from tasks.evaluation.probabilities import further
from tasks.evaluation.ranking import Ranked
from tasks.evaluation.results import (
    Accounted,
    AtPoint,
    Baseline,
    Excluded,
    Performance,
    PlanHistory,
    Provenance,
    Results,
    Roc,
    Role,
)
from tasks.evaluation.subgroups import Level, Table
from tasks.evaluation.timing import times
from tasks.evaluation.versions import compare

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
    history: PlanHistory | None = None,
    marks: pa.Table | None = None,
    lesions: pa.Table | None = None,
    service_levels: pa.Table | None = None,
    beside: Tables | None = None,
    role: Role | None = None,
    year: int | None = None,
) -> Results:
    """Evaluate a model against the reference standard as the plan says.

    Args:
        predictions, reference, cohort: see `tasks.evaluation.cases.assemble`; the order of rows does not matter.
        threshold: the operating point where the plan says `manifest`; a score at or above it is a positive reading.
        accountability: rows with stage, outcome, reason_code, unit and n: where the night's units went.
        history: what the register says of the plan (`tasks.evaluation.openings`).
        marks, lesions: of a detection device; see `tasks.evaluation.marks.detections`.
        service_levels: see `tasks.evaluation.timing.of_the_plan`.
        beside: tables of masks, measurements and readers.
        role, year: who runs the evaluation, and when; noted as they are given.

    Returns:
        the results; a function of the arguments' content, of the version of this software, and of numpy's and scipy's.

    Raises:
        ConfigurationError: E-EVAL-THRESHOLD where neither the plan nor the caller gives one; those of `assemble`.
        SafelightError: those of `assemble`.
    """
    tables = beside or Tables()
    operating_point = threshold if isinstance(plan.threshold, str) else plan.threshold
    if operating_point is None or not np.isfinite(operating_point):
        raise ConfigurationError("E-EVAL-THRESHOLD", plan.model)
    assembled = assemble(predictions, reference, cohort, plan)
    cases = entered(assembled, plan, operating_point)
    table = Table.of(cases.main, operating_point, plan)
    rows, levels = _rows(table)
    shown = [level.sums for level in levels if not level.row.suppressed]
    hidden = rows[0].auc.reason if rows[0].suppressed else ""  # its right readings would be those of the hidden cases
    worst = Table.of(cases.worst, operating_point, plan).overall(hidden)
    curves = [] if hidden else _curve("", "", table.ranked, plan)
    for level in levels:
        closed = level.row.suppressed or level.row.cells_withheld
        curves += [] if closed else _curve(level.row.attribute, level.row.level, level.ranked, plan)
    points = [
        AtPoint(
            name=point.name, threshold=point.threshold, performance=tuple(_rows(Table.of(cases.main, point.threshold, plan))[0])
        )
        for point in plan.operating_points
    ]
    unseen = {(row.attribute, row.level) for row in rows if row.suppressed}
    bare = {(row.attribute, row.level) for row in rows if row.cells_withheld}
    filled = [(row.attribute, row.level) for row in rows[1:] if row.studies]
    everything = table.sums if not hidden else None
    return Results(
        title=plan.title,
        synthetic=plan.synthetic,
        intended_use=plan.intended_use,
        finding=plan.finding,
        threshold=operating_point,
        confidence=plan.confidence,
        minimum_cases=plan.minimum_cases,
        provenance=_provenance(assembled, plan, role, year),
        accountability=_accounted(accountability),
        baseline=tuple(_baseline(row) for row in rows[1:]),
        excluded=tuple(Excluded(reason=_said(code), studies=n) for code, n in cases.excluded.items()),
        performance=tuple(rows),
        worst_case=worst,
        roc=tuple(curves),
        limitations=limitations(plan, rows, worst, cases, history, detected=marks is not None, missing=tables.missing(plan)),
        endpoint=plan.endpoint,
        plan_history=history or PlanHistory(),
        goals=() if everything is None else judged(plan, everything, shown),
        heterogeneity=() if everything is None else heterogeneities(list(cases.main.levels), shown),
        predictive=() if everything is None else predictive([everything, *shown], plan),
        operating_points=tuple(points),
        comparison=compare(predictions, reference, cohort, plan, threshold=operating_point, hidden=unseen | bare),
        detection=() if everything is None else detections(assembled, marks, lesions, plan, filled),
        unscored=cases.failed if everything is not None else 0,
        standardized_differences=()
        if everything is None
        else standardized_differences(rows, cases.main, assembled.everyone, plan),
        time_to_result=() if service_levels is None else times(service_levels, plan),
        failures=() if everything is None or rows[0].cells_withheld else failed_cases(assembled, plan, operating_point),
        **({} if everything is None else further(cases, [each for each in filled if each not in bare], plan)),
        **endpoints(tables, assembled, plan, unseen),
    )


def _rows(table: Table) -> tuple[list[Performance], list[Level]]:
    """All cases and every level at one operating point."""
    overall = table.overall()
    if overall.suppressed:  # no level of so few patients may be shown either, and none is worked out
        levels = [level for attribute in table.attributes for level in table.levels(attribute, rest=False)]
    else:
        levels = [level for attribute in table.attributes for level in table.levels(attribute)]
    return adjusted_differences([overall, *(level.row for level in levels)]), levels


def _baseline(row: Performance) -> Baseline:
    return Baseline(
        attribute=row.attribute, level=row.level, patients=row.patients, studies=row.studies, positives=row.positives, suppressed=row.suppressed
    )  # fmt: skip


def _curve(attribute: str, level: str, cases: Ranked, plan: Plan) -> list[Roc]:
    if not cases.positive.any() or cases.positive.all():
        return []
    fpr, tpr = curve_of(cases)
    if fpr.size > ROC_POINTS:
        shown = np.round(np.linspace(0, fpr.size - 1, ROC_POINTS)).astype(np.int64)
        fpr, tpr = fpr[shown], tpr[shown]
    band = band_of(cases, plan.confidence)
    return [Roc(attribute=attribute, level=level, fpr=tuple(fpr.tolist()), tpr=tuple(tpr.tolist()), band=band)]


def _accounted(rows: Iterable[Mapping[str, Any]]) -> tuple[Accounted, ...]:
    return tuple(
        Accounted(stage=stage, outcome=outcome, reason_code=reason, unit=unit, n=n)
        for (stage, outcome, reason, unit), n in night.totals(rows).items()
    )


def _said(code: str) -> str:
    reason = catalogue().get(code)
    return f"{code}: {reason.meaning}" if reason is not None else code


def _provenance(assembled: Assembled, plan: Plan, role: Role | None, year: int | None) -> Provenance:
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
        interval=plan.interval,
        seed=plan.seed,
        numpy_version=version("numpy"),
        scipy_version=version("scipy"),
        role=role,
        year=year,
    )
