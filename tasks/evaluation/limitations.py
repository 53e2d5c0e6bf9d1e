"""What the reader must know before using the numbers, worked out from the numbers themselves."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluation.intention import INDETERMINATE, Entered
from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED, Plan
from tasks.evaluation.results import Difference, Estimate, Performance, PlanHistory

#: Cases of either kind below which an external validation says little (Vergouwe et al., J Clin Epidemiol 2005;58:475).
ADVISED = 100
#: An interval wider than this lets a level work much worse than all others without anybody seeing it.
WIDE = 0.3
_MOST_NAMED = 12

_AS = {"positive": "each as positive", "negative": "each as negative", "error": "each as an error"}
#: Sections of the plan as a sentence names them, and the table that each needs.
_SECTIONS = {
    "segmentation": "segmentation", "agreement": "agreement of measurements", "repeatability": "repeatability", "reader_study": "a reader study",
}  # fmt: skip
_TABLES = {"segmentation": "overlaps", "agreement": "measurements", "repeatability": "measurements", "reader_study": "readings"}
_COMPARED = (("auc", "AUC"), ("sensitivity", "sensitivity"), ("specificity", "specificity"))


def limitations(
    plan: Plan,
    rows: Sequence[Performance],
    worst: Performance,
    cases: Entered,
    history: PlanHistory | None = None,
    *,
    detected: bool = False,
    missing: Sequence[str] = (),
) -> tuple[str, ...]:
    """Sentences for the report, the harder subgroups first.

    Args:
        rows: the performance table; the first row is that of all cases.
        worst: the row in which every unread case counts as an error.
        cases: what the plan let into the table.
        history: what the register says of the plan.
        detected: whether marks and lesions were given.
        missing: sections of the plan whose table was not given.
    """
    overall, levels = rows[0], rows[1:]
    said = [*_harder(levels, plan)]
    if history is not None and history.changed:
        said.append(
            "The plan is not the one under which the reference standard was first opened: what was decided after that may have been "
            "decided by it."
        )
    if plan.synthetic:
        said.append("The data are synthetic: nothing here says how the model works on patients.")
    said += _missing(overall, levels, plan)
    said += _few(overall)
    said += _wide(levels)
    if cases.failed:
        said.append(f"{cases.failed} studies that the model did not read are in the table, as the plan says: {_AS[plan.failed]}.")
    if cases.indeterminate:
        said.append(
            f"{cases.indeterminate} studies of an indeterminate reference standard are in the table, as the plan says: "
            f"{_AS[plan.indeterminate]}."
        )
    said += _unread(overall, worst, int(cases.worst.labels.size - cases.main.labels.size))
    said += _indeterminate(cases)
    if plan.detection is not None and not detected:
        said.append(
            "The plan asks for detection, and no marks and lesions were given: nothing is said about where the model looks."
        )
    for name in missing:
        said.append(f"The plan asks for {_SECTIONS[name]}, and no table of {_TABLES[name]} was given: nothing is said about it.")
    said += _few_sites(levels)
    for row in levels:
        if row.level in (NOT_STATED, NOT_DECLARED) and not row.suppressed:
            said.append(f"{_name(row)} for {row.studies} of {overall.studies} studies.")
    return tuple(said)


def _name(row: Performance) -> str:
    if row.level == NOT_STATED:
        return f"{row.attribute} is not stated"
    if row.level == NOT_DECLARED:
        return f"{row.attribute} has a value that the plan does not declare"
    return f"{row.attribute} = {row.level}"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.estimate:.3f}, {100 * estimate.confidence:g} % interval {estimate.lower:.3f} to {estimate.upper:.3f}"


_ADJUSTED = {"none": "", "holm": "Holm's correction", "benjamini_hochberg": "Benjamini and Hochberg's correction"}


def _stands(found: Difference, plan: Plan) -> bool:
    """Whether a level is harder, also after the plan's correction for multiple comparisons."""
    adjusted = {"none": 0.0, "holm": found.p_holm, "benjamini_hochberg": found.p_benjamini_hochberg}[plan.multiplicity]
    return found.harder and adjusted is not None and adjusted < 1.0 - plan.confidence


