"""Results for the report's tests: a realistic one, and ones with everything that makes a page hard to set."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import THICK, THIN
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.results import PlanHistory, Results, Role
from tests.once import made_once
from tests.tasks.evaluation.cohorts import changed, columns, patient, plan, tables
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


@made_once
def realistic() -> Results:
    """300 studies, some not read, one subgroup honestly harder."""
    predictions, reference, cohort = tables()
    predictions = changed(predictions, "score", {3: None, 17: None, 40: None, 41: None}, pa.float64())
    said = plan(
        title="Nodule detector, first validation", intended_use="Demonstration only. Not for clinical use.", synthetic=True
    )
    return analyse(predictions, reference, cohort, said, accountability=NIGHT)


@made_once
def measured(order: int | None = None) -> Results:
    """Masks, measurements and readers as well, with a level too small to be shown."""
    predictions, reference, cohort = tables()
    few = {place: "F2" for place, who in enumerate(columns()["patient"]) if who in set(columns()["patient"][:3])}
    asked = ASKED | {"segmentation": {"structures": ["liver", "lesion"]}, "synthetic": True}
    said = plan(**asked, subgroups=[{"attribute": "sex", "levels": ["F", "M", "F2", "X"]}])
    given = [moved(table, order) for table in (predictions, reference, changed(cohort, "sex", few))]
    beside = Tables(*(moved(table, order) for table in (overlaps(), measurements(), readings())))
    return analyse(*given, said, beside=beside, accountability=NIGHT)


@made_once
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


@made_once
def full(order: int | None = None) -> Results:
    """Everything that a plan can ask for, over 900 studies of two versions, with a small level and goals that pass, fail and can't be judged."""
    n, rng = 900, np.random.default_rng(7)
    predictions, reference, cohort = tables(n)
    owner, label = columns(n)["patient"], columns(n)["label"]
    number = {key: place for place, key in enumerate(dict.fromkeys(owner))}
    site = [
        "Tiny hospital" if number[key] < 3 else "Small hospital" if number[key] < 9 else f"Hospital {number[key] % 3 + 1}"
        for key in owner
    ]
    one_sided = [f"label {each}" for each in label]
    cohort = cohort.append_column("site", pa.array(site)).append_column("only_one_kind", pa.array(one_sided))
    score = predictions["score"].to_numpy()
    noisy = 1 / (1 + np.exp(-(np.log(score / (1 - score)) + 0.8 * rng.normal(size=n))))
    earlier = predictions.set_column(predictions.column_names.index("score"), "score", pa.array(noisy))
    newer = predictions.set_column(predictions.column_names.index("model_version"), "model_version", pa.array(["2.0"] * n))
    newer = changed(newer, "score", {3: None, 17: None}, pa.float64())
    reference = changed(reference, "label", dict.fromkeys(range(20, 32), None))
    marks, lesions = _marks(n, rng)
    said = plan(
        title="Nodule detector, second version", intended_use="Demonstration only. Not for clinical use.", synthetic=True,
        endpoint="AUC of all studies, lower bound of the interval at least 0.75.", model="m@2.0", comparator={"model": "m@1.0", "margin": 0.05},
        subgroups=[
            {"attribute": "sex", "levels": ["F", "M"]}, {"attribute": "slice_thickness", "levels": [THIN, THICK]},
            {"attribute": "site", "levels": ["Hospital 1", "Hospital 2", "Hospital 3", "Small hospital", "Tiny hospital", "Closed hospital"]},
            {"attribute": "only_one_kind", "levels": ["label 0", "label 1"]},
        ],
        intersections=[("sex", "slice_thickness")], prevalences=[0.02, 0.1],
        operating_points=[{"name": "high-sensitivity", "threshold": 0.5}, {"name": "high-specificity", "threshold": 0.9}],
        goals=[
            {"metric": "auc", "at_least": 0.75}, {"metric": "sensitivity", "at_least": 0.8},
            {"metric": "specificity", "at_least": 0.75, "subgroups": True},
            {"metric": "auc", "margin": 0.1, "subgroups": True, "confidence": 0.9},
        ],
        calibration={"bins": 8}, net_benefit=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], strata=[0.1, 0.4, 0.8], multiplicity="holm",
        partial_auc={"specificity": [0.8, 1.0], "replicates": 200}, detection={"false_positives": [0.125, 0.25, 0.5, 1.0]},
    )  # fmt: skip
    history = PlanHistory(changed=True, openings=("a" * 64, "b" * 64))
    given = [moved(table, order) for table in (pa.concat_tables([newer, earlier]), reference, cohort)]
    return analyse(
        *given, said, accountability=NIGHT, history=history, marks=moved(marks, order), lesions=moved(lesions, order), role=Role.REGULATORY,
        year=2026,
    )  # fmt: skip


def moved(table: pa.Table, order: int | None) -> pa.Table:
    """The rows of a table in another order, each number another one; as they are without a number."""
    return table if order is None else table.take(np.random.default_rng(order).permutation(table.num_rows))


