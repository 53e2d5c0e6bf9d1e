"""Results for the report's tests: a realistic one, and ones with everything that makes a page hard to set."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from tasks.evaluation.analysis import analyse
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.results import Results
from tests.tasks.evaluation.cohorts import changed, columns, plan, tables
from tests.tasks.evaluation.endpoints.made import ASKED, measurements, overlaps, readings

AWKWARD = r"#let *bold* _under_ $\frac{x}$ <script>alert(1)</script> & \ @ref // `code` [link](https://example.org)"
FOREIGN = "Klinikum Köln · 横浜病院 \u202eright to left\u202c \x0b tab\t⚕ 😀"
SCANNERS = [f"Vendor with a rather long name of its own, model {number:02d} of the extended series XL" for number in range(60)]
SITES = ["St. Elsewhere", AWKWARD, FOREIGN, "A hospital that sent nothing", "Small hospital", "Other small hospital"]


def _row(stage: str, outcome: str, n: int, reason: str = "", unit: str = "instance") -> dict[str, object]:
    return {"stage": stage, "outcome": outcome, "reason_code": reason, "unit": unit, "n": n}


NIGHT = (
    _row("find", "found", 15_020), _row("pull", "pulled", 15_020), _row("deidentify", "released", 15_000),
    _row("deidentify", "quarantined", 18, "E-DEID-SOP-CLASS"), _row("deidentify", "quarantined", 2, "E-UNKNOWN-CODE"),
    _row("volumes", "converted", 14_990), _row("volumes", "quarantined", 10, "E-VOLUME-MISSING-SLICES"),
    _row("infer", "read", 300, unit="study"), _row("infer", "not_read", 1, "E-INFER-MODALITY", "study"),
    _row("infer", "waiting", 1, unit="study"),
)  # fmt: skip


@cache
def realistic() -> Results:
    """300 studies, some not read, one subgroup honestly harder."""
    predictions, reference, cohort = tables()
    predictions = changed(predictions, "score", {3: None, 17: None, 40: None, 41: None}, pa.float64())
    said = plan(
        title="Nodule detector, first validation", intended_use="Demonstration only. Not for clinical use.", synthetic=True
    )
    return analyse(predictions, reference, cohort, said, accountability=NIGHT)


@cache
def measured() -> Results:
    """Masks, measurements and readers as well, with a level too small to be shown."""
    predictions, reference, cohort = tables()
    few = {place: "F2" for place, who in enumerate(columns()["patient"]) if who in set(columns()["patient"][:3])}
    asked = ASKED | {"segmentation": {"structures": ["liver", "lesion"]}, "synthetic": True}
    said = plan(**asked, subgroups=[{"attribute": "sex", "levels": ["F", "M", "F2", "X"]}])
    return analyse(
        predictions,
        reference,
        changed(cohort, "sex", few),
        said,
        beside=Tables(overlaps(), measurements(), readings()),
        accountability=NIGHT,
    )


@cache
def awkward() -> Results:
    """Sixty scanners, long names, special characters, an empty level, withheld and not estimable ones."""
    n, rng = 3000, np.random.default_rng(11)
    predictions, reference, cohort = tables(n)
    owner = columns(n)["patient"]
    number = {key: place for place, key in enumerate(dict.fromkeys(owner))}
    scanner = [SCANNERS[int(choice)] for choice in rng.integers(0, 60, n)]
    site = [SITES[5 if number[key] < 2 else 4 if number[key] < 5 else number[key] % 3] for key in owner]
    one_sided = [f"label {label}" for label in columns(n)["label"]]
    cohort = cohort.append_column("scanner", pa.array(scanner)).append_column("site", pa.array(site))
    cohort = cohort.append_column("OnlyOneKind", pa.array(one_sided))
    said = plan(title=AWKWARD, intended_use=f"{AWKWARD} {FOREIGN}", subgroups=[
        {"attribute": "sex", "levels": ["F", "M", "O"]}, {"attribute": "site", "levels": SITES},
        {"attribute": "OnlyOneKind", "levels": ["label 0", "label 1"]}, {"attribute": "scanner", "levels": SCANNERS},
    ])  # fmt: skip
    return analyse(predictions, reference, cohort, said, accountability=NIGHT)


@cache
def bare() -> Results:
    """Nothing but the numbers: no subgroups, no night, nothing excluded, not synthetic."""
    return analyse(*tables(), plan(subgroups=[]))


@cache
def nothing() -> Results:
    """Too few patients to show anything."""
    return analyse(*tables(4), plan(minimum_cases=50), accountability=NIGHT)


def tampered(**change: float) -> Results:
    """One estimate of all cases changed by hand."""
    made = realistic()
    field, value = next(iter(change.items()))
    overall = made.overall()
    wrong = overall.model_copy(update={field: getattr(overall, field).model_copy(update={"estimate": value})})
    return made.model_copy(update={"performance": (wrong, *made.performance[1:])})


@cache
def many() -> Results:
    """So many scores that the curve is thinned out."""
    return analyse(*tables(6000), plan(subgroups=[]))
