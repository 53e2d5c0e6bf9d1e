"""A period beside its baseline: numbers that other software gives, dependence through patients of both, small groups, alerts by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep
from typer.testing import CliRunner

from tasks.changes import rows
from tasks.changes.alerts import alerts
from tasks.changes.monitoring import Monitored, Watched, watch
from tasks.changes.periods import Period
from tasks.cli import app
from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.inference import registry
from tasks.inference.bundle import Bundle, load
from tasks.lake import Lake
from tests.tasks.changes.made import N, change_plan, cohort, evaluation, put, readings, scores
from tests.tasks.evaluation.cohorts import patient

NOW, BEFORE = Period(2025, 2025), Period(2022, 2024)
YEARS = np.where(np.arange(N) % 2 == 0, 2025, 2022 + np.arange(N) % 3)
LIMITS = {"description": "Yearly.", "limits": [{"metric": "auc", "at_least": 0.5}, {"metric": "auc", "margin": 0.3}]}
DRIFT = {"score_psi": 0.25, "score_ks": 0.25, "attribute_psi": 0.25, "standardized_difference": 0.5, "unread": 0.1}


def lake_of(tmp_path: Path, studies: list[dict[str, Any]], given: Any, **more: Any) -> tuple[Lake, Bundle]:
    lake, bundle = Lake.open(tmp_path / "lake"), load("demo_nodule")
    registry.register(lake, bundle)
    put(lake, studies, readings(studies, bundle, given, **more))
    return lake, bundle


def look(lake: Lake, bundle: Bundle, monitoring: dict[str, Any] | None = None, **more: Any) -> Watched:
    plan = change_plan(monitoring=monitoring or LIMITS | {"drift": DRIFT})
    return watch(lake, plan, evaluation(**more), bundle, NOW, BEFORE)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return look(*lake_of(tmp_path_factory.mktemp("steady"), cohort(year=YEARS), scores()))


def alone(studies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each study a patient of its own."""
    return [study | {"PatientID": patient(number)} for number, study in enumerate(studies)]


def test_without_change_there_is_no_alert_and_the_periods_are_those_of_their_years(steady: Watched) -> None:
    found = steady.found
    assert found.alerts == ()
    assert (found.period.studies, found.baseline.studies, found.studies_without_year) == (150, 150, 0)
    assert steady.results.overall().studies == steady.baseline.overall().studies == 150
    assert 0 < (found.patients_in_both or 0) < 150
    assert {(each.attribute, each.level) for each in found.differences} == {("", ""), ("sex", "F"), ("sex", "M"), ("sex", "O")}
    labels, given = np.array([study["label"] for study in cohort()]), scores()
    recent = YEARS == 2025
    (auc,) = [each for each in found.differences if (each.attribute, each.metric) == ("", "auc")]
    assert auc.now == pytest.approx(roc_auc_score(labels[recent], given[recent]))
    assert auc.before == pytest.approx(roc_auc_score(labels[~recent], given[~recent]))
    assert auc.difference.estimate == pytest.approx(auc.now - auc.before)
    assert "correlation" in auc.difference.method


def test_of_different_patients_the_intervals_are_newcombes_of_statsmodels(tmp_path: Path) -> None:
    found = look(*lake_of(tmp_path, alone(cohort(year=YEARS)), scores())).found
    labels, called = np.array([study["label"] for study in cohort()]) == 1, scores() >= 0.2164
    recent = YEARS == 2025
    assert found.patients_in_both == 0
    for metric, among, hits in (("sensitivity", labels, called), ("specificity", ~labels, ~called)):
        sides = [(int((hits & among & side).sum()), int((among & side).sum())) for side in (recent, ~recent)]
        lower, upper = confint_proportions_2indep(*sides[0], *sides[1], method="newcomb", compare="diff")
        (row,) = [each for each in found.differences if (each.attribute, each.metric) == ("", metric)]
        assert (row.difference.lower, row.difference.upper) == pytest.approx((lower, upper), rel=1e-9)
        assert row.difference.method == "square-and-add of the two intervals"


