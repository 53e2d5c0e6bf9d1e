"""How the numbers of a report were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tasks.evaluation.results import Estimate, Results
from tasks.report.blocks import Items, Section, Table
from tasks.report.numbers import text
from tasks.report.subject import Subject
from tasks.report.wording import MEASURES, count, metric

_TITLE = "How the numbers were made"
#: How each interval's `method` begins → where it comes from.
_SOURCES = (
    ("Wilson", "Wilson, J Am Stat Assoc 1927;22:209; effective sample size: Rao and Scott, Biometrics 1992;48:577"),
    ("Clopper-Pearson", "Clopper and Pearson, Biometrika 1934;26:404"),
    ("Agresti-Coull", "Agresti and Coull, Am Stat 1998;52:119"),
    ("Jeffreys", "Brown, Cai and DasGupta, Stat Sci 2001;16:101"),
    ("DeLong", "DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837"),
    ("Obuchowski", "Obuchowski, Biometrics 1997;53:567"),
    ("Newcombe, paired", "Newcombe, Stat Med 1998;17:2635, method 10"),
    ("Newcombe", "Newcombe, Stat Med 2006;25:559, method 5"),
    ("Simel", "Simel, Samsa and Matchar, J Clin Epidemiol 1991;44:763"),
    ("Mercaldo", "Mercaldo, Lau and Zhou, Stat Med 2007;26:2170"),
    ("square-and-add, paired", "Zou, Psychol Methods 2007;12:399"),
    ("square-and-add", "Newcombe, Stat Med 1998;17:873, method 10; Zou and Donner, Stat Med 2008;27:1693"),
    (
        "score intervals of sensitivity and threshold",
        "Hsieh and Turnbull, Ann Stat 1996;24:25; Zou and Donner, Stat Med 2008;27:1693",
    ),
    ("logistic recalibration", "Cox, Biometrika 1958;45:562; variance: Liang and Zeger, Biometrika 1986;73:13"),
    ("ratio over patients", "Debray et al., BMJ 2017;356:i6460; variance of a ratio over patients"),
    ("mean over patients", "ratio estimator over patients: Rao and Scott, Biometrics 1992;48:577"),
    ("percentile bootstrap", "Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13"),
)
_ROW = (*MEASURES, ("Prevalence", "prevalence"), ("LR+", "lr_positive"), ("LR−", "lr_negative"))
_PREDICTIVE = (("PPV", "ppv"), ("NPV", "npv"), ("Number needed to predict", "number_needed_to_predict"))
_CALIBRATION = (
    ("Slope", "slope"),
    ("Intercept", "intercept"),
    ("Brier score", "brier"),
    ("Observed / expected", "observed_to_expected"),
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
    found: dict[str, Counter[str]] = {}
    for name, method in _intervals(results):
        found.setdefault(method, Counter())[name] += 1
    return tuple(
        (method, ", ".join(uses), count(uses.total()), _source(method)) for method, uses in sorted(found.items())
    )  # fmt: skip


def _intervals(results: Results) -> Iterator[tuple[str, str]]:
    """What every interval is of, and its method."""
    for name, value in _estimates(results):
        if value is not None and value.status == "estimated" and value.method:
            yield name, value.method
    for row in results.performance:
        for found in row.against_rest:
            yield f"{metric(found.metric)} against the rest", found.method
    for curve in results.roc:
        if curve.band is not None:
            yield "ROC band", curve.band.method


def _estimates(results: Results) -> Iterator[tuple[str, Estimate | None]]:
    """Every estimate of the results with what it is of."""
    rows = [*results.performance, results.worst_case, *(row for point in results.operating_points for row in point.performance)]
    kinds: tuple[tuple[Sequence[object], tuple[tuple[str, str], ...]], ...] = (
        (rows, _ROW),
        (results.predictive, _PREDICTIVE),
        (results.calibration, _CALIBRATION),
    )
    for parts, names in kinds:
        for part in parts:
            yield from ((name, getattr(part, field)) for name, field in names)
    for calibrated in results.calibration:
        yield from (("Calibration curve", each.observed) for each in calibrated.curve)
    yield from (("Net benefit", each.model) for each in results.net_benefit)
    for stratum in results.strata:
        yield from (("Share in a stratum", stratum.observed), ("Likelihood ratio of a stratum", stratum.likelihood_ratio))
    if results.partial_auc is not None:
        yield "Partial AUC", results.partial_auc.standardized
    if results.comparison is not None:
        yield from ((f"{metric(each.metric)}, new minus earlier", each.difference) for each in results.comparison.differences)
    for row in results.detection:
        yield "Weighted AFROC area", row.wafroc
        yield from (("Lesion sensitivity", each.sensitivity) for each in row.at)


def _source(method: str) -> str:
    return next((source for start, source in _SOURCES if method.startswith(start)), "see docs/evaluation.md")
