"""What one evaluation and one manifest say for each element of a model card; nothing for what neither knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tasks.evaluation.results import Estimate, Performance, Results
from tasks.inference.manifest import Manifest
from tasks.report.markdown import bullets, lines, plain
from tasks.report.model_card_declared import declared, synthetic
from tasks.report.wording import MEASURES, WITHHELD, attribute, counted, estimate, group, percent, share

#: Path below the root → text; of a repeated element the texts, or a mapping an element.
Card = dict[str, Any]


def facts(results: Results, manifest: Manifest | None) -> Card:
    """Everything that is known, as Markdown; results must be printable, and both those of one model."""
    made = results.provenance
    card: Card = {
        "BasicInfo/ModelName": plain(made.model_name),
        "ModelSummary/Summary": lines(
            f"Finding: {plain(results.finding)}.",
            f"Intended use in the evaluation's plan: {plain(results.intended_use)}",
            synthetic(results),
        ),
        "ModelSummary/Keywords/Keyword": [plain(results.finding)],
        "UsesAndDirections/IntendedUseAndWorkflow": plain(results.intended_use),
        "UsesAndDirections/HowToUse": f"A score of at least {results.threshold:.4g} is a positive reading; the evaluation was made with that.",
        "Warnings/KnownRisksAndLimitations": lines(synthetic(results), *bullets(map(plain, results.limitations)))
        or "The evaluation found no limitation in the data; those of its design are not stated.",
        "Warnings/KnownBiasesOrEthicalConsiderations": _biases(results),
        "TrustIngredients/AISystemFacts/Transparency": lines(*bullets(
            f"{name}: {value}" for name, value in (
                ("SHA-256 of the weights", made.weights_sha256), ("SHA-256 of the evaluation plan", made.plan_sha256),
                ("SHA-256 of the predictions", made.predictions_sha256), ("SHA-256 of the reference standard", made.reference_sha256),
                ("SHA-256 of the cohort", made.cohort_sha256),
            ) if value
        )),
        "Resources/EvaluationReferences": f"Validation report: {plain(results.title)}, made of the same results as this card.",
        "Bibliography": "",
    }  # fmt: skip
    if made.model_version:
        card["ReleaseInfo/ReleaseVersion"] = plain(made.model_version)
    for section, (goal, rows, said) in {
        "UsefulnessUsabilityEfficacy": _usefulness(results),
        "FairnessEquity": _fairness(results),
        "SafetyReliability": _safety(results),
    }.items():
        place = f"KeyMetrics/{section}"
        card |= {
            f"{place}/MetricGoal": goal,
            f"{place}/Results/MetricResult": [{"Label": label, "ValueJson": value} for label, value in rows],
            f"{place}/Interpretation": said,
            f"{place}/TestType": "The model alone against a reference standard, without readers.",
            f"{place}/TestingDataDescription": _data(results),
            f"{place}/ValidationProcessAndJustification": _process(results),
        }
    return card | ({} if manifest is None else declared(results, manifest))


# ---- numbers --------------------------------------------------------------------------------------------------------------


def _value(**said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _number(value: float, *, share_of: bool) -> float:
    """The digits that the report shows: three decimals of a share, as a percentage or as they are."""
    shown = Decimal(f"{value:.3f}")
    return float(shown.scaleb(2) if share_of else shown)


def _metric(label: str, name: str, value: Estimate) -> list[tuple[str, str]]:
    """A label and CHAI's JSON of one estimate; nothing where there is no number."""
    if value.status != "estimated" or value.estimate is None:
        return []
    as_share = name != "auc"
    unit = "%" if as_share else ""
    middle = _number(value.estimate, share_of=as_share)
    if value.lower is None or value.upper is None:
        return [(label, _value(kind="single", value=middle, unit=unit))]
    lower, upper = (_number(bound, share_of=as_share) for bound in (value.lower, value.upper))
    level = 100 * Decimal(str(value.confidence))
    whole = int(level) if level == int(level) else float(level)
    return [(label, _value(kind="estimate_ci", estimate=middle, lower=lower, upper=upper, level=whole, unit=unit))]


def _all(row: Performance, suffix: str, measures: Sequence[tuple[str, str]] = MEASURES) -> list[tuple[str, str]]:
    return [found for name, field in measures for found in _metric(f"{name}{suffix}", field, getattr(row, field))]


def _counted(results: Results) -> list[tuple[str, str]]:
    overall = results.overall()
    if overall.suppressed:
        return [("Studies", _value(kind="single", value=f"withheld: fewer than {results.minimum_cases} patients"))]
    return [
        ("Studies", _value(kind="single", value=overall.studies)),
        ("Patients", _value(kind="single", value=overall.patients)),
    ]


def _not_estimable(row: Performance) -> list[str]:
    return [
        f"{name}: {plain(estimate(getattr(row, field)))}."
        for name, field in MEASURES
        if getattr(row, field).status != "estimated"
    ]


