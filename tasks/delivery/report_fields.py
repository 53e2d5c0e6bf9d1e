"""Decision support: fields with which a report can be filled in beforehand, and confirmed by whoever signs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.delivery.fleischner import Nodule, Patient, advise, guideline
from tasks.delivery.served import Served

#: Said with every measure.
_MEASURED = "Axes are the edges of a box along the image's rows and columns: of an oblique nodule they are longer than its own axes. To be confirmed."


def fields(one: Served, entries: Sequence[Mapping[str, Any]], identity: Mapping[str, str], facts: Mapping[str, Any]) -> bytes:
    """A study's fields as JSON; the same input gives the same bytes.

    Args:
        one: the model.
        entries: of `tasks.delivery.finding_rows.said`.
        identity: what the hospital calls the study.
        facts: clinical facts by the names of `tasks.delivery.fleischner.Patient`; what is missing is missing.
    """
    body: dict[str, Any] = {
        "study": dict(identity), "status": "to be confirmed by the reader",
        "model": {"name": one.manifest.name, "version": one.manifest.version, "intended_use": one.manifest.intended_use},
        "findings": [{**entry, **_counted(entry)} for entry in entries],
    }  # fmt: skip
    if one.delivery.fleischner:
        body["fleischner_2017"] = _fleischner(one, entries, facts)
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def _counted(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"count": len(entry["detections"]), "measured": _MEASURED} if "detections" in entry else {}


def _fleischner(one: Served, entries: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The recommendation for the nodules that were found, or why there is none."""
    nodules = []
    unmeasured = False
    for entry in entries:
        attenuation = one.delivery.fleischner.get(entry["finding"])
        if attenuation is None:
            continue
        unmeasured = unmeasured or "detections" not in entry
        for box in entry.get("detections", ()):
            nodules.append(Nodule(None if attenuation == "unknown" else attenuation, box["long_mm"], box["short_mm"]))
    advice = advise(nodules, Patient(**facts))
    why_not = ["the model gives no sizes"] if unmeasured else list(advice.why_not)
    table = guideline()
    return {
        "recommendation": None if unmeasured else advice.recommendation, "row": None if unmeasured else advice.row, "why_not": why_not,
        "nodules": len(nodules), "largest_mean_mm": max((nodule.mean_mm or 0 for nodule in nodules), default=None),
        "patient": {name: facts.get(name) for name in ("age_years", "risk", "immunosuppressed", "known_cancer", "screening")},
        "citation": table.citation, "not_for": [entry.said for entry in table.not_for], "notes": list(table.notes),
    }  # fmt: skip
