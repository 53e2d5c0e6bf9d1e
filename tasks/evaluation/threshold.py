"""The operating point: a number in the plan, or the one that the model's manifest states."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan
from tasks.inference.bundle import load
from tasks.inference.manifest import Manifest
from tasks.inference.registry import find
from tasks.lake import Lake

_VERSION = "model_version"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score at or above `threshold` is positive; it belongs to `model_version`, which is empty where the plan names a number."""

    threshold: float
    model_version: str = ""

    def applies_to(self, predictions: pa.Table) -> pa.Table:
        """The predictions that the operating point was chosen for: those of its version, where the table states versions."""
        if not self.model_version or _VERSION not in predictions.column_names:
            return predictions
        return predictions.filter(pc.equal(predictions[_VERSION].cast(pa.string()), self.model_version))


def operating_point(plan: Plan, model: str | None = None, lake: Lake | None = None) -> OperatingPoint:
    """Where the plan draws the line.

    Args:
        plan: its `threshold` is a number, or `manifest`.
        model: whose manifest is asked: a model of `configs/models/` or a path with a slash; the plan's own model where it is None.
        lake: whose registry says what a name means, `name@version` too; without one it is what is shipped.

    Raises:
        ConfigurationError: E-EVAL-THRESHOLD where the plan says `manifest`, and the model's can't be found, is of another model or
            version than the plan's, or is about another finding.
    """
    if not isinstance(plan.threshold, str):
        return OperatingPoint(plan.threshold)
    manifest = _manifest(plan, model or (plan.model_name if lake is None else plan.model), lake)
    same = manifest.name == plan.model_name and plan.model_version in {"", manifest.version}
    said = manifest.finding(plan.finding)
    if not same or said is None or not said.operating_points:
        found = f"the manifest is of {manifest.name}@{manifest.version}, {', '.join(each.finding for each in manifest.findings)}"
        raise ConfigurationError("E-EVAL-THRESHOLD", f"{plan.model}, {plan.finding}; {found}")
    return OperatingPoint(said.operating_point.threshold, manifest.version)


def _manifest(plan: Plan, model: str, lake: Lake | None) -> Manifest:
    try:
        return (load(model) if lake is None else find(lake, model)).manifest
    except ConfigurationError as error:
        raise ConfigurationError("E-EVAL-THRESHOLD", f"{plan.model}: {error.code}") from None
