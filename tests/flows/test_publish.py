"""The flow `publish` links to the page of all reports, says why nothing was published, and tells Prefect counts and a path only."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest

from tasks.evaluation import results as schema
from tasks.evaluation.results import Results
from tests.nights import ROOT, MakeWard, Ward
from tests.tasks.report.made import bare, tampered

RUN = "import sys; from flows.publish import publish; publish(sys.argv[1])"


def publish(site: Ward, results: Results) -> str:
    """One run of the flow in a process of its own; what it said."""
    (site.lake / "results").mkdir(parents=True, exist_ok=True)
    schema.write(results, site.lake / "results" / "results.json")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(site.config)], env=site.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def ask(site: Ward, path: str, **asked: Any) -> list[dict[str, Any]]:
    return httpx.post(f"{site.environment['PREFECT_API_URL']}/{path}/filter", json=asked, timeout=20).json()


def latest(site: Ward) -> dict[str, Any]:
    runs = ask(site, "flow_runs", sort="EXPECTED_START_TIME_DESC")
    return next(run for run in runs if run["parameters"].get("config") == str(site.config))


@pytest.mark.slow
def test_prefect_shows_a_link_to_all_reports_and_the_reason_where_none_was_published(ward: MakeWard, tmp_path: Any) -> None:
    site = ward("publishing", over=tmp_path)
    publish(site, bare())
    run = latest(site)
    assert run["state_type"] == "COMPLETED"
    (artifact,) = ask(site, "artifacts", flow_runs={"id": {"any_": [run["id"]]}})
    page = site.lake / "reports" / "archive" / "index.html"
    assert page.is_file()
    assert artifact["key"] == "reports"
    assert page.as_uri() in artifact["data"]
    assert artifact["description"] == "1 in all, one new, 0 damaged."
    before = {path: path.read_bytes() for path in (site.lake / "reports").rglob("*") if path.is_file()}

    said = publish(site, tampered(sensitivity=0.5))
    run = latest(site)
    assert run["state_type"] == "FAILED"
    assert "E-REPORT-MISMATCH" in run["state"]["message"], "what an automation can tell people"
    assert "E-REPORT-MISMATCH" in said
    assert {path: path.read_bytes() for path in (site.lake / "reports").rglob("*") if path.is_file()} == before