# ---- the three kinds of metrics ---------------------------------------------------------------------------------------------

Kind = tuple[str, list[tuple[str, str]], str]


def _goals(results: Results, *, margins: bool) -> list[str]:
    said = []
    for goal in results.goals:
        if (goal.margin is not None) != margins:
            continue
        aim = f"at least {goal.at_least:g}" if goal.margin is None else f"less than {goal.margin:g} worse than all other cases"
        verdict = "met" if goal.met else f"not met{f': {goal.reason}' if goal.reason else ''}"
        said.append(
            plain(f"{group(goal.attribute, goal.level)}, {goal.metric} {aim} ({percent(goal.confidence)} interval): {verdict}")
        )
    return said


def _usefulness(results: Results) -> Kind:
    overall, goals = results.overall(), _goals(results, margins=False)
    goal = lines(plain(results.endpoint), *bullets(goals)) or "The plan states no performance goal."
    unread = _not_estimable(overall)
    said = f"At a score of at least {results.threshold:.4g}. Intervals account for several studies of a patient."
    return goal, [*_all(overall, ""), *_counted(results)], lines(said, *bullets(unread))


def _fairness(results: Results) -> Kind:
    levels = [row for row in results.performance if row.attribute]
    names = list(dict.fromkeys(attribute(row.attribute) for row in levels))
    margins = _goals(results, margins=True)
    goal = lines(
        f"Performance in subgroups by {plain(', '.join(names))}." if names else "The plan declares no subgroups.",
        *bullets(margins),
    )
    shown = [row for row in levels if not row.suppressed and row.studies]
    rows = [found for row in shown for found in _all(row, f", {plain(group(row.attribute, row.level))}", MEASURES[:3])]
    hidden = sum(row.suppressed for row in levels)
    empty = sum(not row.suppressed and not row.studies for row in levels)
    said = [_biases(results)]
    said += (
        [f"{counted(hidden, 'level')} withheld: fewer than {results.minimum_cases} patients, or next to one that has."]
        if hidden
        else []
    )
    said += [f"{counted(empty, 'level')} without any case: nothing is known there."] if empty else []
    return goal, rows or [("Subgroups with an estimate", _value(kind="single", value=0))], lines(*said)


def _safety(results: Results) -> Kind:
    overall, worst = results.overall(), results.worst_case
    goal = "What is missed, and what the numbers would be if every case that was not read had been read wrongly."
    if overall.suppressed:
        return goal, _counted(results), f"Withheld: fewer than {results.minimum_cases} patients."
    counted_out = {
        "False negatives": overall.counts.fn,
        "False positives": overall.counts.fp,
        "Not read, and not in the main analysis": worst.studies - overall.studies,
    }
    rows = [(label, _value(kind="single", value=n, unit="studies")) for label, n in counted_out.items()]
    rows += _all(worst, ", every unread case wrong", MEASURES[:3])
    return goal, rows, "Repeatability, adverse events and the effect on care are not part of this card."


def _biases(results: Results) -> str:
    """The levels that do worse than all other cases, by the interval of the difference."""
    levels = [row for row in results.performance if row.attribute]
    if not levels:
        return "Not known: the evaluation has no subgroups. Ethical considerations: not stated."
    names = {field: name for name, field in MEASURES}
    worse = [
        plain(
            f"{group(row.attribute, row.level)}: {names[found.metric]} {found.difference:.3f} ({found.lower:.3f} to {found.upper:.3f})"
        )
        for row in levels
        for found in row.against_rest
        if found.harder and not row.suppressed
    ]
    said = "Worse than in all other cases, as differences with their intervals:" if worse else (
        "In no level that could be estimated does the interval of the difference from all other cases lie wholly below zero."
    )  # fmt: skip
    return lines(said, *bullets(worse), "\nEthical considerations: not stated.")


def _data(results: Results) -> str:
    overall = results.overall()
    if overall.suppressed:
        return lines(synthetic(results), f"Withheld: fewer than {results.minimum_cases} patients.")
    found = f"{counted(overall.studies, 'study')} of {counted(overall.patients, 'patient')}; the finding is in {counted(overall.positives, 'study')}"
    rows = [
        plain(
            f"{group(row.attribute, row.level)}: {share(row.studies, overall.studies, suppressed=row.suppressed)} of the studies"
        )
        for row in results.baseline
    ]
    return lines(synthetic(results), f"{found} ({share(overall.positives, overall.studies)}).", *bullets(rows))


def _part(studies: int, whole: int, *, suppressed: bool) -> str:
    return WITHHELD if suppressed else f"{share(studies, whole)} of the studies"


def _process(results: Results) -> str:
    made = results.provenance
    return (
        f"Made by Safelight {plain(made.safelight_version)} after the plan {plain(made.plan_name)} (SHA-256 {made.plan_sha256}); "
        f"{percent(results.confidence)} intervals. How the reference standard was made is not stated."
    )
