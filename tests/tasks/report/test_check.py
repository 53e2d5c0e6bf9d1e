"""A number that does not follow from the published counts is never published."""

from pathlib import Path

import pytest

from tasks.errors import SafelightError
from tasks.evaluation import results as schema
from tasks.lake import Lake
from tasks.report.check import check
from tasks.report.stage import publish_report
from tests.tasks.report.made import awkward, realistic, tampered


@pytest.mark.parametrize("measure", ["sensitivity", "specificity", "ppv", "npv"])
def test_a_rate_that_was_changed_by_hand_is_found(measure: str) -> None:
    with pytest.raises(SafelightError, match=rf"E-REPORT-MISMATCH.*{measure}"):
        check(tampered(**{measure: 0.9808}))


def test_an_estimate_outside_its_interval_is_found() -> None:
    with pytest.raises(SafelightError, match=r"E-REPORT-MISMATCH.*auc"):
        check(tampered(auc=0.01))


def test_counts_that_do_not_add_up_are_found() -> None:
    made = realistic()
    overall = made.overall()
    wrong = overall.model_copy(update={"counts": overall.counts.model_copy(update={"tp": overall.counts.tp + 1})})
    with pytest.raises(SafelightError, match="positives"):
        check(made.model_copy(update={"performance": (wrong, *made.performance[1:])}))


def test_honest_results_pass() -> None:
    check(realistic())
    check(awkward())


def test_publishing_happens_once_for_each_state_of_the_results(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    assert publish_report(lake) is None
    (tmp_path / "results").mkdir()
    schema.write(realistic(), tmp_path / "results" / "results.json")
    first = publish_report(lake)
    assert first is not None
    assert sorted(first.files) == ["reports/report.docx", "reports/report.html", "reports/report.pdf"]
    assert publish_report(lake) is None
    schema.write(tampered(sensitivity=0.5), tmp_path / "results" / "results.json")
    before = lake.read("reports/report.html")
    with pytest.raises(SafelightError, match="E-REPORT-MISMATCH"):
        publish_report(lake)
    assert lake.read("reports/report.html") == before
