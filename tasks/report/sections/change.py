"""The change control's verdict on the version that was evaluated: what changed, and which limits it was held to."""

from __future__ import annotations

from tasks.changes import rows
from tasks.report.blocks import LeftOut, Paragraph, Section
from tasks.report.sections.prepared import table
from tasks.report.subject import Subject

_TITLE = "Change control"


def section(report: Subject) -> Section | LeftOut:
    """Verdict, changes and limits, the failed ones named."""
    found = report.material.verdict
    if found is None:
        return LeftOut("change", _TITLE, "this report is not about a candidate of a change control plan (`safelight pccp`)")
    failed = [each for each in found.limits if not each.passed]
    refused = [each for each in found.changes if not each.permitted]
    said = (
        f"{found.candidate.label} may {'' if found.passed else 'NOT '}replace {found.running.label}, by the plan {found.plan.name} "
        f"(SHA-256 {found.plan_sha256}): {rows.counts(found)}."
    )
    if refused:
        said += f" Not permitted: {', '.join(each.field for each in refused)}."
    if failed:
        said += f" Failed: {'; '.join(map(rows.named, failed))}."
    told = found.plan.modification_protocol.update_procedures
    who = f"Approved by: {', '.join(told.approved_by)}. Told: {', '.join(told.told)}. The software does not know whether they did and were."
    tables = (
        table("What differs between the versions", rows.changes(found.changes)),
        table("Limits of the plan", rows.limits(found.limits)),
    )
    return Section("change", _TITLE, (Paragraph(said, emphasis=True), Paragraph(who), *tables))
