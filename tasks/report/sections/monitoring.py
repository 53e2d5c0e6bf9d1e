"""A period of use beside a baseline: what the model was given, what has changed, and the change plan's alerts."""

from __future__ import annotations

from tasks.changes import rows
from tasks.report.blocks import Block, LeftOut, Paragraph, Section
from tasks.report.sections.prepared import table
from tasks.report.subject import Subject

_TITLE = "Monitoring of the period"


def section(report: Subject) -> Section | LeftOut:
    """Alerts first, then the tables of `tasks.changes.rows.monitoring`; the sections around it are about the period's cases."""
    found = report.material.monitoring
    if found is None:
        return LeftOut("monitoring", _TITLE, "this report is not about a period of use (`safelight monitor`)")
    alerts = found.alerts
    said = (
        f"{found.model.label} in {found.period.years} beside {found.baseline.years}, by the change plan {found.plan_name} "
        f"(SHA-256 {found.plan_sha256}). "
    )
    if alerts:
        said += f"{len(alerts)} of {len(found.limits)} limits give an alert: {'; '.join(map(rows.named, alerts))}."
    else:
        said += f"None of {len(found.limits)} limits gives an alert." if found.limits else "The plan sets no limits."
    blocks: list[Block] = [Paragraph(said, emphasis=True)]
    if found.studies_without_year:
        blocks.append(Paragraph(f"{found.studies_without_year} studies of this version have no year and belong to no period."))
    return Section("monitoring", _TITLE, (*blocks, *(table(title, made) for title, made in rows.monitoring(found).items())))
