"""The Fleischner Society's recommendations of 2017, looked up in a reviewed table; what is missing gives no recommendation, and says what.

MacMahon et al., Radiology 2017;284:228-243, table 1 (`configs/guidelines/fleischner_2017.yaml`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tasks.errors import ConfigurationError

Attenuation = Literal["solid", "ground_glass", "part_solid"]
Number = Literal["single", "multiple"]
Risk = Literal["low", "high"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Part):
    """A range of sizes: whole millimetres and cubic millimetres, both ends included but for those of `mm3_open`."""

    said: str
    mm: tuple[int | None, int | None]
    mm3: tuple[float | None, float | None]
    mm3_open: tuple[Literal["lower", "upper"], ...] = ()

    def holds_mm(self, rounded: int) -> bool:
        """Whether a mean diameter, rounded to a whole millimetre, is within."""
        low, high = self.mm
        return (low is None or rounded >= low) and (high is None or rounded <= high)

    def holds_mm3(self, volume: float) -> bool:
        """Whether a volume in mm3 is within."""
        low, high = self.mm3
        above = low is None or volume > low or (volume == low and "lower" not in self.mm3_open)
        return above and (high is None or volume < high or (volume == high and "upper" not in self.mm3_open))


class Row(_Part):
    """A row of the table."""

    id: str
    attenuation: Literal["solid", "ground_glass", "part_solid", "subsolid"]
    number: Number
    band: str
    risk: Literal["low", "high", "any"]
    recommendation: str


class Exclusion(_Part):
    """Whom the guideline is not for: an input that is below a number, or has a value."""

    input: Literal["age_years", "immunosuppressed", "known_cancer", "screening"]
    below: int | None = None
    when: bool | None = None
    said: str


class Guideline(_Part):
    """The reviewed file."""

    guideline: str
    title: str
    citation: str
    bands: dict[str, Band]
    rows: tuple[Row, ...]
    not_for: tuple[Exclusion, ...]
    notes: tuple[str, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if {row.band for row in self.rows} != set(self.bands):
            raise ValueError("each band must be used, and each that is used declared")
        if len({row.id for row in self.rows}) < len(self.rows):
            raise ValueError("each row must have an id of its own")
        return self


@dataclass(frozen=True, slots=True)
class Nodule:
    """A nodule's measures. `long_mm` and `short_mm`: its axes in one plane, in mm; `volume_mm3`: its volume; None where not measured."""

    attenuation: Attenuation | None
    long_mm: float | None = None
    short_mm: float | None = None
    volume_mm3: float | None = None

    @property
    def mean_mm(self) -> int | None:
        """The mean of both axes, rounded to the nearest millimetre, a half up; None unless both were measured."""
        if self.long_mm is None or self.short_mm is None:
            return None
        mean = (Decimal(repr(self.long_mm)) + Decimal(repr(self.short_mm))) / 2
        return int(mean.quantize(Decimal(1), ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Patient:
    """What must be known of the patient and the examination; None: not known."""

    age_years: float | None = None
    risk: Risk | None = None
    immunosuppressed: bool | None = None
    known_cancer: bool | None = None
    screening: bool | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """A row's recommendation, or None with every reason why there is none."""

    recommendation: str | None
    row: str | None
    why_not: tuple[str, ...]


@cache
def guideline() -> Guideline:
    """The table of `configs/guidelines/`."""
    return parse(files("configs").joinpath("guidelines", "fleischner_2017.yaml").read_text("utf-8"))


def parse(text: str) -> Guideline:
    """A table from its YAML; raise ConfigurationError E-DELIVER-GUIDELINE where it is not whole."""
    try:
        content: Any = yaml.safe_load(text)
        return Guideline.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError("E-DELIVER-GUIDELINE", f"{error.error_count()} entries") from None


def advise(nodules: Sequence[Nodule], patient: Patient) -> Advice:
    """What table 1 recommends for these nodules of this patient; the largest decides.

    Returns:
        the row's recommendation; or None with what is missing, contradictory, or puts the patient outside of the guideline.
    """
    table = guideline()
    why = [*_outside(table, patient), *_unmeasured(nodules)]
    if why:
        return Advice(None, None, tuple(why))
    kinds = {nodule.attenuation for nodule in nodules}
    number: Number = "single" if len(nodules) == 1 else "multiple"
    if "solid" in kinds and len(kinds) > 1:
        return Advice(None, None, ("solid and subsolid nodules together: the most suspicious one is a reader's choice",))
    kind = "subsolid" if number == "multiple" and "solid" not in kinds else next(iter(kinds))
    rows = [row for row in table.rows if (row.attenuation, row.number) == (kind, number)]
    by_size = {name for name in {row.band for row in rows} if _holds(table.bands[name], nodules)}
    if len(by_size) != 1:
        return Advice(None, None, ("diameter and volume are of different size bands",))
    rows = [row for row in rows if row.band in by_size and row.risk in {"any", patient.risk}]
    if not rows:
        return Advice(None, None, ("the risk of lung cancer is not known",))
    return Advice(rows[0].recommendation, rows[0].id, ())


def _outside(table: Guideline, patient: Patient) -> list[str]:
    """Why the guideline is not for the patient, or cannot be known to be."""
    why = []
    for entry in table.not_for:
        value = getattr(patient, entry.input)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            why.append(f"{entry.input} is not known")
        elif (entry.below is not None and value < entry.below) or (entry.when is not None and value is entry.when):
            why.append(f"not for {entry.said}")
    return why


def _unmeasured(nodules: Sequence[Nodule]) -> list[str]:
    """What the nodules' measures lack."""
    why = [] if nodules else ["no nodule"]
    if any(nodule.attenuation is None for nodule in nodules):
        why.append("whether a nodule is solid, part-solid or ground-glass is not known")
    measures = [
        value for nodule in nodules for value in (nodule.long_mm, nodule.short_mm, nodule.volume_mm3) if value is not None
    ]
    if any(not math.isfinite(value) or value <= 0 for value in measures):
        why.append("a measure is not a positive number")
    elif any(nodule.mean_mm is None and nodule.volume_mm3 is None for nodule in nodules):
        why.append("a nodule has neither both axes nor a volume")
    elif len({(nodule.mean_mm is None, nodule.volume_mm3 is None) for nodule in nodules}) > 1:
        why.append("nodules are measured in different ways")
    if any((nodule.long_mm or 0) < (nodule.short_mm or 0) for nodule in nodules):
        why.append("a short axis is longer than the long one")
    return why


def _holds(band: Band, nodules: Sequence[Nodule]) -> bool:
    """Whether the largest nodule, by each measure that was taken, is of this band."""
    diameters = [nodule.mean_mm for nodule in nodules if nodule.mean_mm is not None]
    volumes = [nodule.volume_mm3 for nodule in nodules if nodule.volume_mm3 is not None]
    return (not diameters or band.holds_mm(max(diameters))) and (not volumes or band.holds_mm3(max(volumes)))
