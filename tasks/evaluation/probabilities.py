"""What a plan asks beyond the table: calibration, decision curve, risk strata and partial AUC of the cases in the table.

Cases that the model did not read have a rank there (as the plan says), but no probability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from tasks.evaluation.calibrate import calibration
from tasks.evaluation.decision import net_benefit, strata
from tasks.evaluation.intention import Entered
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.partial import partial_auc
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import CalibrationBin, Stratum
from tasks.evaluation.suppression import withheld

Bin = TypeVar("Bin", CalibrationBin, Stratum)


def further(entered: Entered, shown: Iterable[tuple[str, str]], plan: Plan) -> dict[str, Any]:
    """The fields of `Results` for what the plan asks; those for which it asks nothing are left out.

    Args:
        shown: (attribute, level) of the rows that are shown with cases; each has its own calibration.
    """
    made: dict[str, Any] = {}
    if plan.calibration is None and not plan.net_benefit and not plan.strata and plan.partial_auc is None:
        return made
    cases, ranked = entered.scored.ordered(), entered.main.ordered()
    if plan.calibration is not None:
        asked = plan.calibration
        rows = [("", "", np.ones(cases.labels.size, dtype=np.bool_))]
        for attribute, level in shown:
            levels = cases.levels[attribute]
            if level in levels.names:
                rows.append((attribute, level, levels.codes == levels.names.index(level)))
        found = (
            calibration(
                cases.scores[mask], cases.labels[mask], cases.patients[mask], bins=asked.bins, binning=asked.binning,
                confidence=plan.confidence, attribute=attribute, level=level,
            )
            for attribute, level, mask in rows
        )  # fmt: skip
        made["calibration"] = tuple(each.model_copy(update={"curve": shown_bins(each.curve, plan)}) for each in found)
    if plan.net_benefit:
        made["net_benefit"] = net_benefit(
            cases.scores, cases.labels, cases.patients, at=plan.net_benefit, confidence=plan.confidence
        )
    if plan.strata:
        cut = strata(cases.scores, cases.labels, cases.patients, bounds=plan.strata, confidence=plan.confidence)
        made["strata"] = shown_bins(cut, plan)
    if plan.partial_auc is not None:
        made["partial_auc"] = partial_auc(
            ranked.scores, ranked.labels, ranked.patients, specificity=plan.partial_auc.specificity,
            replicates=plan.partial_auc.replicates, confidence=plan.confidence, seed=plan.seed,
        )  # fmt: skip
    return made


def shown_bins(bins: Sequence[Bin], plan: Plan) -> tuple[Bin, ...]:
    """Bins of scores without the numbers of those that hold too few patients, and of others from which these could be worked out."""
    sizes = {str(number): each.patients for number, each in enumerate(bins)}
    hidden = withheld(sizes, plan.minimum_cases, complementary=plan.complementary_suppression)
    made = []
    for number, each in enumerate(bins):
        if str(number) not in hidden:
            made.append(each)
            continue
        none = not_estimable(hidden[str(number)], plan.confidence)
        empty = {"mean_score": None} if isinstance(each, CalibrationBin) else {"positives": 0, "likelihood_ratio": none}
        made.append(each.model_copy(update={"patients": 0, "studies": 0, "observed": none, "suppressed": True, **empty}))
    return tuple(made)
