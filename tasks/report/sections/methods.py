"""How the numbers of a report were made."""

from __future__ import annotations

from collections import defaultdict

from tasks.evaluation.results import Results
from tasks.report.blocks import Items, Section, Table
from tasks.report.numbers import text
from tasks.report.subject import Subject
from tasks.report.wording import MEASURES, count

_TITLE = "How the numbers were made"
#: How each interval's `method` begins → where it comes from.
_SOURCES = (
    ("Wilson", "Wilson, J Am Stat Assoc 1927;22:209; effective sample size: Rao and Scott, Biometrics 1992;48:577"),
    ("Clopper-Pearson", "Clopper and Pearson, Biometrika 1934;26:404"),
    ("DeLong", "DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837"),
    ("Obuchowski", "Obuchowski, Biometrics 1997;53:567"),
    ("Newcombe", "Newcombe, Stat Med 2006;25:559, method 5"),
)


def section(report: Subject) -> Section:
    """Sentences that hold for every report, and the table of the methods that were used in this one."""
    results, of = report.results, report.numbers
    said = Items((
        "A case is a study. Studies of one patient are a cluster, and every interval takes that into account.",
        text("A score of at least ", of.of("general", ("threshold",)), " is a positive reading. The threshold was set before the evaluation, "
             "by the plan or the model's manifest."),
        "Sensitivity, specificity, PPV and NPV are shares of studies at that threshold; PPV and NPV hold at the prevalence of these data.",
        "The AUC is the empirical one; a tie between a study with the finding and one without counts half.",
        text("Intervals are at ", of.of("percent", ("confidence",)), ", each for itself: nothing is corrected for multiple comparisons."),
        "A level is called worse where the difference from all other cases has an interval wholly below zero: square-and-add of the two "
        "intervals (Newcombe, Stat Med 1998;17:873, method 10; Zou and Donner, Stat Med 2008;27:1693).",
        text("A level with fewer than ", of.count(("minimum_cases",)), " patients is withheld, and with it, where needed, the next smallest one, "
             "so that it cannot be worked out from the rest. What cannot be estimated says why."),
        "Before this report was made, every rate and interval was derived again from what is published, by other code than made it, and every "
        "sum was added up again; then each number in it was made again from its place in results.json.",
    ))  # fmt: skip
    used = _used(results)
    if not used:
        return Section("methods", _TITLE, (said,))
    header = ("Method of the interval", "Used for", "Estimates", "Source")
    table = Table("Methods of the intervals in this report", header, used, (False, False, True, False), (1.8, 1.5, 0.8, 3))
    return Section("methods", _TITLE, (said, table))


def _used(results: Results) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in (*results.performance, results.worst_case):
        for name, field in MEASURES:
            value = getattr(row, field)
            if value.status == "estimated" and value.method:
                found[value.method].append(name)
    names = [name for name, _ in MEASURES]
    return tuple(
        (method, ", ".join(sorted(set(uses), key=names.index)), count(len(uses)), _source(method))
        for method, uses in sorted(found.items())
    )


def _source(method: str) -> str:
    return next((source for start, source in _SOURCES if method.startswith(start)), "see docs/evaluation.md")
