"""What a reading means where the finding is as frequent as stated: a thousand cases, and predictive values."""

from __future__ import annotations

from tasks.report.blocks import Block, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import NOTHING, OF_THOUSAND, group

_TITLE = "Of a thousand cases"
_CELLS = ("With the finding", "Found (TP)", "Missed (FN)", "Without it", "False alarm (FP)", "Rightly negative (TN)")
_WIDTHS = (1.9, 1.6, 1.6, 1.5)
_VALUES = ("ppv", "npv", "number_needed_to_predict")


def section(report: Subject) -> Section | LeftOut:
    """All cases at the data's own prevalence and at each of the plan's; subgroups at the plan's."""
    rows = list(enumerate(report.results.predictive))
    whole = [place for place, row in rows if not row.attribute]
    if not whole:
        return LeftOut("per_thousand", _TITLE, missing(report, "the results have no predictive values by prevalence"))
    blocks: list[Block] = [
        Paragraph(
            "Sensitivity and specificity are those of these data; how many cases have the finding is assumed. A test set with more of "
            "the finding than a hospital has makes the PPV too high for that hospital. Whole numbers are rounded so that they add up "
            "to a thousand."
        ),
        Table(
            "What happens to a thousand cases at the operating point", ("Prevalence", *_CELLS), tuple(_thousand(report, place) for place in whole),
            (False, *(True,) * 6), (1.6, 1, 1, 1, 1, 1, 1),
        ),
        Table(
            "Predictive values by prevalence; the number needed to predict is 1 / (PPV + NPV − 1)",
            ("Prevalence", "PPV", "NPV", "Number needed to predict"),
            tuple((_prevalence(report, place), *_values(report, place)) for place in whole),
            (False, *(True,) * 3), _WIDTHS,
        ),
    ]  # fmt: skip
    parts = [(place, row) for place, row in rows if row.attribute and not row.own]
    if parts:
        made = tuple(
            (text(f"{group(row.attribute, row.level)}, at ", _prevalence(report, place)), *_values(report, place))
            for place, row in parts
        )
        header = ("Subgroup and prevalence", "PPV", "NPV", "Number needed to predict")
        blocks.append(
            Table(
                "Predictive values in subgroups, at the stated prevalences",
                header,
                made,
                (False, *(True,) * 3),
                (2.8, 1.6, 1.6, 1.5),
            )
        )
    return Section("per_thousand", _TITLE, tuple(blocks))


def _prevalence(report: Subject, place: int) -> Said:
    found = report.numbers.of("prevalence", ("predictive", place, "prevalence"))
    return text(found, " (these data)") if report.results.predictive[place].own else found


def _thousand(report: Subject, place: int) -> tuple[Said, ...]:
    here = ("predictive", place, "per_thousand")
    if report.results.predictive[place].per_thousand is None:
        return _prevalence(report, place), *(NOTHING,) * len(OF_THOUSAND)
    return _prevalence(report, place), *(report.numbers.of(f"{cell} of 1,000", here) for cell in OF_THOUSAND)


def _values(report: Subject, place: int) -> tuple[Said, ...]:
    return tuple(report.numbers.estimate("predictive", place, field) for field in _VALUES)
