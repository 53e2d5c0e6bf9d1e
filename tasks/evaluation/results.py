"""`results.json`: the one product of an evaluation, from which every report is made. Its shape, checked both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Final = "safelight-results-1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(_Part):
    """A number with its interval, or the reason why there is none: never a silent zero."""

    status: Literal["estimated", "not_estimable"]
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = Field(gt=0, lt=1)
    method: str = ""
    reason: str = ""


class Counts(_Part):
    """Studies by reference standard (rows) and model at the operating point (columns)."""

    tp: int = Field(ge=0)
    fp: int = Field(ge=0)
    fn: int = Field(ge=0)
    tn: int = Field(ge=0)


class Difference(_Part):
    """A metric of one level minus the same metric of all other cases; an interval wholly below zero says that the level is harder."""

    metric: Literal["auc", "sensitivity", "specificity"]
    rest: float = Field(ge=0, le=1)
    difference: float = Field(ge=-1, le=1)
    lower: float = Field(ge=-1, le=1)
    upper: float = Field(ge=-1, le=1)
    confidence: float = Field(gt=0, lt=1)
    method: str

    @property
    def harder(self) -> bool:
        """Whether the whole interval says that the level does worse than the rest."""
        return self.upper < 0


class Performance(_Part):
    """One row of the subgroup table. `attribute` is empty for all cases; a declared level without cases is still a row.

    `suppressed`: the level has cases, but too few patients to show; all its counts are set to zero and nothing is estimated.
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
    against_rest: tuple[Difference, ...] = ()

    def harder(self, metric: str) -> bool:
        """Whether the level does worse in a metric than all other cases do, by the interval of the difference."""
        return any(found.harder for found in self.against_rest if found.metric == metric)


class Accounted(_Part):
    """How many units met one end in one stage of the night."""

    stage: str
    outcome: str
    reason_code: str
    unit: str
    n: int = Field(ge=0)


class Excluded(_Part):
    """Cases that are not in the main analysis, and why."""

    reason: str
    studies: int = Field(ge=0)


class Baseline(_Part):
    """Who was in the data: one attribute's level, by the reference standard; `suppressed` as in `Performance`."""

    attribute: str
    level: str
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    positives: int = Field(ge=0)
    suppressed: bool = False


class Roc(_Part):
    """An empirical ROC curve: false and true positive fractions from (0, 0) to (1, 1)."""

    attribute: str
    level: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]


class Provenance(_Part):
    """What the numbers were made from: SHA-256 of each input's content and the versions involved."""

    safelight_version: str
    plan_name: str
    plan_sha256: str
    model_name: str
    model_version: str
    weights_sha256: str
    predictions_sha256: str
    reference_sha256: str
    cohort_sha256: str


class Results(_Part):
    """Everything an evaluation found."""

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

    def overall(self) -> Performance:
        """The row of all cases."""
        return next(row for row in self.performance if not row.attribute)


def write(results: Results, path: Path) -> None:
    """Write canonical JSON: the same results give the same bytes."""
    path.write_text(results.model_dump_json(indent=1) + "\n", "utf-8")


def read(path: Path) -> Results:
    """Read and check; raises pydantic.ValidationError where it is not a `results.json` of ours."""
    return Results.model_validate_json(path.read_text("utf-8"))
