"""The results as files: `results.json`, one CSV a table, and the rows of the lake's table `metrics`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from data_contracts.metrics import METRICS
from tasks.evaluation.results import Performance, Results

WORST_CASE = "worst case"


def files(results: Results) -> dict[str, bytes]:
    """File name → content: `results.json`, `performance.csv`, `differences.csv`, `baseline.csv`, `accountability.csv`, `excluded.csv`, `roc.csv`.

    CSV is UTF-8 with LF, numbers in full; a suppressed count and a number that is not estimable are empty fields.
    """
    return {
        "results.json": (results.model_dump_json(indent=1) + "\n").encode(),
        "performance.csv": _performance(results),
        "differences.csv": _csv(
            ("attribute", "level", "metric", "estimate", "rest", "difference", "lower", "upper", "method"),
            ((row.attribute, row.level, found.metric, getattr(row, found.metric).estimate, found.rest, found.difference, found.lower, found.upper,
              found.method) for row in results.performance for found in row.against_rest),
        ),
        "baseline.csv": _csv(
            ("attribute", "level", "patients", "studies", "positives", "suppressed"),
            ((row.attribute, row.level, *_shown(row.suppressed, row.patients, row.studies, row.positives), row.suppressed)
             for row in results.baseline),
        ),
        "accountability.csv": _csv(
            ("stage", "outcome", "reason_code", "unit", "n"),
            ((row.stage, row.outcome, row.reason_code, row.unit, row.n) for row in results.accountability),
        ),
        "excluded.csv": _csv(("reason", "studies"), ((row.reason, row.studies) for row in results.excluded)),
        "roc.csv": _csv(
            ("attribute", "level", "fpr", "tpr"),
            ((row.attribute, row.level, *point) for row in results.roc for point in zip(row.fpr, row.tpr, strict=True)),
        ),
    }  # fmt: skip


def metrics(results: Results) -> list[dict[str, Any]]:
    """Rows of the lake's table `metrics` (`data_contracts.metrics`); the worst case stands at the level `worst case`."""
    made = []
    for level, row in [*((row.level, row) for row in results.performance), (WORST_CASE, results.worst_case)]:
        patients, studies = _shown(row.suppressed, row.patients, row.studies)
        for metric in METRICS:
            estimate = getattr(row, metric)
            made.append({
                "plan_name": results.provenance.plan_name, "plan_sha256": results.provenance.plan_sha256,
                "model_name": results.provenance.model_name, "model_version": results.provenance.model_version,
                "finding": results.finding, "threshold": results.threshold,
                "attribute": row.attribute, "level": level, "metric": metric,
                **estimate.model_dump(),
                "patients": patients, "studies": studies, "suppressed": row.suppressed,
            })  # fmt: skip
    return made


def _performance(results: Results) -> bytes:
    header = ["attribute", "level", "patients", "studies", "positives", "negatives", "suppressed", "tp", "fp", "fn", "tn"]
    for metric in METRICS:
        header += [metric, f"{metric}_lower", f"{metric}_upper", f"{metric}_method", f"{metric}_reason"]
    rows = [(row.level, row) for row in results.performance]
    return _csv(header, (_performance_row(level, row) for level, row in [*rows, (WORST_CASE, results.worst_case)]))


def _performance_row(level: str, row: Performance) -> list[Any]:
    counts = (row.counts.tp, row.counts.fp, row.counts.fn, row.counts.tn)
    made = [row.attribute, level, *_shown(row.suppressed, row.patients, row.studies, row.positives, row.negatives)]
    made += [row.suppressed, *_shown(row.suppressed, *counts)]
    for metric in METRICS:
        estimate = getattr(row, metric)
        made += [estimate.estimate, estimate.lower, estimate.upper, estimate.method, estimate.reason]
    return made


def _shown(suppressed: bool, *counts: int) -> list[int | None]:
    """Counts as they may be shown: none of a suppressed level."""
    return [None if suppressed else n for n in counts]


def _csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_field(value) for value in row])
    return sink.getvalue().encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
