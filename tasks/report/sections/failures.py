"""The studies that were read most wrongly, with their key images."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, LeftOut, Paragraph, Section, Table
from tasks.report.drawing import Drawing
from tasks.report.numbers import Said, text
from tasks.report.pictures import WIDTH, picture
from tasks.report.subject import Subject
from tasks.report.wording import NOTHING, elided

_TITLE = "Studies that were read wrongly"
_KINDS = (("false_negative", "False negatives", "Studies with the finding below the threshold"),
          ("false_positive", "False positives", "Studies without the finding at or above the threshold"))  # fmt: skip


def section(report: Subject) -> Section | LeftOut:
    """False negatives and false positives by how far they miss the threshold, by the study's key in the lake."""
    results = report.results
    if not results.failures:
        return LeftOut("failures", _TITLE, "the plan lists no failures, or there is none that may be shown")
    blocks: list[Block] = [Paragraph(_said(report))]
    for kind, title, caption in _KINDS:
        places = [place for place, row in enumerate(results.failures) if row.kind == kind]
        if not places:
            blocks.append(Paragraph(f"{title}: none that the model itself read."))
            continue
        header = ("Study", "Score", "Misses the threshold by", "Key image")
        rows = tuple(_row(report, place) for place in places)
        blocks.append(Table(f"{title}: {caption.lower()}", header, rows, (False, True, True, False), (3.6, 0.8, 1.1, 2)))
        blocks += [figure for place in places for figure in _image(report, place)]
    return Section("failures", _TITLE, tuple(blocks))


def _said(report: Subject) -> Said:
    return text(
        "A failure is a study that the model read, on the wrong side of the operating point (a score of at least ",
        report.numbers.of("general", ("threshold",)),
        "). The most extreme ones come first. Studies have the keys of the lake; nothing else is told of them here, since a single study is a "
        "group of one.",
    )


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.failures[place], report.numbers, ("failures", place)
    return row.study, of.of("decimal", (*here, "score")), of.of("decimal", (*here, "distance")), _pictured(report, place)


def _pictured(report: Subject, place: int) -> str:
    row = report.results.failures[place]
    if row.image:
        if row.image not in report.material.images:
            return "in the lake; this report was made without it"
        return (
            "below" if picture(report.material.images[row.image], "", "") is not None else "none: the file in the lake is damaged"
        )
    return f"none: {row.no_image}" if row.no_image else NOTHING


def _image(report: Subject, place: int) -> list[Figure]:
    row = report.results.failures[place]
    made = _drawn(report, place)
    if made is None:
        return []
    caption = f"{row.kind.replace('_', ' ').capitalize()}, study {elided(row.study, 24)}"
    return [Figure(caption, made.alternative, made.svg, made.png, WIDTH)]


def _drawn(report: Subject, place: int) -> Drawing | None:
    row = report.results.failures[place]
    content = report.material.images.get(row.image) if row.image else None
    return None if content is None else picture(content, row.alternative, report.mark)
