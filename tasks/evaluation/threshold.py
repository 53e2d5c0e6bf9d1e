"""The operating point: a number in the plan, or the one that the model's manifest states."""

from __future__ import annotations

from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan


def operating_point(plan: Plan) -> float:
    """The score at or above which a reading is positive.

    Raises:
        ConfigurationError: E-EVAL-THRESHOLD where the plan says `manifest` and the model's can't be found or states none.
    """
    if not isinstance(plan.threshold, str):
        return plan.threshold
    raise ConfigurationError("E-EVAL-THRESHOLD", plan.model)
