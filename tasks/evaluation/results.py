"""`results.json`: the one product of an evaluation, from which every report is made. Its shape, checked both ways."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from tasks.evaluation.endpoints.parts import Agreed, Given, ReaderStudy, Repeated, Segmented
from tasks.evaluation.estimate import Estimate as Estimate  # noqa: PLC0414 - half of the package knows it from here
from tasks.evaluation.estimate import Part
from tasks.evaluation.of_cases import FailedCase, StandardizedDifference, TimeToResult

SCHEMA: Final = "safelight-results-1"


class Counts(Part):
    """Studies by reference standard (rows) and model at the operating point (columns)."""

    tp: int = Field(ge=0)
    fp: int = Field(ge=0)
    fn: int = Field(ge=0)
    tn: int = Field(ge=0)


class Difference(Part):
    """A metric of one level minus the same metric of all other cases; an interval wholly below zero says that the level is harder.

    `p` is that of no difference; the adjusted ones are over all levels of all attributes for this metric. None where there is no test.
    `rest_lower` and `rest_upper` bound `rest`: with the level's own interval they make that of the difference (square-and-add).
    `standard_error` is that of the test: p is two-sided normal at difference / standard_error; it is not what the interval was made of.
    """

    metric: Literal["auc", "sensitivity", "specificity"]
    rest: float = Field(ge=0, le=1)
    difference: float = Field(ge=-1, le=1)
    lower: float = Field(ge=-1, le=1)
    upper: float = Field(ge=-1, le=1)
    confidence: float = Field(gt=0, lt=1)
    method: str
    p: float | None = Field(None, ge=0, le=1)
    p_holm: float | None = Field(None, ge=0, le=1)
    p_benjamini_hochberg: float | None = Field(None, ge=0, le=1)
    rest_lower: float | None = Field(None, ge=0, le=1)
    rest_upper: float | None = Field(None, ge=0, le=1)
    standard_error: float | None = Field(None, gt=0)

    @property
    def harder(self) -> bool:
        """Whether the whole interval says that the level does worse than the rest."""
        return self.upper < 0


class Performance(Part):
    """One row of the subgroup table. `attribute` is empty for all cases; a declared level without cases is still a row.

    `suppressed`: the level has cases, but too few patients to show; all its counts are set to zero and nothing is estimated.
    `cells_withheld`: the level is shown, but not its cells (which are set to zero) nor anything that follows from them (`Plan.minimum_cell`).
    `against_rest`: the level held against all other cases, for each metric that both have.
    """

    attribute: str
    level: str
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    positives: int = Field(ge=0)
    negatives: int = Field(ge=0)
    counts: Counts
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    auc: Estimate
    suppressed: bool = False
    cells_withheld: bool = False
    against_rest: tuple[Difference, ...] = ()
    prevalence: Estimate | None = None
    lr_positive: Estimate | None = None
    lr_negative: Estimate | None = None

    def harder(self, metric: str) -> bool:
        """Whether the level does worse in a metric than all other cases do, by the interval of the difference."""
        return any(found.harder for found in self.against_rest if found.metric == metric)


class Accounted(Part):
    """How many units met one end in one stage of the night."""

    stage: str
    outcome: str
    reason_code: str
    unit: str
    n: int = Field(ge=0)


class Excluded(Part):
    """Cases that are not in the main analysis, and why."""

    reason: str
    studies: int = Field(ge=0)


class Baseline(Part):
    """Who was in the data: one attribute's level, by the reference standard; `suppressed` as in `Performance`."""

    attribute: str
    level: str
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    positives: int = Field(ge=0)
    suppressed: bool = False


class RocBand(Part):
    """The pointwise interval of the sensitivity at each false positive rate (`tasks.evaluation.bands`)."""

    fpr: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    confidence: float = Field(gt=0, lt=1)
    method: str


class Roc(Part):
    """An empirical ROC curve: false and true positive fractions from (0, 0) to (1, 1).

    `band` is None where either kind of cases is of fewer than two patients.
    """

    attribute: str
    level: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    band: RocBand | None = None


