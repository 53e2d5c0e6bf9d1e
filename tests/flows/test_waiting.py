"""A night that must wait says so where people look: in Prefect's state of the flow run, and in `safelight status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tasks.cli import app
from tasks.ledger import Study
from tasks.night import SOME_FAILED
from tests.nights import Ward, free_port


def states(ward: Ward) -> list[tuple[str, str]]:
    """Name and message of the present states of a site's nights, as Prefect has them: other tests' nights are on the same server."""
    import httpx

    url = ward.environment["PREFECT_API_URL"]
    runs = httpx.post(
        f"{url}/flow_runs/filter", json={"flows": {"name": {"any_": ["nightly"]}}, "sort": "EXPECTED_START_TIME_DESC"}, timeout=20
    ).json()
    own = [run for run in runs if run["parameters"].get("config") == str(ward.config)]
    return [(run["state"]["name"], run["state"]["message"] or "") for run in own]


def wait_for(what: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.slow
def test_a_paused_night_waits_says_why_and_goes_on_when_it_may(ward: Callable[..., Ward], clinic: Path) -> None:
    mine = ward("paused", over=clinic, workers=1)
    runner = CliRunner()
    assert runner.invoke(app, ["pacs", "pause", "--config", str(mine.config)]).exit_code == 0
    night = mine.begin()
    try:
        wait_for(lambda: any(name == "Waiting" and "E-PULL-PAUSED" in message for name, message in states(mine)))
        said = runner.invoke(app, ["status", "--config", str(mine.config)]).output
        assert "SYNTHPACS waits: E-PULL-PAUSED" in said
        with closing(mine.ledger()) as ledger:
            assert ledger.results("pull") == {}
        assert runner.invoke(app, ["pacs", "resume", "--config", str(mine.config)]).exit_code == 0
        assert night.wait(300) == 0
    finally:
        if night.poll() is None:
            mine.kill(night)
    with closing(mine.ledger()) as ledger:
        assert {row.status for row in ledger.results("pull").values()} == {"done"}
    assert not any(name == "Waiting" for name, _ in states(mine))


@pytest.mark.slow
def test_a_pacs_that_is_away_leaves_the_night_incomplete_and_the_others_work_done(
    ward: Callable[..., Ward], clinic: Path
) -> None:
    mine = ward("one-away", over=clinic, workers=1)
    content = yaml.safe_load(mine.config.read_text("utf-8"))
    away = {
        **content["pacs"],
        "name": "AWAY",
        "port": free_port(),
        "acse_timeout_s": 2,
        "manners": {"give_up_s": 0, "backoff_s": 0.1},
    }
    content["pacs"] = [content["pacs"], away]
    mine.config.write_text(yaml.safe_dump(content), "utf-8")
    key = "2.25.1"
    with closing(mine.ledger()) as ledger:  # found there while it was up
        ledger.register([Study(key, "SL-AAAAAAAAAAAA", "AWAY", "1.2.3", "P", "", "A", {"1.2.3.4": 2}, "found")])
    assert mine.night() == SOME_FAILED
    with closing(mine.ledger()) as ledger:
        rows = ledger.results("pull")
        assert {row.status for row in rows.values()} == {"done"}
        assert (key, "pull") not in rows
    assert (mine.lake / "reports" / "report.html").exists()
    (message,) = (message for name, message in states(mine) if name == "Failed")
    assert "1 doubts" in message
    assert "given_up" in message