def test_patients_of_both_periods_count_as_leaving_them_out_does(tmp_path: Path) -> None:
    """Patients with a level of their own and studies in both periods: the interval is narrower than of different ones, by the right amount."""
    rng = np.random.default_rng(11)
    n, people = N, N // 3
    owner = np.tile(np.arange(people), 3)
    own = rng.normal(size=people)[owner]
    label = np.tile(rng.random(people) < 0.5, 3)
    given = 1 / (1 + np.exp(-(1.2 * label + 1.5 * own + 0.5 * rng.normal(size=n))))
    years = np.where(np.arange(n) < people, 2025, 2023)
    studies = [
        study | {"PatientID": patient(int(owner[place])), "label": int(label[place])} for place, study in enumerate(cohort(year=years))
    ]  # fmt: skip
    found = look(*lake_of(tmp_path, studies, given), threshold=0.7).found
    recent = years == 2025

    def jackknife(metric: Callable[[Any], float]) -> float:
        left = np.array([metric(owner != who) for who in range(people)])
        return float(np.sqrt((people - 1) / people * np.sum((left - left.mean()) ** 2)))

    def auc(kept: Any) -> float:
        return float(np.subtract(*(roc_auc_score(label[kept & side], given[kept & side]) for side in (recent, ~recent))))

    def sensitivity(kept: Any) -> float:
        return float(np.subtract(*((given >= 0.7)[kept & side & label].mean() for side in (recent, ~recent))))

    for name, metric in (("auc", auc), ("sensitivity", sensitivity)):
        (row,) = [each for each in found.differences if (each.attribute, each.metric) == ("", name)]
        width = (row.difference.upper - row.difference.lower) / 2 / 1.959963984540054
        assert width == pytest.approx(jackknife(metric), rel=0.12), name
    assert found.patients_in_both == people


def test_a_drop_of_performance_is_an_alert_and_nothing_else(tmp_path: Path) -> None:
    studies = cohort(year=YEARS)
    turned, labels = scores(), np.array([study["label"] for study in studies])
    recent = np.flatnonzero(YEARS == 2025)
    turned[recent[np.argsort(-labels[recent], kind="stable")]] = np.sort(turned[recent])  # the same scores, of the wrong studies
    found = look(*lake_of(tmp_path, studies, turned)).found
    assert [(each.about, each.metric) for each in found.alerts] == [("performance", "auc"), ("since_baseline", "auc")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("scores", {("score PSI", ""), ("score KS distance", "")}),
        ("unread", {("share not read", "")}),
        ("sex", {("PSI", "all levels"), ("standardized difference", "F"), ("standardized difference", "M")}),
        ("input", {("standardized difference of input_mean", "")}),
    ],
)
def test_each_drift_is_an_alert_by_its_name(tmp_path: Path, change: str, expected: set[tuple[str, str]]) -> None:
    studies, given, recent = cohort(year=YEARS), scores(), YEARS == 2025
    means = 0.2 + 0.01 * np.random.default_rng(2).normal(size=N)
    if change == "scores":
        given = np.where(recent, given**3, given)  # the order, and so the AUC, stays
    if change == "unread":
        given = np.where(recent & (np.arange(N) % 10 == 0), np.nan, given)
    if change == "sex":
        studies = [study | ({"sex": "F"} if recent[i] and i % 6 else {}) for i, study in enumerate(studies)]
    lake, bundle = lake_of(tmp_path, studies, given)
    read = readings(studies, bundle, given)
    for place, row in enumerate(read):
        row["input_mean"] = float(means[place] + (0.05 if change == "input" and recent[place] else 0.0))
    put(lake, studies, read)
    found = look(lake, bundle).found
    assert {(each.metric, each.level) for each in found.alerts if each.about == "drift"} == expected
    assert [each for each in found.alerts if each.about != "drift"] == []


def test_a_period_without_a_reference_standard_still_tells_drift(tmp_path: Path) -> None:
    studies = cohort(year=YEARS)
    lake, bundle = lake_of(tmp_path, studies, scores())
    put(lake, studies, readings(studies, bundle, scores()), labelled=[study for study in studies if study["study_year"] != 2025])
    found = look(lake, bundle).found
    assert found.period.studies == 150
    assert found.scores.psi is not None
    assert [each.reason for each in found.alerts] == ["not estimable: no cases", "not estimable: no cases"]