class PerThousand(Part):
    """What happens to 1,000 cases of a prevalence at the operating point, in cases; they need not be whole."""

    prevalence: float = Field(gt=0, lt=1)
    positives: float
    negatives: float
    tp: float
    fn: float
    fp: float
    tn: float


class Predictive(Part):
    """Predictive values at a prevalence; `own` where it is that of the data themselves.

    `number_needed_to_predict` is 1 / (PPV + NPV - 1); it has no upper bound where PPV + NPV may be 1.
    """

    attribute: str
    level: str
    prevalence: float
    own: bool
    ppv: Estimate
    npv: Estimate
    number_needed_to_predict: Estimate
    per_thousand: PerThousand | None


class Heterogeneity(Part):
    """Whether a metric differs among an attribute's shown levels at all; `reason` says why there is no test."""

    attribute: str
    metric: str
    statistic: float | None = None
    freedom: int | None = None
    p: float | None = None
    p_holm: float | None = None
    p_benjamini_hochberg: float | None = None
    method: str = ""
    reason: str = ""


class GoalResult(Part):
    """A goal of the plan and whether it is met: a performance goal by the metric, non-inferiority by the difference from all other cases."""

    attribute: str
    level: str
    metric: str
    at_least: float | None = None
    margin: float | None = None
    confidence: float = Field(gt=0, lt=1)
    estimate: float | None
    lower: float | None
    upper: float | None
    met: bool
    reason: str = ""


class AtPoint(Part):
    """The subgroup table at a further operating point of the plan."""

    name: str
    threshold: float
    performance: tuple[Performance, ...]


class CalibrationBin(Part):
    """One bin of the calibration curve: mean score, and share of positives with its interval over patients.

    `suppressed`: too few patients to show; counts are zero, and there is no mean.
    """

    lower_score: float
    upper_score: float
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    mean_score: float | None
    observed: Estimate
    suppressed: bool = False


class CalibrationResult(Part):
    """How far scores can be read as probabilities.

    `intercept` is calibration in the large (slope held at 1), `slope` that of the logistic recalibration; both are at 0 and 1 where all is
    well. `observed_to_expected` is positives over the sum of scores. `ece` is over the bins of `curve`, weighted by their studies.
    """

    attribute: str
    level: str
    intercept: Estimate
    slope: Estimate
    brier: Estimate
    observed_to_expected: Estimate
    ece: float | None
    binning: str
    curve: tuple[CalibrationBin, ...]


class NetBenefit(Part):
    """A point of the decision curve: net benefit in true positives a case at a threshold probability, of the model and of treating all."""

    threshold_probability: float
    model: Estimate
    treat_all: float
    treat_none: float = 0.0


class Stratum(Part):
    """A risk stratum: scores from `lower` (included) to `upper` (not), unbounded where None; `suppressed` as in `CalibrationBin`."""

    lower: float | None
    upper: float | None
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    positives: int = Field(ge=0)
    observed: Estimate
    likelihood_ratio: Estimate
    suppressed: bool = False


class PartialArea(Part):
    """The area under the ROC curve between two specificities, as McClish scales it (0.5 is chance, 1 perfect), and unscaled."""

    specificity: tuple[float, float]
    standardized: Estimate
    area: float | None


class Reclassified(Part):
    """Studies with one label by the earlier version's reading and the new one's."""

    label: int
    both_positive: int = Field(ge=0)
    only_new: int = Field(ge=0)
    only_old: int = Field(ge=0)
    both_negative: int = Field(ge=0)


class VersionDifference(Part):
    """One metric of the plan's model minus that of the comparator on the same cases, in all cases or one level.

    `non_inferior`: whether the interval lies wholly above minus the margin; false where there is no number.
    """

    attribute: str
    level: str
    metric: str
    new: float | None = None
    old: float | None = None
    difference: Estimate
    p: float | None = None
    margin: float
    non_inferior: bool


class VersionComparison(Part):
    """Two versions of a model on the cases that both read."""

    comparator: str
    comparator_threshold: float
    studies: int = Field(ge=0)
    patients: int = Field(ge=0)
    differences: tuple[VersionDifference, ...]
    reclassified: tuple[Reclassified, ...]
    reason: str = ""


