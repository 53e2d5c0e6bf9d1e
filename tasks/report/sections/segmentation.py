"""Masks against reference masks: overlap, distances of surfaces and volumes, in all cases and in every level."""

from __future__ import annotations

from tasks.report.blocks import Block, LeftOut, Paragraph, Section
from tasks.report.sections.by_level import limits, places_of, plot, table
from tasks.report.subject import Subject

_TITLE = "Segmentation"
_OVERLAP = (
    ("Patients", ("patients",), "count"), ("Cases", ("cases",), "count"), ("One mask empty", ("one_empty",), "count"),
    ("Dice", ("dice",), "estimate"), ("Surface Dice", ("surface_dice",), "estimate"), ("Mean distance (mm)", ("mean_distance",), "estimate"),
    ("Hausdorff 95 % (mm)", ("hausdorff_95",), "estimate"),
)  # fmt: skip


def section(report: Subject) -> Section | LeftOut:
    """Two tables and a plot for each structure."""
    rows = report.results.segmentation
    if not rows:
        return LeftOut("segmentation", _TITLE, "no masks were held against reference masks")
    blocks: list[Block] = [Paragraph(
        "Means over cases with intervals over patients. Where one of both masks is empty, Dice is 0 and there is no distance: such cases are counted "
        "beside the means. Volumes are measured minus reference."
    )]  # fmt: skip
    for structure, places in places_of(rows, "structure").items():
        blocks.append(table(report, f"Overlap and distances: {structure}", "segmentation", places, _OVERLAP))
        blocks.append(table(report, f"Volumes: {structure}", "segmentation", places, limits("volumes", "ml")))
        blocks.append(plot(report, rows[places[0]], f"volumes of {structure}", "ml", "volumes"))
    return Section("segmentation", _TITLE, tuple(blocks), wide=True)
