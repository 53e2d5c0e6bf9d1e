"""The report on one evaluation: which sections it has, in which order. Made once; every face renders just this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tasks.evaluation.results import Results
from tasks.report.blocks import Document, LeftOut, Section, numbered
from tasks.report.material import Material
from tasks.report.numbers import Numbers
from tasks.report.sections import (
    acceptance,
    accountability,
    agreement,
    baseline,
    calibration,
    change,
    checklists,
    decision,
    detection,
    differences,
    failures,
    glossary,
    indeterminate,
    left_out,
    limitations,
    methods,
    monitoring,
    operating_points,
    per_thousand,
    performance,
    provenance,
    readers,
    repeatability,
    segmentation,
    strata,
    subgroup_tables,
    subgroups,
    summary,
    time,
    versions,
)
from tasks.report.subject import MARK, Subject
from tasks.report.wording import printable, versioned

SYNTHETIC = f"{MARK}. The cases in this report were generated. It shows how Safelight works and says nothing about patients."

#: The sections in their order, by name. Those that the evaluation has nothing for say so, and are named under `left_out`.
SECTIONS: Final[dict[str, Callable[[Subject], Section | LeftOut]]] = {
    "summary": summary.section,
    "limitations": limitations.section,
    "monitoring": monitoring.section,
    "change": change.section,
    "provenance": provenance.section,
    "accountability": accountability.section,
    "baseline": baseline.section,
    "performance": performance.section,
    "acceptance": acceptance.section,
    "operating_points": operating_points.section,
    "per_thousand": per_thousand.section,
    "calibration": calibration.section,
    "decision": decision.section,
    "strata": strata.section,
    "indeterminate": indeterminate.section,
    "differences": differences.section,
    "subgroups": subgroups.section,
    "subgroup_tables": subgroup_tables.section,
    "versions": versions.section,
    "detection": detection.section,
    "segmentation": segmentation.section,
    "agreement": agreement.section,
    "repeatability": repeatability.section,
    "readers": readers.section,
    "time": time.section,
    "failures": failures.section,
    "methods": methods.section,
    "glossary": glossary.section,
}
#: The first section that every report has in the same words; before it stands what is said of the report itself.
_APPENDIX = "methods"


def make(results: Results, material: Material | None = None) -> Document:
    """The report on one evaluation, with what stands beside it."""
    shown = printable(results)
    report = Subject(shown, Numbers(shown), material or Material())
    made = [fill(report) for fill in SECTIONS.values()]
    left = [each for each in made if isinstance(each, LeftOut)]
    kept = [each for each in made if isinstance(each, Section)]
    asked = checklists.section([*kept, left_out.section(left)], left)
    if isinstance(asked, LeftOut):
        left.append(asked)
    place = next(place for place, each in enumerate(kept) if each.name == _APPENDIX)
    kept[place:place] = [left_out.section(left), *([asked] if isinstance(asked, Section) else [])]
    found = shown.provenance
    subtitle = f"{found.model_name} {versioned(found.model_version)} · finding: {shown.finding}"
    return Document(shown.title, subtitle, SYNTHETIC if report.mark else "", report.mark, numbered(kept))