class LesionSensitivity(Part):
    """Lesion sensitivity at the lowest threshold that has no more than so many false positives a case.

    `reached` is the rate at that threshold, which is None where no mark is allowed at all.
    """

    false_positives: float
    threshold: float | None
    reached: float | None
    sensitivity: Estimate


class Detection(Part):
    """Marks against lesions in one row of the table."""

    attribute: str
    level: str
    cases: int = Field(ge=0)
    lesions: int = Field(ge=0)
    false_positives: int = Field(ge=0)
    at: tuple[LesionSensitivity, ...]
    wafroc: Estimate


class PlanHistory(Part):
    """Under which plans the reference standard was opened: SHA-256 of plan and operating point, the first one first.

    `changed`: the plan is not the one under which it was first opened; None where nobody keeps a register.
    """

    changed: bool | None = None
    openings: tuple[str, ...] = ()


class Role(StrEnum):
    """Who ran an evaluation, by role: never a person."""

    DATA_ENGINEER = "data_engineer"
    CLINICAL = "clinical"
    STATISTICS = "statistics"
    REGULATORY = "regulatory"
    NIGHT = "night"


class Provenance(Part):
    """What the numbers were made from: SHA-256 of each input's content and the versions involved.

    `interval` is the plan's method for proportions, `seed` that of every random number. `role` and `year` say who ran the evaluation and
    when, as far as the caller said so; the year is all that is kept of the date.
    """

    safelight_version: str
    plan_name: str
    plan_sha256: str
    model_name: str
    model_version: str
    weights_sha256: str
    predictions_sha256: str
    reference_sha256: str
    cohort_sha256: str
    interval: str = ""
    seed: int | None = None
    numpy_version: str = ""
    scipy_version: str = ""
    role: Role | None = None
    year: int | None = Field(None, ge=1900, le=9999)


class Results(Part):
    """Everything an evaluation found.

    `unscored`: cases of the main table that the model did not read, which the plan takes in as readings; they have no probability.
    """

    schema_name: Literal["safelight-results-1"] = SCHEMA
    title: str
    synthetic: bool
    intended_use: str
    finding: str
    threshold: float
    confidence: float = Field(gt=0, lt=1)
    minimum_cases: int = Field(ge=1)
    provenance: Provenance
    accountability: tuple[Accounted, ...]
    baseline: tuple[Baseline, ...]
    excluded: tuple[Excluded, ...]
    performance: tuple[Performance, ...]
    worst_case: Performance
    roc: tuple[Roc, ...]
    limitations: tuple[str, ...]
    endpoint: str = ""
    plan_history: PlanHistory = PlanHistory()
    goals: tuple[GoalResult, ...] = ()
    heterogeneity: tuple[Heterogeneity, ...] = ()
    predictive: tuple[Predictive, ...] = ()
    operating_points: tuple[AtPoint, ...] = ()
    calibration: tuple[CalibrationResult, ...] = ()
    net_benefit: tuple[NetBenefit, ...] = ()
    strata: tuple[Stratum, ...] = ()
    partial_auc: PartialArea | None = None
    comparison: VersionComparison | None = None
    detection: tuple[Detection, ...] = ()
    unscored: int = Field(0, ge=0)
    standardized_differences: tuple[StandardizedDifference, ...] = ()
    time_to_result: tuple[TimeToResult, ...] = ()
    failures: tuple[FailedCase, ...] = ()
    segmentation: tuple[Segmented, ...] = ()
    agreement: tuple[Agreed, ...] = ()
    repeatability: tuple[Repeated, ...] = ()
    reader_study: tuple[ReaderStudy, ...] = ()
    given: tuple[Given, ...] = ()

    def overall(self) -> Performance:
        """The row of all cases."""
        return next(row for row in self.performance if not row.attribute)


def write(results: Results, path: Path) -> None:
    """Write `canonical` JSON."""
    path.write_bytes(canonical(results))


def canonical(results: Results) -> bytes:
    """The results as JSON in UTF-8: the same results give the same bytes."""
    return f"{results.model_dump_json(indent=1)}\n".encode()


def read(path: Path) -> Results:
    """Read and check; raises pydantic.ValidationError where it is not a `results.json` of ours."""
    return Results.model_validate_json(path.read_text("utf-8"))
