"""`plan.yaml`: what is evaluated, written down and hashed before anyone looks at the reference standard."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tasks.errors import ConfigurationError
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
        complementary_suppression: whether further levels are hidden, so that those of too few patients can't be worked out.
        several_series: what the study's score is where several of its series were read: `refuse` to evaluate, or the `maximum`.
        synthetic: the data are made up; said wherever the results are shown.
        subgroups: attributes of the cohort, and their levels.
    """

    name: Name
    title: Text
    intended_use: Text
    finding: Text
    model: Annotated[str, Field(pattern=r"^[^@]+(@[^@]+)?$")]
    threshold: float | Literal["manifest"]
    confidence: float = Field(0.95, ge=0.5, lt=1)
    minimum_cases: int = Field(5, ge=1)
    complementary_suppression: bool = True
    several_series: Literal["refuse", "maximum"] = "refuse"
    synthetic: bool = False
    subgroups: tuple[Subgroups, ...] = ()

    @field_validator("subgroups")
    @classmethod
    def _once(cls, subgroups: tuple[Subgroups, ...]) -> tuple[Subgroups, ...]:
        repeated = [name for name, n in Counter(group.attribute for group in subgroups).items() if n > 1]
        if repeated:
            raise ValueError(f"name the attribute {repeated[0]!r} twice")
        return subgroups

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
    source = Path(path).expanduser()
    if source.is_file():
        stem, content = source.stem, source.read_bytes()
    else:
        shipped = files("configs").joinpath("plans", f"{path}.yaml")
        if "/" in str(path) or not shipped.is_file():
            raise ConfigurationError("E-EVAL-PLAN", f"{source}: there is no such file")
        stem, content = str(path), shipped.read_bytes()
    try:
        said: Any = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError("E-EVAL-PLAN", f"{source.name}{where}: it is not valid YAML") from None
    if not isinstance(said, dict):
        raise ConfigurationError("E-EVAL-PLAN", f"{source.name}: it must hold keys and values")
    try:
        return Plan.model_validate({"name": stem, **said})
    except ValidationError as error:
        raise ConfigurationError("E-EVAL-PLAN", f"{source.name}: {_sentences(error)}") from None


def _sentences(error: ValidationError) -> str:
    said = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in problem["loc"])
        meaning = {"missing": "is missing", "extra_forbidden": "is not a known field"}.get(problem["type"], problem["msg"])
        meaning = meaning.removeprefix("Value error, ")
        said.append(f"{field} {meaning[0].lower()}{meaning[1:]}")
    return "; ".join(said)
