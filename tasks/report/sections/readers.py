"""The reader study: every reader in every modality, the modalities' means, and their differences."""

from __future__ import annotations

from tasks.evaluation.endpoints.parts import ReaderStudy
from tasks.report.blocks import Block, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject
from tasks.report.wording import NOTHING, WITHHELD, group, noun

_TITLE = "Reader study"
_FIGURES = {"auc": "the area under the ROC curve", "sensitivity": "sensitivity", "specificity": "specificity"}
_GENERALIZED = {
    "readers_and_cases": "To other readers and other cases", "cases": "To other cases, for these readers",
    "readers": "To other readers, for these cases",
}  # fmt: skip


def section(report: Subject) -> Section | LeftOut:
    """Tables of all cases, and of the differences in every level."""
    rows = report.results.reader_study
    if not rows:
        return LeftOut("readers", _TITLE, "no readings of readers were given")
    whole = rows[0]
    if whole.suppressed:
        return Section("readers", _TITLE, (Paragraph(f"The reader study is withheld: {whole.reason}."),))
    blocks: list[Block] = [Paragraph(_said(report, whole))]
    if whole.reason:
        blocks.append(Paragraph(f"Nothing can be estimated in all cases: {whole.reason}.", emphasis=True))
    else:
        blocks += [_readers(report, whole), _means(report, whole), _differences(report, whole)]
    blocks.append(_levels(report, rows))
    return Section("readers", _TITLE, tuple(blocks))


def _said(report: Subject, whole: ReaderStudy) -> Said:
    of, here = report.numbers, ("reader_study", 0)
    return text(
        of.count((*here, "readers")), f" {noun(whole.readers, 'reader')} read ", of.count((*here, "cases")), f" {noun(whole.cases, 'case')} of ",
        of.count((*here, "patients")), f" {noun(whole.patients, 'patient')} in every modality; ", of.count((*here, "positives")),
        " have the finding. ", of.count((*here, "incomplete")), " more were not read by everybody in every modality and are left out. Compared is ",
        f"{_FIGURES[whole.figure]}, by the analysis of Obuchowski and Rockette with Hillis' degrees of freedom; covariances over cases: ",
        f"{whole.covariance}. Readers are numbered; their names are not told.",
    )  # fmt: skip


def _readers(report: Subject, whole: ReaderStudy) -> Table:
    of = report.numbers
    names = list(dict.fromkeys(each.modality for each in whole.figures))
    place = {(each.modality, each.reader): number for number, each in enumerate(whole.figures)}
    rows: tuple[tuple[Said, ...], ...] = tuple(
        (f"Reader {reader}", *(of.of("decimal", ("reader_study", 0, "figures", place[name, reader], "value")) for name in names))
        for reader in range(1, whole.readers + 1)
    )
    return Table(
        "Every reader in every modality", ("Reader", *names), rows, (False, *(True,) * len(names)), (1.0,) * (1 + len(names))
    )


def _means(report: Subject, whole: ReaderStudy) -> Table:
    rows = tuple(
        (_GENERALIZED[each.generalized], each.modality, report.numbers.estimate("reader_study", 0, "means", place, "figure"))
        for place, each in enumerate(whole.means)
    )
    return Table("Means over readers", ("Generalized", "Modality", "Mean"), rows, (False, False, True), (1.6, 1.2, 1.2))


def _differences(report: Subject, whole: ReaderStudy) -> Table:
    of = report.numbers
    rows = tuple(
        (
            _GENERALIZED[each.generalized], f"{each.first} − {each.second}", of.difference("reader_study", 0, "differences", place, "difference"),
            of.of("p", ("reader_study", 0, "differences", place, "p")), of.of("decimal", ("reader_study", 0, "differences", place, "margin")),
            "yes" if each.non_inferior else "no",
        )
        for place, each in enumerate(whole.differences)
    )  # fmt: skip
    header = ("Generalized", "Difference of", "Difference", "p", "Margin", "Not inferior")
    return Table(
        "Differences of modalities", header, rows, (False, False, True, True, True, False), (1.6, 1.5, 1.5, 0.6, 0.6, 0.7)
    )


def _levels(report: Subject, rows: tuple[ReaderStudy, ...]) -> Table:
    """The differences in every level, generalized to readers and cases where there are several readers."""
    made: list[tuple[Said, ...]] = []
    of = report.numbers
    for number, row in enumerate(rows):
        name, here = group(row.attribute, row.level), ("reader_study", number)
        if row.suppressed:
            made.append((name, NOTHING, WITHHELD, WITHHELD, WITHHELD))
            continue
        how = "readers_and_cases" if row.readers > 1 else "cases"
        found = [(place, each) for place, each in enumerate(row.differences) if each.generalized == how]
        if not found:
            made.append(
                (name, NOTHING, of.count((*here, "cases")), of.count((*here, "positives")), f"not estimable: {row.reason}")
            )
        for place, each in found:
            made.append((
                name, f"{each.first} − {each.second}", of.count((*here, "cases")), of.count((*here, "positives")),
                of.difference(*here, "differences", place, "difference"),
            ))  # fmt: skip
    header = ("Level", "Difference of", "Cases", "With the finding", "Difference")
    return Table(
        "Differences of modalities in every level",
        header,
        tuple(made),
        (False, False, True, True, True),
        (1.6, 1.5, 0.6, 0.7, 1.7),
    )
