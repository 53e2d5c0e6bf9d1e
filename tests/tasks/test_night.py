"""What a person sees of a night: progress of every stage, the table at its end, and a night that broke told from one that ended."""

from __future__ import annotations

import io
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tasks import night
from tasks.errors import SafelightError
from tasks.ledger import Ledger, Study
from tasks.night import DONE, NOT_ENDED, SOME_FAILED, run_flow
from tasks.stage import COHORT_STAGES, STUDY_STAGES, Outcome
from tasks.status import overview


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    made.register([Study(f"2.25.{n}", "SL-ABCDEFGHIJKL", "A", f"1.2.{n}", "MRN", "", "", {"1.2.3": 1}, "d") for n in (1, 2, 3)])
    return made


def as_if_the_flow(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program in the place of the flow's process."""
    program = tmp_path / "flow"
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(night.sys, "executable", str(program))


@pytest.mark.parametrize(("code", "well"), [(DONE, True), (SOME_FAILED, False)])
def test_a_night_that_ended_says_whether_all_went_well(
    code: int, well: bool, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_the_flow(f"exit {code}", tmp_path, monkeypatch)
    assert run_flow(tmp_path / "c.yaml", {}, ledger, tmp_path / "flow.log") is well


@pytest.mark.parametrize("code", [f"exit {NOT_ENDED}", "exit 1", "kill -9 $$"])
def test_a_night_that_broke_is_an_error_with_its_log(
    code: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_the_flow(code, tmp_path, monkeypatch)
    with pytest.raises(SafelightError, match=r"E-RUN-CHILD.*flow\.log"):
        run_flow(tmp_path / "c.yaml", {}, ledger, tmp_path / "flow.log")


def test_ctrl_c_stops_the_flow_and_says_how_to_go_on(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_the_flow(f"echo $$ > {tmp_path / 'pid'}; exec sleep 600", tmp_path, monkeypatch)

    def interrupted(*_: object) -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(night, "_watch", interrupted)
    with pytest.raises(SafelightError, match=r"E-RUN-STOPPED.*goes on where it was"):
        run_flow(tmp_path / "c.yaml", {}, ledger, tmp_path / "flow.log")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_every_stage_of_the_night_is_in_the_live_picture(ledger: Ledger) -> None:
    with ledger.run("night") as run:
        ledger.claim("pull", "2.25.1", "f", run)
        ledger.finish("pull", "2.25.1", run, Outcome("done", passed=1))
        ledger.claim("pull", "2.25.2", "f", run)
        ledger.finish("pull", "2.25.2", run, Outcome("failed", reason_code="E-PULL-INCOMPLETE"))
        with ledger.turn("import"):
            seen = drawn(ledger)
        after = drawn(ledger)
    assert [line.split()[0] for line in seen] == [*STUDY_STAGES, *COHORT_STAGES]
    assert "2/3 studies" in seen[0]
    assert "1 failed" in seen[0]
    place = len(STUDY_STAGES) + COHORT_STAGES.index("import")
    assert "in work" in seen[place]
    assert "done in 0.0 s" in after[place]


def test_progress_of_an_earlier_night_is_not_shown(ledger: Ledger) -> None:
    with ledger.turn("import"):
        pass
    assert ledger.turns()["import"].event == "done"
    assert ledger.turns(since=ledger.turns()["import"].at + 1) == {}


def test_a_turn_that_fails_is_noted_as_failed(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="odd"), ledger.turn("evaluate"):
        raise ValueError("odd")
    assert ledger.turns()["evaluate"].event == "failed"


def drawn(ledger: Ledger) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(night._picture(ledger, 0.0))
    return [line for line in console.file.getvalue().splitlines() if line.strip()]  # type: ignore[attr-defined]


def test_what_hands_nothing_on_is_not_waited_for(ledger: Ledger) -> None:
    with ledger.run("night") as run:
        for number, passed in ((1, 5), (2, 0), (3, 2)):
            ledger.claim("pull", f"2.25.{number}", "f", run)
            ledger.finish("pull", f"2.25.{number}", run, Outcome("done", passed=passed))
    pull, deidentify, *_ = overview(ledger)
    assert (pull.done, pull.total) == (3, 3)
    assert (deidentify.waiting, deidentify.ended) == (2, 1)
