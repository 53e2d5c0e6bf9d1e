"""What was measured of a case and what the manifest accepts: the gates in their order, and the statistics of the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tasks.errors import catalogue
from tasks.imaging.grids import Grid
from tasks.imaging.orientation import lean
from tasks.inference import gates
from tasks.inference.manifest import Finding, Manifest, Profile, Range
from tasks.inference.preprocess import MAXIMUM_SHEAR_DEG, MAXIMUM_TURN_DEG
from tasks.review.cases import Case
from tasks.review.words import number, span

State = Literal["passed", "failed", "not asked", "not reached"]

_GEOMETRY, _INPUT = "E-INFER-GEOMETRY", "E-INFER-INPUT"
#: How each gate is called here; the catalogue has the sentence for its being closed.
_NAMES = {
    "E-INFER-MODALITY": "modality", "E-INFER-BODY-PART": "body part", "E-INFER-NOT-SYNTHETIC": "manufacturer begins with",
    "E-INFER-KERNEL": "convolution kernel", "E-INFER-KVP": "tube voltage, kV", "E-INFER-CONTRAST": "contrast agent",
    "E-INFER-SPACING": "slice, mm", "E-INFER-PIXEL-SPACING": "pixel, mm", "E-INFER-LENGTH": "length, mm",
    "E-INFER-INCOMPLETE": "missing slices", _GEOMETRY: "turned; sheared, degrees", _INPUT: "input like the training's",
}  # fmt: skip
#: Columns of `predictions` and the entries of the profile that they are held to.
_MEASURED = (
    ("mean", "input_mean", "mean"), ("standard deviation", "input_std", "std"), ("minimum", "input_min", None),
    ("1st percentile", "input_p01", "p01"), ("median", "input_p50", "p50"), ("99th percentile", "input_p99", "p99"),
    ("maximum", "input_max", None), ("content share", "input_content_share", "content_share"),
)  # fmt: skip
#: What a decimal string loses, as `tasks.inference.gates` allows for it.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Check:
    """A gate, and how the volume met it.

    Args:
        code: the reason if it is closed.
        name: what it compares.
        meaning: the catalogue's sentence for its being closed.
        measured, accepted: as text; accepted is empty where nothing is asked for.
        state: `not reached`: another gate was closed before it.
    """

    code: str
    name: str
    meaning: str
    measured: str
    accepted: str
    state: State


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number of the prepared input.

    Args:
        name: what it is.
        column: of `predictions`.
        value: None where no input was made.
        limits: of the manifest's profile; None where it is held to none.
    """

    name: str
    column: str
    value: float | None
    limits: Range | None

    @property
    def is_inside(self) -> bool | None:
        """Whether it is within its limits, as the input gate takes them; None where there is no value or no limit."""
        if self.value is None or self.limits is None:
            return None
        return self.limits[0] - _TOLERANCE <= self.value <= self.limits[1] + _TOLERANCE


def statistics(case: Case, profile: Profile) -> tuple[Statistic, ...]:
    """What the input looked like, each number with its range."""
    return tuple(
        Statistic(name, column, case.row[column], getattr(profile, limits) if limits else None)
        for name, column, limits in _MEASURED
    )


def checks(case: Case, manifest: Manifest) -> tuple[Check, ...]:
    """Every gate in the order in which a volume meets it; none for a study without a volume.

    The header's gates are measured anew, by the lake's row of the volume. Whether the last two were open is what `predictions` says.
    """
    row = case.volume
    if row is None:
        return ()
    found = [
        _check(
            gate.reason_code, _measured(gate.measured), _accepted(gate.accepted),
            "not asked" if gate.accepted is None else "passed" if gate.is_open else "failed",
        )
        for gate in gates.header(row, manifest)
    ]  # fmt: skip
    closed = any(check.state == "failed" for check in found)
    said = case.reason_code
    turned, sheared = _lean(row)
    geometry: State = "failed" if said == _GEOMETRY else "not reached" if closed or not _reached(case, _GEOMETRY) else "passed"
    found.append(_check(
        _GEOMETRY, f"{number(turned)}; {number(sheared)}", f"at most {number(MAXIMUM_TURN_DEG)}; {number(MAXIMUM_SHEAR_DEG)}", geometry,
    ))  # fmt: skip
    outside = [each.name for each in statistics(case, manifest.profile) if each.is_inside is False]
    given: State = "passed" if case.is_read else "failed" if said == _INPUT else "not reached"
    measured = f"outside: {', '.join(outside)}" if outside else "" if given == "not reached" else "all inside"
    found.append(_check(_INPUT, measured, "the profile's ranges, below", given))
    return tuple(found)


def contradiction(case: Case, found: tuple[Check, ...]) -> str:
    """The code that the gates give now, where `predictions` says another; empty where both agree."""
    first = next((check.code for check in found if check.state == "failed"), "")
    return first or "none" if case.volume is not None and first != case.reason_code else ""


def band(finding: Finding, score: float | None) -> str:
    """The calibrated band of a score: its name and probability; empty where the score was not calibrated."""
    if score is None:
        return ""
    met = [each for each in finding.bands if each.lowest <= score]
    return f"{met[-1].name}, {_percent(met[-1].probability)}" if met else ""


def service(finding: Finding) -> str:
    """How soon a result of this finding is needed."""
    level = finding.service_level
    if level is None:
        return ""
    return f"within {level.minutes} min" if level.minutes is not None else f"by {level.by}"


def _reached(case: Case, gate: str) -> bool:
    """Whether a volume came to this gate, by its reason."""
    code = case.reason_code
    return not code or (code in gates.GATES and gates.GATES.index(code) >= gates.GATES.index(gate))


def _check(code: str, measured: str, accepted: str, state: State) -> Check:
    known = catalogue().get(code)
    return Check(code, _NAMES.get(code, code), known.meaning if known else "", measured, accepted, state)


def _lean(row: Mapping[str, Any]) -> tuple[float, float]:
    found = lean(Grid((row["n_columns"], row["n_rows"], row["n_slices"]), np.reshape(row["affine"], (4, 4))))
    return max(found.angles_deg), found.shear_deg


def _measured(value: Any) -> str:
    """A word, a number, or a number for each axis; with more digits than the range, so that a value at its edge is told from one beyond."""
    if value is None or value == "":
        return "not stated"
    if isinstance(value, str):
        return value
    values = value if isinstance(value, tuple) else (value,)
    return " × ".join("not stated" if each is None else number(float(each), 6) for each in values)


def _accepted(value: Any) -> str:
    """Words that are alternatives, a range, or one value; empty where nothing is asked for."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ", ".join(value) if isinstance(value[0], str) else span((value[0], value[1]))
    return number(float(value))


def _percent(shares: Range) -> str:
    return f"{100 * shares[0]:.3g}–{100 * shares[1]:.3g} %"
