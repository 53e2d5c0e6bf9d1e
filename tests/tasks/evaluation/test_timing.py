"""Time to result: what was owed, the share in time over patients, quantiles that a missing result does not flatter, small targets withheld."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from statsmodels.stats.proportion import proportion_confint

from data_contracts.service_levels import CONTRACT
from tasks.evaluation.of_cases import TimeToResult
from tasks.evaluation.timing import of_the_plan, quantile, times
from tests.tasks.evaluation.cohorts import patient, plan, study


def table(
    *states: str, target: str = "15 min", minutes: list[float | None] | None = None, patients: int | None = None, **more: Any
) -> pa.Table:
    said = {"reached": 5.0, "missed": 30.0}
    rows = [
        {
            "StudyInstanceUID": study(number), "PatientID": patient(number if patients is None else number % patients), "model_name": "m",
            "model_version": "1.0", "finding": "nodule", "target": target, "target_minutes": None if target.startswith("by") else 15.0,
            "minutes": minutes[number] if minutes else said.get(state), "reached": {"reached": True, "missed": False}.get(state), "state": state,
            "reason_code": "", **more,
        }
        for number, state in enumerate(states)
    ]  # fmt: skip
    return CONTRACT.validate(rows)


def of(*tables: pa.Table, **asked: Any) -> list[TimeToResult]:
    said = plan(**asked)
    return list(times(of_the_plan(pa.concat_tables(tables), said, "1.0"), said))


def test_only_what_was_owed_is_in_the_share() -> None:
    states = ["reached"] * 8 + ["missed"] * 3 + ["overdue"] + ["pending"] * 4 + ["not_read"] * 5 + ["backfill"] * 6
    (row,) = of(table(*states))
    assert (row.studies, row.patients, row.reached, row.missed, row.overdue, row.pending, row.not_read, row.backfill) == (
        27,
        27,
        8,
        3,
        1,
        4,
        5,
        6,
    )
    assert row.share.estimate == 8 / 12
    assert (row.share.lower, row.share.upper) == pytest.approx(proportion_confint(8, 12, method="wilson"))
    assert (row.median_minutes, row.p90_minutes) == (5.0, 30.0)


def test_studies_of_one_patient_are_not_independent() -> None:
    clustered = of(table(*["reached", "reached", "missed", "missed"] * 10, patients=20))[0]
    apart = of(table(*["reached", "reached", "missed", "missed"] * 10))[0]
    assert clustered.patients == 20
    assert clustered.share.effective_n is not None
    assert clustered.share.effective_n < 40 == apart.share.effective_n


def test_a_result_that_has_not_come_is_later_than_any() -> None:
    minutes = [*map(float, range(1, 9)), None, None]
    (row,) = of(table(*["reached"] * 8, "overdue", "overdue", minutes=minutes))
    assert (row.median_minutes, row.p90_minutes) == (5.0, None)  # without the two it would be 4 and 8


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_quantiles_are_those_of_numpy(share: float) -> None:
    values = np.random.default_rng(0).exponential(20, 101)
    assert quantile(values, share) == np.quantile(values, share, method="inverted_cdf")
    assert quantile(np.array([]), share) is None
    assert quantile(np.array([1.0, np.inf, np.inf, np.inf]), share) == (1.0 if share < 0.25 else None)


def test_each_target_is_a_row_and_small_ones_are_withheld() -> None:
    rows = of(table(*["reached"] * 30), table(*["missed"] * 9, target="by 07:00"), table("reached", "missed", target="240 min"))
    assert [(row.target, row.suppressed) for row in rows] == [("15 min", False), ("240 min", True), ("by 07:00", True)]
    hidden = rows[1]
    assert hidden.model_dump(exclude={"target", "target_minutes", "share"}) == {
        **dict.fromkeys(("patients", "studies", "reached", "missed", "overdue", "pending", "not_read", "backfill"), 0),
        "median_minutes": None, "p90_minutes": None, "suppressed": True,
    }  # fmt: skip
    assert hidden.share.estimate is None


def test_other_models_findings_and_versions_are_left_out() -> None:
    mine, said = table(*["reached"] * 8), plan()
    other = [
        table(*["missed"] * 8, **{name: value})
        for name, value in (("model_name", "x"), ("finding", "y"), ("model_version", "0.9"))
    ]
    whole = pa.concat_tables([mine, *other])
    assert of_the_plan(whole, said, "1.0").num_rows == 8
    assert of_the_plan(whole, said, "").num_rows == 16
    assert of(mine, *other)[0].missed == 0


def test_nothing_owed_has_no_share() -> None:
    (row,) = of(table(*["pending"] * 9))
    assert (row.share.reason, row.median_minutes) == ("no result was owed yet", None)
    assert times(table().select(["StudyInstanceUID", "PatientID", "target", "target_minutes", "minutes", "state"]), plan()) == ()
