"""kill -9 at random moments: started again, the night ends with the same lake, byte for byte, and nothing is done twice."""

import json
import random
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.nights import Calm, MakeWard, Ward

KILLS, SEED = 5, 20261124


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_that_is_killed_again_and_again_ends_as_if_it_had_not_been(ward: MakeWard, calm: Calm) -> None:
    rough = ward("rough")
    moments = random.Random(SEED)
    killed = began = 0
    while killed < KILLS:
        process = rough.begin()
        began += 1
        _await_run(rough, began)
        time.sleep(moments.uniform(0, 0.4 * calm.seconds))
        if process.poll() is None:
            rough.kill(process)
            killed += _was_open(rough)
        assert began < 4 * KILLS, "the night is too short to be killed: make the hospital larger"
    assert rough.night() == 0, rough.log.read_text()

    assert rough.tree() == calm.site.tree()
    assert rough.archived() == calm.site.archived()
    assert [path for path in rough.folder.rglob("*") if _is_temporary(path)] == []
    ledger = rough.ledger()
    rows = ledger.results()
    assert {row.status for row in rows.values()} == {"done"}
    assert {row.attempts for row in rows.values()} == {0}, "a kill of the night is no attempt of a study"
    done = Counter(
        (event["study_key"], event["stage"])
        for key in ledger.studies()
        for event in ledger.events(key)
        if event["event"] == "done"
    )
    assert set(done.values()) == {1}, "finished work was done again"
    runs = ledger.runs()
    assert sum(run.state == "crashed" for run in runs) == killed
    ledger.close()
    assert _states(rough, [run.flow_run for run in runs if run.state == "crashed"]) == {"CRASHED": killed}


@pytest.mark.slow
def test_two_nights_at_once_share_the_work_and_do_not_harm_each_other(ward: MakeWard, calm: Calm) -> None:
    shared = ward("shared")
    nights = [shared.begin(), shared.begin()]
    assert [night.wait(300) for night in nights] == [0, 0], shared.log.read_text()
    assert shared.tree() == calm.site.tree()
    assert shared.archived() == calm.site.archived()
    ledger = shared.ledger()
    done = Counter((event["study_key"], event["stage"]) for key in ledger.studies() for event in ledger.events(key))
    assert set(done.values()) == {1}
    ledger.close()


@pytest.mark.slow
def test_a_second_night_does_nothing_new(calm_again: Ward) -> None:
    site = calm_again
    before, ledger = site.tree(), site.ledger()
    rows = ledger.results()
    stamps = {path: path.stat().st_mtime_ns for path in site.lake.rglob("*") if path.is_file()}
    assert site.night() == 0
    assert site.tree() == before
    assert ledger.results() == rows
    assert {path: path.stat().st_mtime_ns for path in site.lake.rglob("*") if path.is_file()} == stamps
    ledger.close()


def _was_open(site: Ward) -> bool:
    """Whether the newest run was killed before it had ended: a process that is only saying goodbye is none."""
    ledger = site.ledger()
    newest = ledger.runs()[0]
    ledger.close()
    return newest.state == "running"


def _is_temporary(path: Path) -> bool:
    """Hidden files and half-written folders; the ledger's locks stay for the next night."""
    hidden = path.name.startswith(".") and not path.name.endswith(".lock")
    return hidden or ".incoming-" in path.name or ".outgoing-" in path.name


def _states(site: Ward, flow_runs: list[str]) -> Counter[str]:
    """What Prefect says of flow runs."""
    found = (urllib.request.urlopen(f"{site.environment['PREFECT_API_URL']}/flow_runs/{run}", timeout=30) for run in flow_runs)
    return Counter(json.load(answer)["state_type"] for answer in found)


def _await_run(site: Ward, number: int) -> None:
    """Wait until the night's run is in the ledger: from then on there is something to be interrupted."""
    deadline = time.monotonic() + 120
    path = site.vault / "ledger.db"
    while time.monotonic() < deadline:
        if path.exists():
            engine = sa.create_engine(f"sqlite:///{path}")
            try:
                with engine.connect() as connection:
                    if int(connection.exec_driver_sql("SELECT count(*) FROM runs WHERE kind = 'night'").scalar() or 0) >= number:
                        return
            except sa.exc.OperationalError:
                pass  # the tables are being made
            finally:
                engine.dispose()
        time.sleep(0.05)
    raise AssertionError("the night never began: " + site.log.read_text())
