"""`change_plan.yaml`: a predetermined change control plan, which says what of a model may change and what has to be shown before it does.

Its parts are those of FDA's guidance "Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial
Intelligence-Enabled Device Software Functions" (December 2024, revised August 2025): Description of Modifications, Modification Protocol
(data management, re-training, performance evaluation, update procedures) and Impact Assessment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks import written
from tasks.evaluation.plan import Metric, Name, Share
from tasks.stage import digest

#: Whom to reach is not for the lake: an e-mail address, a telephone number, or a day.
_REACHABLE = re.compile(
    r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"
    r"|(?<![\w.])\+?\(?\d(?:[ ()/.-]?\d){6,}(?![\w.])"
    r"|\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d\b"
)
_YEARS = re.compile(r"\b(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d\b")

Text = Annotated[str, Field(min_length=1, max_length=2000)]
#: A role: `Head of radiology`.
Role = Annotated[str, Field(pattern=r"^[^\W\d_][^\W\d_]*(?:[ ,/-]+[^\W\d_]+)*$", max_length=80)]
Kind = Literal["weights", "architecture", "preprocessing", "operating_point", "calibration", "input_gates", "runtime"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Modification(_Section):
    """One kind of change that may be made.

    Args:
        kind: see `tasks.changes.modifications.KINDS` for the fields of each.
        description: what is done, in words.
        fields: the only fields of this kind that may change, each with all below it; every one where it is empty.
        bounds: field → least and largest value of its number. A threshold may only move where it has bounds.
    """

    kind: Kind
    description: Text
    fields: tuple[str, ...] = ()
    bounds: dict[str, tuple[float, float]] = {}

    @model_validator(mode="after")
    def _ascending(self) -> Modification:
        for field, (low, high) in self.bounds.items():
            if low > high:
                raise ValueError(f"bounds of {field} must be two numbers, the lower one first")
        if self.kind == "operating_point" and not self.bounds:
            raise ValueError("of an operating_point needs bounds: the range in which its threshold may lie")
        return self


class Patients(_Section):
    """The fewest patients of one subgroup."""

    attribute: Text
    level: Text
    patients: int = Field(ge=1)


class DataManagement(_Section):
    """On which cases a candidate is evaluated.

    Args:
        description: where the cases come from, and how they are kept apart from the training's.
        evaluation: the evaluation plan: a name in `configs/plans/`, or a file relative to this one.
        evaluation_sha256: what that plan must say, as an evaluation's provenance names it; anything where it is left out.
        minimum_patients: in the analysis of the candidate, and in the comparison with the running version.
        minimum_patients_in: the same of subgroups of the evaluation plan.
        reference_sha256: the reference standard that must be used, as an evaluation's provenance names it; any where it is left out.
        not_evaluated: findings of the model that the evaluation plan is not about, and that may stay without an evaluation.
        maximum_lost: largest share of the cases which the running version read that the candidate did not.
    """

    description: Text
    evaluation: Text
    evaluation_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    minimum_patients: int = Field(ge=1)
    minimum_patients_in: tuple[Patients, ...] = ()
    reference_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    not_evaluated: tuple[str, ...] = ()
    maximum_lost: float = Field(0.0, ge=0, lt=1)


class Limit(_Section):
    """An acceptance limit, on one side of the interval that the evaluation plan's confidence gives.

    Args:
        metric: what is held to it.
        at_least: the interval's lower bound must not lie below it.
        margin: non-inferiority: the lower bound of the difference must lie above minus this. Of a candidate, the paired difference from the
            running version; in monitoring, the difference from the baseline period.
        attribute: of the evaluation plan's subgroups; None holds all cases to the limit.
        levels: of the attribute; every level that the evaluation plan declares where it is empty.
    """

    metric: Metric
    at_least: Share | None = None
    margin: Share | None = None
    attribute: Text | None = None
    levels: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Limit:
        if (self.at_least is None) == (self.margin is None):
            raise ValueError("must have either at_least or margin")
        if self.margin is not None and self.metric not in ("auc", "sensitivity", "specificity"):
            raise ValueError("with a margin is about auc, sensitivity or specificity")
        if self.levels and self.attribute is None:
            raise ValueError("with levels needs the attribute that they belong to")
        return self


class Evaluation(_Section):
    """What a candidate has to show."""

    description: Text
    limits: Annotated[tuple[Limit, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _compared(self) -> Evaluation:
        if not any(limit.margin is not None and limit.attribute is None for limit in self.limits):
            raise ValueError("must hold a margin over all cases: a candidate is held against the running version")
        return self


class UpdateProcedures(_Section):
    """How a version that passed comes into use: who approves, who is told, and how one goes back. Roles, never people."""

    description: Text
    approved_by: Annotated[tuple[Role, ...], Field(min_length=1)]
    told: Annotated[tuple[Role, ...], Field(min_length=1)]


class Protocol(_Section):
    """The Modification Protocol."""

    data_management: DataManagement
    retraining: Text
    performance_evaluation: Evaluation
    update_procedures: UpdateProcedures


class Impact(_Section):
    """One entry of the Impact Assessment: what kinds of modifications, alone or together, could do to patients, and what keeps it from them."""

    modifications: Annotated[tuple[Kind, ...], Field(min_length=1)]
    benefits: Text
    risks: Text
    mitigations: Text


class Drift(_Section):
    """Largest values of what tells that a period's input or scores have become others; None holds it to nothing.

    Args:
        score_psi: population stability index of the scores.
        score_ks: Kolmogorov-Smirnov distance of the scores.
        attribute_psi: population stability index of each attribute of the evaluation plan.
        standardized_difference: absolute standardized difference of each level's share, and of each statistic of the model's input.
        unread: share of the studies that the model was given and did not read.
    """

    score_psi: float | None = Field(None, gt=0)
    score_ks: float | None = Field(None, gt=0, lt=1)
    attribute_psi: float | None = Field(None, gt=0)
    standardized_difference: float | None = Field(None, gt=0)
    unread: float | None = Field(None, ge=0, lt=1)


class Monitoring(_Section):
    """What is watched while a version is in use.

    Args:
        limits: of performance in a period with a reference standard.
        drift: of input and scores, for which no reference standard is needed.
    """

    description: Text
    limits: tuple[Limit, ...] = ()
    drift: Drift = Drift()


class ChangePlan(_Section):
    """A predetermined change control plan.

    Args:
        name: names the plan; the file's name without suffix where the file does not say.
        model: the model's name, without a version.
        description_of_modifications: all that may change. Anything else that differs between two versions fails.
        impact_assessment: together they name every kind of modification.
    """

    name: Name
    title: Text
    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    description_of_modifications: Annotated[tuple[Modification, ...], Field(min_length=1)]
    modification_protocol: Protocol
    impact_assessment: Annotated[tuple[Impact, ...], Field(min_length=1)]
    monitoring: Monitoring | None = None

    @field_validator("*", mode="after")
    @classmethod
    def _nobody(cls, value: Any) -> Any:
        if any(_REACHABLE.search(_YEARS.sub("years", text)) for text in _texts(value)):
            raise ValueError("must not hold an e-mail address, a telephone number or a day: name roles and years")
        return value

    @model_validator(mode="after")
    def _assessed(self) -> ChangePlan:
        assessed = {kind for impact in self.impact_assessment for kind in impact.modifications}
        missing = sorted({each.kind for each in self.description_of_modifications} - assessed)
        if missing:
            raise ValueError(f"impact_assessment says nothing about {', '.join(missing)}")
        return self

    @property
    def sha256(self) -> str:
        """Hash of what the plan says: comments, key order and layout of the file do not count, and defaults do."""
        return digest(self.model_dump(mode="json"))


def _texts(value: Any) -> Iterator[str]:
    """All words of a part of the plan; hashes are none."""
    if isinstance(value, str):
        yield "" if re.fullmatch(r"[0-9a-f]{64}", value) else value
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for each in pair for text in _texts(each))
    elif isinstance(value, tuple):
        yield from (text for each in value for text in _texts(each))


def load_change_plan(path: Path | str) -> ChangePlan:
    """Read and check a change plan: a path, or the name of one in `configs/changes/`. Its evaluation plan becomes a path or a name of its own.

    Raises:
        ConfigurationError: E-CHANGE-PLAN with the file and each field and what is wrong with it.
    """
    where, stem, content = written.found(path, "changes", "E-CHANGE-PLAN")
    said = {"name": stem, **written.mapping(content, where, "E-CHANGE-PLAN")}
    return written.checked(ChangePlan, said, where, "E-CHANGE-PLAN")


def evaluation_plan_of(plan: ChangePlan, path: Path | str) -> Path | str:
    """Where the evaluation plan of a change plan is: a file beside the change plan's, or a name in `configs/plans/`."""
    beside = Path(path).expanduser().parent / plan.modification_protocol.data_management.evaluation
    return beside if beside.is_file() else plan.modification_protocol.data_management.evaluation
