"""What the report's words mean."""

from __future__ import annotations

from tasks.report.blocks import Section, Table
from tasks.report.subject import Subject

_TERMS = (
    ("AUC", "Area under the ROC curve: the chance that a study with the finding has a higher score than one without."),
    ("Band", "The interval of the sensitivity at each false positive rate, each for itself: not of the curve as a whole."),
    ("Interval", "The range of true values that agree with these data; the wider, the less is known."),
    ("Likelihood ratio", "By how much a reading multiplies the odds of the finding: above 1 it makes the finding likelier."),
    ("Net benefit", "True positives a case, less false positives weighed by what a false alarm costs."),
    ("Non-inferior", "Not worse by as much as the margin that the plan set before, as far as the interval tells."),
    ("Not estimable", "The number cannot be worked out from these data; the reason stands beside it."),
    ("Number needed to predict", "How many readings it takes to tell one more case rightly than by chance: 1 / (PPV + NPV − 1)."),
    ("Operating point", "The score from which on the model calls a study positive."),
    (
        "PPV, NPV",
        "Positive and negative predictive value: the share of the model's positive (negative) calls that are right.",
    ),
    ("Prevalence", "Share of the studies that have the finding, by the reference standard."),
    ("Reference standard", "What is taken as the truth about each study."),
    ("ROC curve", "Sensitivity against 1 − specificity as the operating point moves over all scores."),
    ("Sensitivity", "Share of the studies with the finding that the model calls positive: TP / (TP + FN)."),
    ("Specificity", "Share of the studies without the finding that the model calls negative: TN / (TN + FP)."),
    (
        "TP, FN, TN, FP",
        "Studies that are true positive, false negative, true negative and false positive at the operating point.",
    ),
    ("Withheld", "Not shown, since so few patients could be recognised."),
)


def section(_: Subject) -> Section:
    """The report's terms."""
    return Section("glossary", "Glossary", (Table("Terms", ("Term", "Meaning"), _TERMS, (False, False), (1, 4)),))
