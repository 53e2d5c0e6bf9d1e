"""`plan.yaml`: what is evaluated, written down and hashed before anyone looks at the reference standard."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks import written
from tasks.stage import digest

#: The level of cases whose attribute is not known.
NOT_STATED = "not stated"
#: The level of cases whose attribute has a value that the plan does not declare.
NOT_DECLARED = "not declared in the plan"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Subgroups(_Section):
    """One attribute of the cohort and all levels that the table will show, whether or not there are cases in them."""

    attribute: Text
    levels: Annotated[tuple[Text, ...], Field(min_length=1)]

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        repeated = [level for level, n in Counter(levels).items() if n > 1]
        if repeated:
            raise ValueError(f"names {repeated[0]!r} twice")
        for reserved in (NOT_STATED, NOT_DECLARED):
            if reserved in levels:
                raise ValueError(f"must not name {reserved!r}: it is made where there are such cases")
        return levels


Share = Annotated[float, Field(gt=0, lt=1)]
Metric = Literal["sensitivity", "specificity", "ppv", "npv", "auc"]


class OperatingPoint(_Section):
    """A further operating point, at which the whole table is made once more: a score at or above `threshold` is a positive reading."""

    name: Name
    threshold: float


class Goal(_Section):
    """What has to be shown. Met where the interval's lower bound says so; a goal without an estimate is not met.

    Args:
        metric: what is held against the goal.
        at_least: the performance goal: the lower bound must not lie below it.
        margin: non-inferiority to all other cases: a level may be worse than these by less than this. Needs `subgroups`.
        confidence: of the two-sided interval; the plan's where it is left out. 0.95 two-sided is a one-sided test at 2.5 %.
        subgroups: whether every shown level must meet it, too.
    """

    metric: Metric
    at_least: Share | None = None
    margin: Share | None = None
    confidence: float | None = Field(None, ge=0.5, lt=1)
    subgroups: bool = False

    @model_validator(mode="after")
    def _one(self) -> Goal:
        if (self.at_least is None) == (self.margin is None):
            raise ValueError("must have either at_least or margin")
        if self.margin is not None and not self.subgroups:
            raise ValueError("with a margin compares each level with all other cases: it needs `subgroups: true`")
        if self.margin is not None and self.metric not in ("auc", "sensitivity", "specificity"):
            raise ValueError("with a margin is about auc, sensitivity or specificity")
        return self


class PartialAuc(_Section):
    """The area under the ROC curve where the specificity lies between two bounds, with a bootstrap over patients."""

    specificity: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
    replicates: int = Field(2000, ge=200, le=100_000)

    @field_validator("specificity")
    @classmethod
    def _ascending(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not bounds[0] < bounds[1]:
            raise ValueError("must be two bounds, the lower one first")
        return bounds


class Calibration(_Section):
    """Whether scores are read as probabilities, and how the calibration curve and the ECE are binned."""

    bins: int = Field(10, ge=2, le=100)
    binning: Literal["quantile", "uniform"] = "quantile"


class Comparator(_Section):
    """An earlier version of the model on the same cases: what the plan's own model must not be inferior to.

    Args:
        model: `name@version` of predictions in the same table.
        threshold: its operating point; the plan's where it is left out.
        margin: by how much less the AUC, the sensitivity and the specificity may be, overall and in every level.
    """

    model: Annotated[str, Field(pattern=r"^[^@]+@[^@]+$")]
    threshold: float | None = None
    margin: Share = 0.05


class Detection(_Section):
    """Marks of a detection device against lesions.

    Args:
        false_positives: false positives a case at which the lesion sensitivity is given.
    """

    false_positives: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        0.125,
        0.25,
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
    )


class Failures(_Section):
    """The studies that were read most wrongly, listed by key.

    Args:
        cases: how many of either kind, false negatives and false positives, at most.
        images: whether each has its key image, where the evaluation is of a lake.
    """

    cases: int = Field(10, ge=1, le=1000)
    images: bool = True


class Segmentation(_Section):
    """Masks against reference masks, by structure, from the table of overlaps."""

    structures: Annotated[tuple[Text, ...], Field(min_length=1)]


class Measurement(_Section):
    """Something that is measured.

    Args:
        name: as the table of measurements calls it.
        unit: of its values, printed beside them.
        error_ratio: variance of the values' errors over that of the reference values', for Deming's regression.
    """

    name: Text
    unit: str = ""
    error_ratio: float = Field(1.0, gt=0)


class Measurements(_Section):
    """What is measured, for agreement with a reference measurement or for repeatability."""

    measurements: Annotated[tuple[Measurement, ...], Field(min_length=1)]

    @field_validator("measurements")
    @classmethod
    def _once(cls, measurements: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
        if len({each.name for each in measurements}) < len(measurements):
            raise ValueError("must not name a measurement twice")
        return measurements


class ReaderStudy(_Section):
    """Readers who read the same cases under several modalities, such as with and without the model.

    Args:
        modalities: the names in the table of readings; each is compared with those that stand behind it.
        figure: what is compared.
        threshold: for sensitivity and specificity: a score at or above it is a positive reading.
        covariance: over cases (`tasks.evaluation.readers.figures`); where patients have several cases it is Obuchowski's in any case.
        margin: by how much less the first of two modalities may be to count as not inferior.
    """

    modalities: Annotated[tuple[Text, ...], Field(min_length=2)]
    figure: Literal["auc", "sensitivity", "specificity"] = "auc"
    threshold: float | None = None
    covariance: Literal["jackknife", "delong", "unbiased"] = "jackknife"
    margin: Share = 0.05

    @model_validator(mode="after")
    def _fits(self) -> ReaderStudy:
        if len(set(self.modalities)) < len(self.modalities):
            raise ValueError("must not name a modality twice")
        if (self.threshold is None) != (self.figure == "auc"):
            raise ValueError("needs a threshold for sensitivity and specificity, and none for the AUC")
        return self


class Plan(_Section):
    """An evaluation plan.

    Args:
        name: names the plan in the lake; the file's name without suffix where the file does not say.
        title, intended_use: printed in the report.
        finding: the finding of the reference and predictions tables that is evaluated.
        model: the model's name, or `name@version` where predictions of several versions exist.
        threshold: a score at or above it is a positive reading; `manifest` takes the operating point of the model's manifest.
        confidence: of every interval.
        minimum_cases: a subgroup of fewer patients is neither shown nor estimated.
        minimum_cell: of a subgroup with a cell of fewer patients (false negatives, say), but some, the cells and all that follows from them are
            withheld; 0 shows them.
        complementary_suppression: whether further levels are hidden, so that those of too few patients can't be worked out.
        several_series: what the study's score is where several of its series were read: `refuse` to evaluate, or the `maximum`.
        synthetic: the data are made up; said wherever the results are shown.
        subgroups: attributes of the cohort, and their levels.
        endpoint: what the primary endpoint is, in words.
        intersections: pairs of the subgroups' attributes whose levels are crossed.
        interval: how the intervals of proportions are made (`tasks.evaluation.proportions`).
        operating_points: further thresholds.
        goals: what has to be shown.
        multiplicity: which adjusted p value calls a level harder in the limitations; raw and adjusted ones are all in the results.
        prevalences: at which predictive values are given besides the data's own.
        failed: how a case that was not read enters the main table: not at all, as a positive or negative reading, or as an error.
        indeterminate: how a case whose label is null enters it: not at all, as positive, as negative, or as an error of the reading.
        partial_auc, calibration, comparator, detection, failures: further analyses; None where there is none.
        segmentation, agreement, repeatability, reader_study: of tables of their own (`tasks.evaluation.endpoints`); None where there is none.
        net_benefit: threshold probabilities of the decision curve; none where empty.
        strata: bounds of the risk strata, ascending; none where empty.
        seed: of every random number.
    """

    name: Name
    title: Text
    intended_use: Text
    finding: Text
    model: Annotated[str, Field(pattern=r"^[^@]+(@[^@]+)?$")]
    threshold: float | Literal["manifest"]
    confidence: float = Field(0.95, ge=0.5, lt=1)
    minimum_cases: int = Field(5, ge=1)
    minimum_cell: int = Field(0, ge=0)
    complementary_suppression: bool = True
    several_series: Literal["refuse", "maximum"] = "refuse"
    synthetic: bool = False
    subgroups: tuple[Subgroups, ...] = ()
    endpoint: str = ""
    intersections: tuple[tuple[Text, Text], ...] = ()
    interval: Literal["wilson", "clopper_pearson", "agresti_coull", "jeffreys", "wald"] = "wilson"
    operating_points: tuple[OperatingPoint, ...] = ()
    goals: tuple[Goal, ...] = ()
    multiplicity: Literal["none", "holm", "benjamini_hochberg"] = "none"
    prevalences: tuple[Share, ...] = ()
    failed: Literal["exclude", "positive", "negative", "error"] = "exclude"
    indeterminate: Literal["exclude", "positive", "negative", "error"] = "exclude"
    partial_auc: PartialAuc | None = None
    calibration: Calibration | None = None
    net_benefit: tuple[Share, ...] = ()
    strata: tuple[float, ...] = ()
    comparator: Comparator | None = None
    detection: Detection | None = None
    failures: Failures | None = None
    segmentation: Segmentation | None = None
    agreement: Measurements | None = None
    repeatability: Measurements | None = None
    reader_study: ReaderStudy | None = None
    seed: int = Field(20_250_107, ge=0)

    @field_validator("strata")
    @classmethod
    def _ascending(cls, strata: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(strata)):
            raise ValueError("must ascend")
        return strata

    @model_validator(mode="after")
    def _crossed(self) -> Plan:
        known = {group.attribute for group in self.subgroups}
        for pair in self.intersections:
            if pair[0] == pair[1] or not set(pair) <= known:
                raise ValueError(f"intersections must pair two attributes of subgroups, and {' and '.join(pair)} are not")
        if len({frozenset(pair) for pair in self.intersections}) < len(self.intersections):
            raise ValueError("intersections name a pair twice")
        if self.comparator is not None and (not self.model_version or self.comparator.model == self.model):
            raise ValueError("model must name a version, another than that of the comparator")
        names = ["main", *(point.name for point in self.operating_points)]
        if len(set(names)) < len(names):
            raise ValueError("operating_points must have names of their own, and none is called main")
        return self

    @field_validator("subgroups")
    @classmethod
    def _once(cls, subgroups: tuple[Subgroups, ...]) -> tuple[Subgroups, ...]:
        repeated = [name for name, n in Counter(group.attribute for group in subgroups).items() if n > 1]
        if repeated:
            raise ValueError(f"name the attribute {repeated[0]!r} twice")
        return subgroups

    @property
    def attributes(self) -> list[str]:
        """The attributes of the subgroups."""
        return [group.attribute for group in self.subgroups]

    @property
    def model_name(self) -> str:
        """The model's name without a version."""
        return self.model.partition("@")[0]

    @property
    def model_version(self) -> str:
        """The version that the plan asks for; empty where it takes the only one there is."""
        return self.model.partition("@")[2]

    @property
    def sha256(self) -> str:
        """Hash of what the plan says: comments, key order and layout of the file do not count, and defaults do."""
        return digest(self.model_dump(mode="json"))


def load_plan(path: Path | str) -> Plan:
    """Read and check an evaluation plan: a path, or the name of one in `configs/plans/`.

    Raises:
        ConfigurationError: E-EVAL-PLAN with the file and each field and what is wrong with it.
    """
    where, stem, content = written.found(path, "plans", "E-EVAL-PLAN")
    said = {"name": stem, **written.mapping(content, where, "E-EVAL-PLAN")}
    return written.checked(Plan, said, where, "E-EVAL-PLAN")
