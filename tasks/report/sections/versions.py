"""The model against an earlier version, on the cases that both read."""

from __future__ import annotations

from tasks.evaluation.results import VersionComparison, VersionDifference
from tasks.report.blocks import Block, Figure, LeftOut, Paragraph, Section, Table
from tasks.report.figures import versions as drawing
from tasks.report.numbers import Said, text
from tasks.report.sections.acceptance import FAIL, OPEN, PASS
from tasks.report.subject import Subject
from tasks.report.wording import NOTHING, group, metric

_TITLE = "Against the earlier version"


def section(report: Subject) -> Section | LeftOut:
    """Paired differences against the margin, overall and in every level, and who was read differently."""
    found, of = report.results.comparison, report.numbers
    if found is None:
        return LeftOut("versions", _TITLE, "the plan names no comparator")
    if not found.differences:
        return Section(
            "versions", _TITLE, (Paragraph(f"Nothing is shown of the comparison with {found.comparator}: {found.reason}."),)
        )
    made, here = report.results.provenance, ("comparison",)
    blocks: list[Block] = [
        Paragraph(text(
            f"{made.model_name} {made.model_version} (score ≥ ", of.of("general", ("threshold",)), f") against {found.comparator} (score ≥ ",
            of.of("general", (*here, "comparator_threshold")), ") on ", of.count((*here, "studies")), " studies of ", of.count((*here, "patients")),
            " patients that both read. The new version is non-inferior where the lower bound of new minus earlier lies above minus the margin.",
        )),
        Paragraph(_in_short(found), emphasis=True),
    ]  # fmt: skip
    drawn = drawing.versions(found, report.mark)
    caption = "New version minus earlier one with intervals. Dashed: minus the margin. Open orange diamonds: non-inferiority is not shown"
    for place, each in enumerate(drawn, 1):
        part = f" (part {place} of {len(drawn)})" if len(drawn) > 1 else ""
        blocks.append(Figure(f"{caption}{part}", each.alternative, each.svg, each.png))
    rows = tuple(_row(report, place, row) for place, row in enumerate(found.differences))
    header = ("Subgroup and measure", "New", "Earlier", "New minus earlier", "p", "Bound against margin", "Non-inferior")
    blocks.append(Table("Paired differences", header, rows, (False, *(True,) * 5, False), (2, 0.7, 0.7, 2.2, 0.8, 1.5, 1.1)))
    blocks.append(_reclassified(report, found))
    return Section("versions", _TITLE, tuple(blocks))


def _in_short(found: VersionComparison) -> str:
    whole = [each for each in found.differences if not each.attribute]
    shown, not_shown = ([metric(each.metric) for each in whole if each.non_inferior == wanted] for wanted in (True, False))
    parts = [f"non-inferiority is shown for {', '.join(shown)}"] if shown else []
    parts += (
        [f"it is not shown for {', '.join(not_shown)}" if shown else f"non-inferiority is not shown for {', '.join(not_shown)}"]
        if not_shown
        else []
    )
    levels = list(
        dict.fromkeys(group(each.attribute, each.level) for each in found.differences if each.attribute and not each.non_inferior)
    )
    said = f"In all cases {', and '.join(parts)}."
    return f"{said} Subgroups in which a measure is not shown to be non-inferior: {'; '.join(levels)}." if levels else said


def _row(report: Subject, place: int, row: VersionDifference) -> tuple[Said, ...]:
    of, here = report.numbers, ("comparison", "differences", place)
    lower, margin = (*here, "difference", "lower"), (*here, "margin")
    bound: Said = NOTHING
    if row.difference.lower is not None:
        sign = " > " if row.non_inferior else " ≤ "
        bound = text(of.of("beside the margin", lower, margin), sign, of.of("the margin beside", margin, lower))
    verdict = PASS if row.non_inferior else OPEN if row.difference.estimate is None else FAIL
    return (
        f"{group(row.attribute, row.level)}: {metric(row.metric)}", of.known("decimal", *here, "new"), of.known("decimal", *here, "old"),
        of.difference(*here, "difference"), of.known("p", *here, "p"), bound, verdict,
    )  # fmt: skip


def _reclassified(report: Subject, found: VersionComparison) -> Table:
    cells = ("both_positive", "only_new", "only_old", "both_negative")
    rows = tuple(
        (
            "Finding present" if row.label else "Finding absent",
            *(report.numbers.count(("comparison", "reclassified", place, cell)) for cell in cells),
        )
        for place, row in enumerate(found.reclassified)
    )
    header = ("Reference standard", "Positive by both", "By the new one alone", "By the earlier one alone", "Negative by both")
    return Table("Who is read differently, in studies", header, rows, (False, *(True,) * 4), (1.4, 1, 1.2, 1.3, 1))