def _marks(n: int, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    """A lesion in every study with the finding, found with the study's score or not at all; false marks anywhere."""
    found = columns(n)
    ill = np.flatnonzero(found["label"] == 1)
    seen, false = ill[rng.random(ill.size) < 0.85], rng.integers(0, n, int(1.5 * n))
    marks = pa.table({
        "StudyInstanceUID": np.concatenate([found["study"][seen], found["study"][false]]),
        "score": np.concatenate([found["score"][seen], rng.beta(1, 2, false.size)]),
        "lesion": pa.array(["a"] * seen.size + [None] * false.size, pa.string()),
    })  # fmt: skip
    return marks, pa.table({"StudyInstanceUID": found["study"][ill], "lesion": ["a"] * ill.size})


@made_once
def bare() -> Results:
    """Nothing but the numbers: no subgroups, no night, nothing excluded, not synthetic."""
    return analyse(*tables(), plan(subgroups=[]))


@made_once
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


@made_once
def many() -> Results:
    """So many scores that the curve is thinned out."""
    return analyse(*tables(6000), plan(subgroups=[]))


SERVICE_LEVELS = ("reached", "reached", "reached", "missed", "pending", "not_read", "reached", "reached", "backfill", "reached")


def service_levels(made: dict[str, np.ndarray], few: int) -> pa.Table:
    """Two service levels, and a third of so few studies."""
    rows = []
    for place, (study, owner) in enumerate(zip(made["study"], made["patient"], strict=True)):
        target, state = (
            ("15 min", 15.0) if place % 3 else ("by 07:00", None),
            "overdue" if place % 40 == 6 else SERVICE_LEVELS[place % len(SERVICE_LEVELS)],
        )
        if place < few:
            target = ("240 min", 240.0)
        minutes = {"reached": 2.0 + place % 12, "missed": 16.0 + place}.get(state)
        rows.append({
            "StudyInstanceUID": study, "PatientID": owner, "target": target[0], "target_minutes": target[1], "minutes": minutes, "state": state,
        })  # fmt: skip
    schema = pa.schema([
        (name, pa.float64() if "minutes" in name else pa.string()) for name in rows[0]
    ])  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


ALL_ANALYSES = {
    "subgroups": [
        {"attribute": "sex", "levels": ["F", "M"]}, {"attribute": "slice_thickness", "levels": [THIN, THICK]},
        {"attribute": "site", "levels": ["Large", "Small"]},
    ],
    **ASKED,
    "calibration": {"bins": 5}, "net_benefit": [0.2, 0.5, 1 / (1 + np.exp(-1.0))], "strata": [0.3, 0.6], "prevalences": [0.01, 0.2],
    "partial_auc": {"specificity": [0.8, 1.0], "replicates": 200}, "comparator": {"model": "m@0.9"}, "model": "m@1.0",
    "detection": {"false_positives": [0.25, 1.0]}, "operating_points": [{"name": "high", "threshold": 0.9}], "failures": {"cases": 4},
    "goals": [
        {"metric": "sensitivity", "at_least": 0.5, "subgroups": True}, {"metric": "auc", "at_least": 0.6, "confidence": 0.9, "subgroups": True},
        {"metric": "specificity", "margin": 0.2, "subgroups": True}, {"metric": "npv", "at_least": 0.7, "confidence": 0.99},
    ],
}  # fmt: skip


def further_tables(n: int, *, single: bool) -> Tables:
    """Masks, measurements and readings of the same studies; `single`: one measurement a study, and of every third study a second value."""
    measured = measurements(n)
    if single:
        second = measured.slice(0, n // 3)
        second = second.set_column(3, "value", second["reference_value"]).set_column(
            4, "reference_value", pa.nulls(n // 3, pa.float64())
        )
        measured = pa.concat_tables([measured.slice(0, n), second]).append_column(
            "repeat", pa.array(["1"] * n + ["2"] * (n // 3))
        )
    return Tables(overlaps(n), measured, readings(n, cases=n - 10))


@made_once
def everything(single: bool = False) -> Results:
    """Every analysis that a plan can ask for, and the night's times; `single`: each patient has one study."""
    n = 240
    predictions, reference, cohort = tables(n)
    made = columns(n)
    rng = np.random.default_rng(3)
    own = np.array([patient(number) for number in range(n)])
    if single:
        predictions, cohort = (
            each.set_column(each.column_names.index("PatientID"), "PatientID", pa.array(own)) for each in (predictions, cohort)
        )  # fmt: skip
    cohort = cohort.append_column("site", pa.array(["Large"] * (n - 16) + ["Small"] * 16))
    earlier = predictions.set_column(predictions.column_names.index("model_version"), "model_version", pa.array(["0.9"] * n))
    scores = np.clip(made["score"] + rng.normal(0, 0.15, n), 0.001, 0.999)
    earlier = earlier.set_column(earlier.column_names.index("score"), "score", pa.array(scores))
    read = pa.concat_tables([changed(predictions, "score", dict.fromkeys(range(0, 60, 2)), pa.float64()), earlier])
    ill = [str(study) for study, label in zip(made["study"], made["label"], strict=True) if label]
    lesions = pa.table({"StudyInstanceUID": ill + ill[::4], "lesion": ["1"] * len(ill) + ["2"] * len(ill[::4])})
    marked = [*ill[::2], *(str(study) for study in made["study"][::2])]
    on = pa.array(["1"] * len(ill[::2]) + [None] * len(made["study"][::2]), pa.string())
    marks = pa.table({"StudyInstanceUID": marked, "score": rng.random(len(marked)), "lesion": on})
    return analyse(
        read, reference, cohort, plan(**ALL_ANALYSES), accountability=NIGHT, marks=marks, lesions=lesions,
        role=Role.NIGHT, year=2025,
        history=PlanHistory(changed=True, openings=("ab" * 32, "cd" * 32)),
        beside=further_tables(n, single=single),
        service_levels=service_levels({**made, "patient": own if single else made["patient"]}, 0 if single else 3),
    )  # fmt: skip
