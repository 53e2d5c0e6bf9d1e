"""How soon results came: the lake's table `service_levels` by target, with the share that came in time over patients as clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.of_cases import TimeToResult
from tasks.evaluation.plan import Plan
from tasks.evaluation.proportions import proportion
from tasks.evaluation.suppression import withheld

#: What was owed by now: a result in time, a late one, and none though it is late.
OWED = ("reached", "missed", "overdue")
STATES = (*OWED, "pending", "not_read", "backfill")
COLUMNS = ("StudyInstanceUID", "PatientID", "target", "target_minutes", "minutes", "state")


def of_the_plan(table: pa.Table, plan: Plan, version: str) -> pa.Table:
    """The rows of `service_levels` about the plan's model and finding, those of one version where that is known; `COLUMNS`, by study."""
    mine = pc.and_(pc.equal(table["model_name"], plan.model_name), pc.equal(table["finding"], plan.finding))
    if version:
        mine = pc.and_(mine, pc.equal(table["model_version"], version))
    return table.filter(mine).select(COLUMNS).sort_by([("target", "ascending"), ("StudyInstanceUID", "ascending")])


def times(rows: pa.Table, plan: Plan) -> tuple[TimeToResult, ...]:
    """Each target's counts, share in time, median and 90th percentile.

    A target of too few patients is withheld, as a level of an attribute is.

    Args:
        rows: of `of_the_plan`.
    """
    targets = sorted(set(rows["target"].to_pylist()), key=lambda target: (target.startswith("by"), len(target), target))
    parts = {target: rows.filter(pc.equal(rows["target"], target)) for target in targets}
    sizes = {target: len(pc.unique(part["PatientID"])) for target, part in parts.items()}
    hidden = withheld(sizes, plan.minimum_cases, complementary=plan.complementary_suppression)
    return tuple(_row(target, part, hidden.get(target, ""), plan) for target, part in parts.items())


def quantile(minutes: NDArray[np.float64], share: float) -> float | None:
    """The least of the values that so large a share does not exceed (inverse of the empirical distribution, Hyndman and Fan 1996, type 1).

    Args:
        minutes: infinite where the result has not come.

    Returns:
        None without values, and where it is infinite: it is not known yet.
    """
    if not minutes.size:
        return None
    found = float(np.quantile(minutes, share, method="inverted_cdf"))
    return found if np.isfinite(found) else None


def _row(target: str, part: pa.Table, hidden: str, plan: Plan) -> TimeToResult:
    states = np.asarray(part["state"].to_pylist(), dtype=object)
    owed = np.isin(states, OWED)
    about: dict[str, Any] = {"target": target, "target_minutes": part["target_minutes"][0].as_py()}
    if hidden:
        none = not_estimable(hidden, plan.confidence)
        return TimeToResult(**about, patients=0, studies=0, **dict.fromkeys(STATES, 0), share=none, suppressed=True)
    patients = np.asarray(part["PatientID"].to_pylist(), dtype=str)
    took = np.asarray(pc.fill_null(part["minutes"], float("inf")), dtype=np.float64)
    took = np.where(states == "overdue", np.inf, took)[owed]
    return TimeToResult(
        **about, patients=int(np.unique(patients).size), studies=part.num_rows,
        **{state: int(np.count_nonzero(states == state)) for state in STATES},
        share=proportion(
            states[owed] == "reached", patients[owed], confidence=plan.confidence, method=plan.interval, empty="no result was owed yet"
        ),
        median_minutes=quantile(took, 0.5), p90_minutes=quantile(took, 0.9),
    )  # fmt: skip