def _harder(levels: Sequence[Performance], plan: Plan) -> list[str]:
    said, compared = [], 0
    for field, name in _COMPARED:
        for row in levels:
            for found in row.against_rest:
                if found.metric != field:
                    continue
                compared += 1
                if _stands(found, plan):
                    said.append(
                        f"The model does worse where {_name(row)}: {name} {_interval(getattr(row, field))}, against {found.rest:.3f} in all "
                        f"other cases (difference {found.difference:.3f}, {found.lower:.3f} to {found.upper:.3f})."
                    )
    if said:
        how = f"with {_ADJUSTED[plan.multiplicity]}" if plan.multiplicity != "none" else "without correction"
        said.append(f"{compared} subgroup estimates were held against all other cases {how} for multiple comparisons.")
    return said


def _missing(overall: Performance, levels: Sequence[Performance], plan: Plan) -> list[str]:
    said = []
    if overall.suppressed or not overall.studies:
        few = f"fewer than {plan.minimum_cases} patients" if overall.suppressed else "no cases"
        said.append(f"There are {few} with both a prediction and a reference standard: nothing can be estimated.")
        return said
    empty = [_name(row) for row in levels if not row.studies and not row.suppressed]
    small = [_name(row) for row in levels if row.suppressed]
    one_sided = [_name(row) for row in levels if row.studies and not (row.positives and row.negatives)]
    if empty:
        said.append(f"There are no cases where {'; '.join(empty)}: the results do not apply there.")
    if small:
        said.append(f"Withheld because of few patients (minimum {plan.minimum_cases}): {'; '.join(small)}.")
    if one_sided:
        said.append(f"There are only positive or only negative cases where {'; '.join(one_sided)}.")
    for field, name in _COMPARED:
        estimate: Estimate = getattr(overall, field)
        if estimate.status == "not_estimable":
            said.append(f"The overall {name} is not estimable: {estimate.reason}.")
    return said


def _few(overall: Performance) -> list[str]:
    """Few cases of either kind in all; what they are a few of is shown."""
    if overall.suppressed or not overall.studies or min(overall.positives, overall.negatives) >= ADVISED:
        return []
    return [
        f"Cases with the finding: {overall.positives}, without: {overall.negatives}. At least {ADVISED} of each are advised for an external "
        "validation (Vergouwe et al., J Clin Epidemiol 2005;58:475)."
    ]


def _wide(levels: Sequence[Performance]) -> list[str]:
    """Levels in which an interval is so wide that a much worse performance could not be seen."""
    found = []
    for row in levels:
        known = [(name, getattr(row, field)) for field, name in _COMPARED]
        wide = [name for name, value in known if value.estimate is not None and value.upper - value.lower > WIDE]
        if wide:
            found.append(f"{_name(row)} ({', '.join(wide)})")
    if not found:
        return []
    shown = sum(row.studies > 0 for row in levels)
    more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return [
        f"In {len(found)} of {shown} shown subgroups an interval is wider than {WIDE:.2f}, so that a worse performance could go unseen: "
        f"{'; '.join(found[:_MOST_NAMED])}{more}."
    ]


def _indeterminate(cases: Entered) -> list[str]:
    """The share of the reference standard that is open, however the plan treats it."""
    left = cases.excluded.get(INDETERMINATE, 0)
    unclear, known = left + cases.indeterminate, left + int(cases.worst.labels.size)
    return (
        [f"The reference standard is indeterminate for {unclear} of {known} studies ({100 * unclear / known:.1f} %)."]
        if unclear
        else []
    )


def _unread(overall: Performance, worst: Performance, unread: int) -> list[str]:
    if not unread or worst.suppressed:
        return []
    changes = [
        f"{name} falls from {before.estimate:.3f} to {after.estimate:.3f}"
        for field, name in _COMPARED
        if (before := getattr(overall, field)).estimate is not None
        and (after := getattr(worst, field)).estimate is not None
        and after.estimate < before.estimate
    ]
    consequence = f"; if each of them were read wrongly, {', '.join(changes)}" if changes else ""
    return [f"The model did not read {unread} of {worst.studies} studies with a reference standard{consequence}."]


def _few_sites(levels: Sequence[Performance]) -> list[str]:
    sites = [row for row in levels if row.attribute == "site"]
    if not sites:
        return ["The plan declares no subgroups by site: nothing is said about other hospitals."]
    named = [row for row in sites if (row.studies or row.suppressed) and row.level != NOT_STATED]
    return ["All cases are of one site: nothing is said about other hospitals."] if len(named) < 2 else []
