"""The rule that chooses a study's series: data that people review, in `configs/selections/`, and its answer for one series."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks import written
from tasks.errors import ConfigurationError
from tasks.pacs.asking.answers import fits, pattern
from tasks.section import Section

#: What answers at SERIES level rarely hold; then it is asked for at IMAGE level.
DEEP = ("ImageType", "SliceThickness", "ConvolutionKernel")
#: The reason of a series that no rule fits.
NO_RULE = "no_rule"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_CODE = "E-PULL-SELECTION"
#: Gives the text of an attribute of a series by keyword; empty where the PACS does not say.
Told = Callable[[str], str]


class Range(Section):
    """Inclusive bounds."""

    minimum: float | None = None
    maximum: float | None = None


class Rule(Section):
    """One rule. What is left out is not asked for; of what is named, all must be so.

    Patterns have `*` and `?`, and go by the whole text, whatever the case.
    """

    name: Name
    action: Literal["take", "leave"] = "take"
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    #: Patterns for SeriesDescription: one that must fit, and one that must not.
    descriptions: tuple[str, ...] = ()
    not_descriptions: tuple[str, ...] = ()
    minimum_instances: int | None = Field(default=None, ge=0)
    maximum_instances: int | None = Field(default=None, ge=0)
    #: Values of ImageType (PS3.3 C.7.6.1.1.2): all of these, and none of those.
    image_type_all: tuple[str, ...] = ()
    image_type_none: tuple[str, ...] = ()
    slice_thickness_mm: Range | None = None
    #: Patterns for ConvolutionKernel.
    kernels: tuple[str, ...] = ()
    #: What becomes of a series where the PACS does not say what this rule asks for; the selection's word unless given.
    unknown: Literal["take", "leave"] | None = None

    @property
    def deep(self) -> bool:
        """Whether it asks for what is rarely told at SERIES level."""
        return bool(self.image_type_all or self.image_type_none or self.slice_thickness_mm or self.kernels)


class Written(Section):
    """What the file of a selection says."""

    name: Name
    meaning: str = Field(min_length=1)
    unknown: Literal["take", "leave"] = "take"
    rules: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a series, by which rule, and which attributes that rule had to do without."""

    chosen: bool
    rule: str
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """A selection with the SHA-256 (hex) of its file. The first rule that fits decides; a series that none fits is left."""

    written: Written
    sha256: str
    _patterns: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def deep(self) -> bool:
        """Whether any rule asks for what is rarely told at SERIES level."""
        return any(rule.deep for rule in self.written.rules)

    def choose(self, instances: int, told: Told) -> Choice:
        """What becomes of a series. `told` is asked for ImageType, SliceThickness, ConvolutionKernel only where the rest fits.

        Where the PACS does not say, a series is taken, or left, as `unknown` has it: a rule that takes fits if it is `take`, a rule
        that leaves fits if it is `leave`.
        """
        for rule in self.written.rules:
            missing = []
            for keyword, verdict in self._verdicts(rule, instances, told):
                if verdict is False:
                    break
                if verdict is None:
                    missing.append(keyword)
            else:
                if not missing or (rule.unknown or self.written.unknown) == rule.action:
                    return Choice(rule.action == "take", rule.name, tuple(missing))
        return Choice(False, NO_RULE)

    def _verdicts(self, rule: Rule, instances: int, told: Told) -> Iterator[tuple[str, bool | None]]:
        """Whether a series is as each part of a rule asks, None where the PACS does not say; what costs no query comes first."""
        if rule.minimum_instances is not None:
            yield "", instances >= rule.minimum_instances
        if rule.maximum_instances is not None:
            yield "", instances <= rule.maximum_instances
        if rule.modalities:
            said = told("Modality")
            yield "Modality", said in rule.modalities if said else None
        for keyword, patterns, wanted in (
            ("BodyPartExamined", rule.body_parts, True),
            ("SeriesDescription", rule.descriptions, True),
            ("SeriesDescription", rule.not_descriptions, False),
        ):
            if patterns:
                said = told(keyword)
                yield keyword, self._fits(patterns, said) is wanted if said else None
        yield from self._deep_verdicts(rule, told)

    def _deep_verdicts(self, rule: Rule, told: Told) -> Iterator[tuple[str, bool | None]]:
        if rule.image_type_all or rule.image_type_none:
            values = {value.strip().upper() for value in told("ImageType").split("\\")} - {""}
            everything = {value.upper() for value in rule.image_type_all} <= values
            yield "ImageType", everything and not {value.upper() for value in rule.image_type_none} & values if values else None
        if rule.slice_thickness_mm is not None:
            try:
                thickness = float(told("SliceThickness"))
            except ValueError:
                yield "SliceThickness", None
            else:
                least, most = rule.slice_thickness_mm.minimum, rule.slice_thickness_mm.maximum
                yield "SliceThickness", (least is None or thickness >= least) and (most is None or thickness <= most)
        if rule.kernels:
            said = told("ConvolutionKernel")
            yield "ConvolutionKernel", any(self._fits(rule.kernels, each.strip()) for each in said.split("\\")) if said else None

    def _fits(self, patterns: tuple[str, ...], said: str) -> bool:
        if patterns not in self._patterns:
            self._patterns[patterns] = [pattern(each) for each in patterns]
        return fits(self._patterns[patterns], said)


def load_selection(name: str | None) -> Selection | None:
    """A selection by its name in `configs/selections/`, or by the path of a YAML file; None for none.

    Raises:
        ConfigurationError: E-PULL-SELECTION where there is none, or with what is wrong with it.
    """
    if name is None:
        return None
    path = Path(name)
    if name.endswith(".yaml"):
        content = written.read(path, _CODE)
    else:
        _, _, content = written.found(name, "selections", _CODE)
    said = written.checked(Written, written.mapping(content, path.name, _CODE), path.name, _CODE)
    names = [rule.name for rule in said.rules]
    if len(set(names)) < len(names) or NO_RULE in names:
        raise ConfigurationError(_CODE, f"{path.name}: each rule needs a name of its own, other than {NO_RULE}")
    return Selection(said, hashlib.sha256(content).hexdigest())
