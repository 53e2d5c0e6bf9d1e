"""The studies that were read most wrongly: what to look at first when asking why a model fails."""

from __future__ import annotations

import numpy as np

from tasks.evaluation.cases import Assembled
from tasks.evaluation.of_cases import FailedCase
from tasks.evaluation.plan import Plan


def failed_cases(assembled: Assembled, plan: Plan, threshold: float) -> tuple[FailedCase, ...]:
    """False negatives, then false positives, of each kind as many as the plan asks for, the most extreme scores first.

    Only studies with a score of the model's own and a label of the reference standard: what the plan counts as an error by rule was
    not read wrongly. Nothing but key and score is told of a study; its attributes would be a cell of one.
    """
    if plan.failures is None:
        return ()
    cases = assembled.analysed
    called, ill = cases.scores >= threshold, cases.labels == 1.0
    distances = np.abs(cases.scores - threshold)
    made = []
    for kind, wrong in (("false_negative", ill & ~called), ("false_positive", ~ill & called)):
        places = np.flatnonzero(wrong)
        keys = {int(place): str(assembled.studies[int(cases.places[place])]) for place in places}
        worst = sorted(keys, key=lambda place: (-distances[place], keys[place]))[: plan.failures.cases]
        made += [
            FailedCase(
                kind=kind, study=keys[place], score=float(cases.scores[place]), distance=float(distances[place]),
                no_image="no lake was evaluated" if plan.failures.images else "the plan asks for none",
            )
            for place in worst
        ]  # fmt: skip
    return tuple(made)
