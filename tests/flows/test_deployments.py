"""The deployments are real: deployed with Prefect's own command, run by a worker, seen to complete on its page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.nights import ROOT, Ward

DEPLOYMENTS = {
    "nightly/overnight-screening": "0 21 * * *", "pull/on-demand": None, "evaluate/weekly": "0 7 * * 1", "reconcile/hourly": "15 * * * *",
}  # fmt: skip


def prefect_command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(environment: dict[str, str], path: str, body: dict[str, Any] | None = None) -> Any:
    """One request to Prefect's API."""
    request = urllib.request.Request(
        environment["PREFECT_API_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def deployed(prefect: dict[str, str]) -> dict[str, str]:
    """A server to which everything in prefect.yaml has been deployed, as docs/prefect.md says."""
    prefect_command(prefect, "work-pool", "create", "safelight", "--type", "process")
    prefect_command(prefect, "deploy", "--all")
    return prefect


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "safelight", "--type", "process"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=stream, stderr=stream, start_new_session=True)
    try:
        yield
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the worker to end; Prefect's sometimes goes on polling after one SIGTERM, so one that has not ended is killed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_every_deployment_has_its_schedule_its_zone_and_one_run_at_a_time(deployed: dict[str, str]) -> None:
    found = {}
    for deployment in ask(deployed, "/deployments/filter", {}):
        flow = ask(deployed, f"/flows/{deployment['flow_id']}")
        found[f"{flow['name']}/{deployment['name']}"] = deployment
    assert set(found) == set(DEPLOYMENTS)
    for name, cron in DEPLOYMENTS.items():
        assert found[name]["work_pool_name"] == "safelight"
        assert found[name]["global_concurrency_limit"]["limit"] == 1
        schedules = [entry["schedule"] for entry in found[name]["schedules"] if entry["active"]]
        assert [schedule["cron"] for schedule in schedules] == ([cron] if cron else [])
        assert all(schedule["timezone"] == "Europe/Berlin" for schedule in schedules)
    assert found["nightly/overnight-screening"]["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def test_analytics_are_off_in_the_server_that_runs(prefect: dict[str, str]) -> None:
    assert ask(prefect, "/admin/settings")["server"]["analytics_enabled"] is False
    assert prefect["DO_NOT_TRACK"] == "1"


def test_the_server_would_send_analytics_if_it_were_not_told_otherwise(prefect: dict[str, str]) -> None:
    """The guard is needed: without our environment the setting is on."""
    plain = {name: value for name, value in prefect.items() if name not in {"PREFECT_SERVER_ANALYTICS_ENABLED", "DO_NOT_TRACK"}}
    code = "from prefect.settings import get_current_settings; print(get_current_settings().server.analytics_enabled)"
    said = [
        subprocess.run([sys.executable, "-c", code], env=each, capture_output=True, text=True, check=True).stdout.strip()
        for each in (plain, prefect)
    ]
    assert said == ["True", "False"]


@pytest.mark.slow
def test_a_night_that_a_worker_runs_completes_and_shows_its_table_and_report(
    deployed: dict[str, str], ward: Callable[..., Ward], tmp_path: Path
) -> None:
    site = ward("site", workers=1)
    with worker(deployed, tmp_path / "worker.log"):
        said = prefect_command(
            deployed, "deployment", "run", "nightly/overnight-screening", "--param", f"config={site.config}", "--watch", "--watch-timeout", "450",
        )  # fmt: skip
        (run,) = [
            found
            for found in ask(deployed, "/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
            if found["parameters"].get("config") == str(site.config) and found["parent_task_run_id"] is None
        ]
        deadline = time.monotonic() + 240
        while run["state_type"] not in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} and time.monotonic() < deadline:
            time.sleep(1)
            run = ask(deployed, f"/flow_runs/{run['id']}")
    assert run["state_type"] == "COMPLETED", said + (tmp_path / "worker.log").read_text()
    assert (site.lake / "reports" / "report.pdf").stat().st_size > 10_000

    artifacts = {
        found["key"]: found
        for found in ask(deployed, "/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}, "limit": 50})
    }
    rows = json.loads(artifacts["night"]["data"])
    ends = {(row["stage"], row["outcome"]): (row["studies"], row["instances"]) for row in rows}
    ledger = site.ledger()
    studies = len(ledger.studies())
    assert (
        ends["find", "found"] == ends["pull", "pulled"] == (studies, sum(row.passed for row in ledger.results("pull").values()))
    )
    assert ends["evaluate:demo", "analysed"][0] == studies
    assert "report.html" in artifacts["report"]["data"]

    pulls, rewrites = ledger.results("pull").values(), ledger.results("deidentify").values()
    assert min(row.started_at for row in rewrites) < max(row.finished_at or 0 for row in pulls), (
        "no study was de-identified before all were pulled"
    )
    ledger.close()
