"""How far scores can be read as probabilities."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, LeftOut, Paragraph, Section, Table
from tasks.report.figures import calibration as drawing
from tasks.report.numbers import Place, Said, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import WITHHELD, group

_TITLE = "Calibration: scores as probabilities"
_MEASURES = (
    ("Slope", "slope"),
    ("Intercept", "intercept"),
    ("Observed / expected", "observed_to_expected"),
    ("Brier score", "brier"),
)


def section(report: Subject) -> Section | LeftOut:
    """The curve over the scores' histogram, its bins, and slope, intercept, O:E, Brier score and ECE of every shown row."""
    found = list(enumerate(report.results.calibration))
    if not found:
        return LeftOut("calibration", _TITLE, missing(report, "the plan does not read scores as probabilities"))
    place, whole = next((place, row) for place, row in found if not row.attribute)
    blocks: list[Block] = [
        Paragraph(
            "A score is calibrated where as large a share of cases has the finding as it says: slope 1, intercept 0, observed / "
            "expected 1. A slope below 1 says that scores are too extreme, an intercept above 0 that they are too low on the whole."
        )
    ]
    drawn = drawing.calibration(whole, report.mark)
    if drawn is not None:
        caption = "Calibration of all cases (above), and how the scores are distributed (below; areas are numbers of studies)"
        blocks.append(Figure(caption, drawn.alternative, drawn.svg, drawn.png, drawing.WIDTH))
    rows = tuple(_row(report, number) for number, _ in found)
    header = ("Cases", *(name for name, _ in _MEASURES), "ECE")
    blocks.append(
        Table(f"Calibration; ECE over {whole.binning}", header, rows, (False, *(True,) * 5), (2.2, 1.25, 1.45, 1.25, 1.25, 0.5))
    )
    if whole.curve:
        bins = tuple(_bin(report, ("calibration", place, "curve", number)) for number in range(len(whole.curve)))
        header = ("Scores", "Patients", "Studies", "Mean score", "Share with the finding")
        blocks.append(
            Table("Bins of the calibration curve of all cases", header, bins, (False, *(True,) * 4), (1.6, 0.9, 0.9, 1, 1.7))
        )
    return Section("calibration", _TITLE, tuple(blocks))


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.calibration[place], report.numbers, ("calibration", place)
    values = (of.difference(*here, field) if field == "intercept" else of.estimate(*here, field) for _, field in _MEASURES)
    return group(row.attribute, row.level), *values, of.known("decimal", *here, "ece")


def _bin(report: Subject, here: Place) -> tuple[Said, ...]:
    found, of = report.numbers.value(here), report.numbers
    scores = text(of.of("decimal", (*here, "lower_score")), " to ", of.of("decimal", (*here, "upper_score")))
    if found.suppressed:
        return scores, *(WITHHELD,) * 4
    counts = (of.count((*here, field)) for field in ("patients", "studies"))
    return scores, *counts, of.known("decimal", *here, "mean_score"), of.estimate(*here, "observed")
