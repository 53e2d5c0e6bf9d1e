"""A period's monitoring and a verdict of change control in the report: what they say, that they belong to it, and that tampering is found."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from tasks.changes import rows
from tasks.changes.assessment import Assessment, assess
from tasks.changes.monitoring import Watched
from tasks.errors import SafelightError
from tasks.evaluation.results import canonical
from tasks.report.material import MONITORING, VERDICT, Material, within
from tasks.report.publishing.verify import verify
from tasks.report.render import files
from tests.tasks.changes.made import change_plan, cohort, evaluation, scores, two_versions
from tests.tasks.changes.test_monitoring import LIMITS, YEARS, lake_of, look


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A period with an alert: nothing has an AUC of 0.999."""
    limits = LIMITS | {"limits": [{"metric": "auc", "at_least": 0.999}, {"metric": "auc", "margin": 0.3}]}
    return look(*lake_of(tmp_path_factory.mktemp("watched"), cohort(year=YEARS), scores()), limits)


@pytest.fixture(scope="module")
def assessed(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    lake, running, candidate = two_versions(tmp_path_factory.mktemp("assessed"))
    return assess(lake, change_plan(), evaluation(), running, candidate)


@pytest.fixture(scope="module")
def monitored(watched: Watched) -> dict[str, bytes]:
    return files(watched.results, canonical(watched.results), Material(monitoring=watched.found))


def cells(page: bytes, caption: str) -> list[list[str]]:
    found = next(each for each in html.document_fromstring(page.decode()).iter("figure") if caption in each.text_content())
    return [[cell.text_content() for cell in row] for row in found.iter("tr")][1:]


def test_the_report_of_a_period_says_what_monitoring_found(watched: Watched, monitored: dict[str, bytes]) -> None:
    page = monitored["report.html"]
    for title, (_, lines) in rows.monitoring(watched.found).items():
        assert cells(page, f"{title}.") == [list(line) for line in lines]
    text = html.document_fromstring(page.decode()).get_element_by_id("monitoring-of-the-period").getparent().text_content()
    assert "1 of 2 limits give an alert: auc of all cases" in text
    assert watched.found.plan_sha256 in text
    assert monitored[MONITORING] == watched.found.to_json()


def test_a_verdict_stands_in_the_report_of_the_candidate(assessed: Assessment) -> None:
    made = files(assessed.results, canonical(assessed.results), Material(verdict=assessed.verdict))
    text = html.document_fromstring(made["report.html"].decode()).get_element_by_id("change-control").getparent().text_content()
    assert f"{assessed.verdict.candidate.label} may replace {assessed.verdict.running.label}" in text
    assert cells(made["report.html"], "Limits of the plan.") == [list(line) for line in rows.limits(assessed.verdict.limits)[1]]
    assert within(made) == Material(verdict=assessed.verdict)
    assert all(each.ok for each in verify(made))


def test_it_must_be_about_these_results(watched: Watched, assessed: Assessment) -> None:
    for material, name in ((Material(monitoring=watched.found), MONITORING), (Material(verdict=assessed.verdict), VERDICT)):
        with pytest.raises(SafelightError, match=f"E-REPORT-MATERIAL.*{name}: about another"):
            files(watched.baseline, None, material)


def rewritten(made: dict[str, bytes], changed: dict[str, bytes]) -> dict[str, bytes]:
    """Files changed by somebody who makes the manifest fit, too."""
    there = made | changed
    manifest = made["manifest.json"].decode()
    for name, content in changed.items():
        manifest = manifest.replace(sha256(made[name]).hexdigest(), sha256(content).hexdigest())
        manifest = manifest.replace(f'"size": {len(made[name])}', f'"size": {len(content)}')
    return there | {"manifest.json": manifest.encode()}


def test_as_it_was_made_it_holds(monitored: dict[str, bytes]) -> None:
    assert all(each.ok for each in verify(monitored))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (MONITORING, b'"passed": false', b'"passed": true '),
        (MONITORING, b'"schema_name": "safelight-monitoring-1"', b'"schema_name": "safelight-monitoring-0"'),
        ("report.html", b"limits give an alert", b"limits give no alert"),
    ],
)
def test_tampering_is_found_although_the_hashes_fit(monitored: dict[str, bytes], name: str, before: bytes, after: bytes) -> None:
    assert before in monitored[name]
    held = verify(rewritten(monitored, {name: monitored[name].replace(before, after, 1)}))
    assert [each for each in held if not each.ok]


def test_the_commands_take_them(watched: Watched, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tasks.cli import app

    paths: dict[str, Any] = {"results.json": canonical(watched.results), MONITORING: watched.found.to_json(), VERDICT: b"{}"}
    for name, content in paths.items():
        (tmp_path / name).write_bytes(content)
    results, out = str(tmp_path / "results.json"), str(tmp_path / "out")
    done = CliRunner().invoke(app, ["report", results, "--out", out, "--monitoring", str(tmp_path / MONITORING)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / MONITORING).read_bytes() == paths[MONITORING]
    assert CliRunner().invoke(app, ["verify", out]).exit_code == 0
    refused = CliRunner().invoke(app, ["report", results, "--out", out, "--verdict", str(tmp_path / VERDICT)])
    assert refused.exit_code != 0
    assert "E-REPORT-MATERIAL" in refused.output
    archive = str(tmp_path / "archive")
    published = CliRunner().invoke(app, ["publish", results, "--to", archive, "--monitoring", str(tmp_path / MONITORING)])
    assert published.exit_code == 0, published.output