def test_small_groups_are_hidden(tmp_path: Path) -> None:
    studies = [study | ({"sex": "O"} if place in {0, 1} else {}) for place, study in enumerate(cohort(year=YEARS))]
    found = look(*lake_of(tmp_path, studies, scores()), complementary_suppression=True).found
    (sex,) = found.attributes
    hidden = {level.level for level in sex.levels if level.now is None}
    assert "O" in hidden
    assert len(hidden) == 2  # or the total would give the small one back
    few = look(*lake_of(tmp_path / "few", cohort(year=YEARS), scores()), minimum_cases=200).found
    assert few.period.suppressed
    assert (few.period.studies, few.scores.psi, few.scores.bins) == (0, None, ())
    assert all(each.psi is None for each in few.attributes)
    assert few.alerts
    assert all(each.reason.startswith("not estimable") for each in few.alerts)
    shown = json.loads(look(*lake_of(tmp_path / "bins", cohort(year=YEARS), scores()), minimum_cases=12).found.to_json())
    bins = shown["scores"]["bins"]
    assert any(each["now"] is None for each in bins)
    assert any(each["now"] is not None for each in bins)


def test_studies_without_a_year_are_counted_and_periods_must_be_there(tmp_path: Path) -> None:
    years = np.where(np.arange(N) < 40, None, YEARS)
    lake, bundle = lake_of(tmp_path, cohort(year=years), scores())
    found = look(lake, bundle).found
    assert found.studies_without_year == 40
    assert found.period.studies + found.baseline.studies == N - 40
    plan = change_plan(monitoring=LIMITS)
    for period, baseline in ((Period(2030, 2030), BEFORE), (NOW, Period(1990, 1991)), (Period(2024, 2025), BEFORE)):
        with pytest.raises(ConfigurationError, match="E-CHANGE-PERIOD"):
            watch(lake, plan, evaluation(), bundle, period, baseline)
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-PLAN.*no monitoring"):
        watch(lake, change_plan(), evaluation(), bundle, NOW, BEFORE)
    for said in ("2025-2024", "25", "", "2024-01"):
        with pytest.raises(ConfigurationError, match="E-CHANGE-PERIOD"):
            Period.parse(said)
    assert (str(Period.parse("2022-2024")), str(Period.parse("2025"))) == ("2022-2024", "2025")


def test_the_same_lake_gives_the_same_bytes_and_the_tables_are_whole(steady: Watched, tmp_path: Path) -> None:
    again = look(*lake_of(tmp_path, cohort(year=YEARS), scores())).found
    assert again.to_json() == steady.found.to_json()
    assert Monitored.model_validate_json(again.to_json()) == again
    for header, lines in rows.monitoring(again).values():
        assert lines
        assert {len(line) for line in lines} == {len(header)}


def test_the_command_publishes_alerts_and_status_reads_them(tmp_path: Path) -> None:
    lake, _ = lake_of(tmp_path, cohort(year=YEARS), np.where(YEARS == 2025, scores() ** 3, scores()))
    said = change_plan(monitoring=LIMITS | {"drift": DRIFT}).model_dump(mode="json")
    said["modification_protocol"]["data_management"]["evaluation"] = "evaluation.yaml"
    (tmp_path / "plan.yaml").write_text(json.dumps(said))
    (tmp_path / "evaluation.yaml").write_text(json.dumps(evaluation().model_dump(mode="json")))
    arguments = ["monitor", str(tmp_path / "plan.yaml"), "--lake", lake.url, "--period", "2025", "--baseline", "2022-2024"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 1, ended.output
    assert "monitor: demo_nodule@1.0.1 in 2025 against 2022-2024 · 150 and 150 studies, 0 without a year" in ended.output
    assert "ALERT score PSI: above the limit" in ended.output
    folder = "monitoring/demo_nodule/1.0.1/2025_2022-2024_test"
    assert lake.files("monitoring") == [f"{folder}/{name}.json" for name in ("baseline", "monitoring", "results")]
    Results.model_validate_json(lake.read(f"{folder}/results.json"))
    assert list(alerts(lake)) == [f"monitoring: 2 alerts in {folder}/monitoring.json"]
    assert CliRunner().invoke(app, [*arguments, "--model", "deepbet@1.0.0"]).exit_code == 2
