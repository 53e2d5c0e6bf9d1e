"""Counts balance from stage to stage, to the instance, or the night says where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_contracts.accountability import CONTRACT
from tasks import accountability
from tasks.accountability import Line
from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.pacs.book import Book
from tasks.stage import Count, Outcome

STUDY, PATIENT = "2.25.1", "SL-ABCDEFGHIJKL"


def row(stage: str, outcome: str, n: int, reason: str = "", unit: str = "instance", study: str = STUDY) -> dict[str, Any]:
    return {
        "StudyInstanceUID": study, "PatientID": PATIENT, "stage": stage, "outcome": outcome, "reason_code": reason, "unit": unit, "n": n,
    }  # fmt: skip


BALANCED = [
    row("find", "found", 10), row("pull", "pulled", 9), row("pull", "failed", 1, "E-PULL-INCOMPLETE"), row("deidentify", "released", 7),
    row("deidentify", "quarantined", 2, "E-DEID-SOP-CLASS"), row("volumes", "converted", 6), row("volumes", "quarantined", 1, "E-VOLUME-TILT"),
    row("infer:m@1", "read", 1, unit="study"),
]  # fmt: skip


def test_a_balanced_study_passes() -> None:
    accountability.check(BALANCED)


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_an_instance_that_is_lost_between_two_stages_is_named(lost: int) -> None:
    rows = [dict(each) for each in BALANCED]
    rows[lost]["n"] -= 1
    with pytest.raises(SafelightError, match=f"E-BALANCE.*study {STUDY}"):
        accountability.check(rows)


def test_an_instance_that_is_made_up_is_named() -> None:
    with pytest.raises(SafelightError, match="volumes accounts for 8"):
        accountability.check([*BALANCED, row("volumes", "quarantined", 1, "E-VOLUME-BITS")])


def test_a_study_that_has_grown_since_it_was_found_is_no_loss() -> None:
    accountability.check([row("find", "found", 10), row("pull", "pulled", 12)])


def test_a_study_under_way_is_not_held_against_what_it_has_not_reached() -> None:
    accountability.check([row("find", "found", 10), row("pull", "waiting", 1, unit="study")])
    accountability.check([row("find", "found", 10), row("pull", "failed", 1, "E-STAGE-UNEXPECTED", "study")])


@pytest.mark.parametrize("stage", ["deidentify", "volumes"])
def test_a_study_that_failed_in_a_stage_is_a_failure_and_no_imbalance(stage: str) -> None:
    done = [each for each in BALANCED[:5] if each["stage"] != stage]
    accountability.check([*done, row(stage, "failed", 1, "E-STAGE-UNEXPECTED", "study")])


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two studies: one converted and read, one whose pull failed in part."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    for number, key in enumerate(("2.25.1", "2.25.2"), start=1):
        made.register([Study(key, PATIENT, "ARCHIVE", f"1.2.{number}", "MRN", "", f"A{number}", {"1.2.3": 4}, "digest")])
    ends = {
        ("2.25.1", "pull"): (Count("pulled", "", "instance", 4),), ("2.25.1", "deidentify"): (Count("released", "", "instance", 4),),
        ("2.25.1", "volumes"): (Count("converted", "", "instance", 4),), ("2.25.1", "infer:m@1"): (Count("read", "", "study", 1),),
        ("2.25.2", "pull"): (Count("pulled", "", "instance", 3), Count("failed", "E-PULL-INCOMPLETE", "instance", 1)),
    }  # fmt: skip
    with made.run("test") as run:
        for (key, stage), tally in ends.items():
            assert made.claim(stage, key, "f", run, inputs="digest" if stage == "pull" else "")
            failed = any(count.outcome == "failed" for count in tally)
            made.finish(stage, key, run, Outcome("failed" if failed else "done", passed=1, tally=tally))
    return made


def test_the_nights_table_counts_studies_and_instances(ledger: Ledger, tmp_path: Path) -> None:
    assert accountability.lines(ledger, Lake.open(tmp_path / "lake")) == [
        Line("find", "found", "", 2, 8), Line("pull", "failed", "E-PULL-INCOMPLETE", 1, 1), Line("pull", "pulled", "", 2, 7),
        Line("deidentify", "released", "", 1, 4), Line("volumes", "converted", "", 1, 4), Line("infer:m@1", "read", "", 1, None),
    ]  # fmt: skip


def test_what_the_last_plan_could_not_plan_is_in_the_nights_table(ledger: Ledger, tmp_path: Path) -> None:
    Book(ledger).planned("ARCHIVE", "cohort", 1.0, {"E-PULL-STUDY-DATE": 3})
    Book(ledger).planned("SECOND", "cohort", 1.0, {"E-PULL-STUDY-DATE": 1, "E-PULL-FIND-CUT": 2})
    shown = accountability.lines(ledger, Lake.open(tmp_path / "lake"))
    assert shown[0] == Line("find", "found", "", 2, 8)
    assert shown[1:3] == [
        Line("find", "refused", "E-PULL-FIND-CUT", 2, None), Line("find", "refused", "E-PULL-STUDY-DATE", 4, None),
    ]  # fmt: skip
    Book(ledger).planned("SECOND", "cohort", 2.0, {})
    assert accountability.lines(ledger, Lake.open(tmp_path / "lake"))[1] == Line("find", "refused", "E-PULL-STUDY-DATE", 3, None)


def test_the_lakes_table_is_written_once_for_each_state(ledger: Ledger, tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    first = accountability.publish(ledger, lake)
    assert lake.table(CONTRACT).num_rows == 8
    stamp = [(lake.root / path).stat().st_mtime_ns for path in lake.files("")]  # type: ignore[operator]
    assert accountability.publish(ledger, lake) == first
    assert [(lake.root / path).stat().st_mtime_ns for path in lake.files("")] == stamp  # type: ignore[operator]


def test_totals_are_in_the_order_of_the_night() -> None:
    stages = [stage for stage, *_ in accountability.totals(reversed(BALANCED))]
    assert stages == ["find", "pull", "pull", "deidentify", "deidentify", "volumes", "volumes", "infer"]


def test_a_study_that_was_found_anew_since_it_was_pulled_waits(ledger: Ledger) -> None:
    ledger.register([Study("2.25.1", PATIENT, "ARCHIVE", "1.2.1", "MRN", "", "A1", {"1.2.3": 9}, "another digest")])
    made = accountability.rows(ledger)
    accountability.check(made)
    assert ("pull", "waiting") in {(each["stage"], each["outcome"]) for each in made if each["StudyInstanceUID"] == "2.25.1"}
