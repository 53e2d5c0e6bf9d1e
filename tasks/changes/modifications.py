"""What differs between two versions of a model, found by itself, and whether the change plan allows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.changes.plan import ChangePlan, Modification
from tasks.changes.verdict import Change
from tasks.inference.bundle import Bundle

#: The beginning of a field's name → the kind of modification that it belongs to; the first that fits counts. What fits none is fixed: no plan
#: allows another intended use, another finding, or another kind of output.
KINDS: tuple[tuple[str, str], ...] = (
    ("weights.sha256", "weights"),
    ("weights.also", "weights"),
    ("training", "weights"),
    ("weights.package_version", "runtime"),
    ("weights", "architecture"),
    ("input.tiling", "runtime"),
    ("input.dtype", "runtime"),
    ("input", "preprocessing"),
    ("preprocessing_sha256", "preprocessing"),
    ("accepted", "input_gates"),
    ("profile", "input_gates"),
    ("findings.*.point", "operating_point"),
    ("findings.*.bands", "calibration"),
    ("findings.*.score", "calibration"),
    ("code_sha256", "runtime"),
    ("variant", "runtime"),
    ("device", "runtime"),
)
FIXED = "fixed"
#: Every version has a number of its own.
_ALWAYS = ("version",)


@dataclass(frozen=True, slots=True)
class Ran:
    """By what a version's scores were made, as the table `predictions` says: each different value, sorted."""

    code_sha256: tuple[str, ...]
    variant: tuple[str, ...]
    device: tuple[str, ...]


def compare(running: Bundle, candidate: Bundle, before: Ran, after: Ran, plan: ChangePlan) -> tuple[Change, ...]:
    """Every field that differs, in the order of their names, and whether the plan allows it."""
    old, new = (_fields(*pair) for pair in ((running, before), (candidate, after)))
    names = sorted({*old, *new} - set(_ALWAYS))
    return tuple(_judged(name, old.get(name), new.get(name), plan) for name in names if old.get(name) != new.get(name))


def kind_of(field: str) -> str:
    """The kind of modification that a field belongs to; `fixed` where none may touch it."""
    parts = field.split(".")
    for beginning, kind in KINDS:
        wanted = beginning.split(".")
        if len(wanted) <= len(parts) and all(want in {"*", part} for want, part in zip(wanted, parts, strict=False)):
            return kind
    return FIXED


def _fields(bundle: Bundle, ran: Ran) -> dict[str, Any]:
    """Everything that is said of a version, by dotted name; findings and operating points by their own names, lists as one value."""
    said = bundle.manifest.model_dump(mode="json")
    findings = {}
    for finding in said.pop("findings"):
        points = finding.pop("operating_points")
        name = finding.pop("finding")
        findings[name] = finding | {
            "point": {each.pop("name"): each for each in points},
            "bands": finding["bands"] or None,
            "order_of_points": [point.name for point in bundle.manifest.finding(name).operating_points],  # type: ignore[union-attr]
        }
    how = {"code_sha256": ran.code_sha256, "variant": ran.variant, "device": ran.device}
    made = said | {"findings": findings, "preprocessing_sha256": bundle.preprocessing_sha256}
    return dict(_flat("", made)) | {name: ", ".join(values) for name, values in how.items()}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif value is not None:
        yield name, value


def _judged(field: str, before: Any, after: Any, plan: ChangePlan) -> Change:
    kind = kind_of(field)
    reasons = [_against(field, after, each) for each in plan.description_of_modifications if each.kind == kind]
    if kind == FIXED:
        reasons = ["no change plan allows it"]
    permitted = "" in reasons
    reason = "" if permitted else reasons[0] if reasons else f"the plan allows no modification of {kind}"
    return Change(field=field, kind=kind, before=_said(before), after=_said(after), permitted=permitted, reason=reason)


def _against(field: str, after: Any, allowed: Modification) -> str:
    """Why a modification does not cover a field's new value; empty where it does."""
    if allowed.fields and not any(field == each or field.startswith(f"{each}.") for each in allowed.fields):
        return "the plan does not name this field"
    bounds = allowed.bounds.get(field)
    if bounds is None:
        moved = allowed.kind == "operating_point" and field.endswith(".threshold")
        return "the plan sets no bounds for this threshold" if moved else ""
    if isinstance(after, bool) or not isinstance(after, int | float):
        return "its new value is not a number, and the plan sets bounds"
    return "" if bounds[0] <= after <= bounds[1] else f"not within {bounds[0]:g} to {bounds[1]:g}"


def _said(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def unknown_bounds(plan: ChangePlan, bundles: Sequence[Bundle]) -> list[str]:
    """Fields that the plan names and no version has: a misspelt one would be a bound that never holds anything."""
    nothing = Ran((), (), ())
    known = {name for bundle in bundles for name in _fields(bundle, nothing)}
    named = {name for each in plan.description_of_modifications for name in (*each.fields, *each.bounds)}
    return sorted(name for name in named if not any(field == name or field.startswith(f"{name}.") for field in known))
