"""Results for the report's tests: a realistic one, and one with everything that makes a page hard to set."""

from __future__ import annotations

from tasks.evaluation.analysis import analyse
from tasks.evaluation.results import Counts, Estimate, Performance, Results
from tests.tasks.evaluation.cohorts import plan, tables

AWKWARD = r"#let *bold* _under_ $x$ <script>alert(1)</script> & \ @ref // `code` [link](https://example.org)"


def _row(stage: str, outcome: str, n: int, reason: str = "", unit: str = "instance") -> dict[str, object]:
    return {"stage": stage, "outcome": outcome, "reason_code": reason, "unit": unit, "n": n}


def realistic() -> Results:
    predictions, reference, cohort = tables()
    night = [
        _row("find", "found", 15_020), _row("pull", "pulled", 15_020), _row("deidentify", "released", 15_000),
        _row("deidentify", "quarantined", 20, "E-DEID-SOP-CLASS"), _row("volumes", "converted", 14_990),
        _row("volumes", "refused", 10, "E-VOLUME-SINGLE-SLICE"), _row("infer:m@1.0", "read", 300, unit="study"),
        _row("infer:m@1.0", "not_read", 2, "E-INFER-MODALITY", "study"),
    ]  # fmt: skip
    return analyse(
        predictions, reference, cohort, plan(title="Nodule detector, first validation", synthetic=True), accountability=night
    )


def awkward() -> Results:
    """Sixty subgroups, long names, special characters, withheld and not estimable rows."""
    made = realistic()
    nothing = Estimate(status="not_estimable", confidence=0.95, reason="no positive cases")
    empty = made.performance[1].model_copy(update={
        "attribute": "site", "level": AWKWARD, "patients": 0, "studies": 0, "positives": 0, "negatives": 0,
        "counts": Counts(tp=0, fp=0, fn=0, tn=0), **dict.fromkeys(("sensitivity", "specificity", "ppv", "npv", "auc"), nothing),
    })  # fmt: skip
    withheld = empty.model_copy(update={"level": "Small hospital", "suppressed": True})
    levels: list[Performance] = [
        made.performance[1 + number % 2].model_copy(
            update={"attribute": "scanner", "level": f"Vendor with a long name, model {number:02d} of the series XL"}
        )
        for number in range(60)
    ]
    return made.model_copy(
        update={"title": AWKWARD, "intended_use": AWKWARD, "performance": (*made.performance, empty, withheld, *levels)}
    )


def tampered(**change: float) -> Results:
    """One estimate of all cases changed by hand."""
    made = realistic()
    field, value = next(iter(change.items()))
    overall = made.overall()
    wrong = overall.model_copy(update={field: getattr(overall, field).model_copy(update={"estimate": value})})
    return made.model_copy(update={"performance": (wrong, *made.performance[1:])})
