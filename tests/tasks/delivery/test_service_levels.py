"""Whether results came in time: each state, at its boundary, and that no time is in the lake."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.delivery.service_levels import late
from tasks.delivery.stage import late_lines
from tasks.stage import Outcome
from tests.tasks.delivery.made import EVENING, World, finding, manifest

QUARTER = finding("embolism", level={"minutes": 15})


def rows(world: World) -> list[dict[str, Any]]:
    assert world.lake.root is not None
    found = []
    for path in sorted((world.lake.root / "tables" / "service_levels").glob("*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def states(world: World) -> list[tuple[Any, ...]]:
    world.deliver()
    return [(row["state"], row["reached"], row["minutes"], row["reason_code"]) for row in rows(world)]


@pytest.mark.parametrize(("seconds", "expected"), [
    (60, ("reached", True, 1.0, "")), (900, ("reached", True, 15.0, "")), (901, ("missed", False, 15.0, "")), (7200, ("missed", False, 120.0, "")),
])  # fmt: skip
def test_a_result_in_time_or_late(world: World, seconds: float, expected: tuple[Any, ...]) -> None:
    model = world.model(manifest("vessels", QUARTER))
    key = world.study(1)
    world.at(seconds)
    world.read(key, model, {"embolism": 0.1})
    world.at(999_999)
    assert states(world) == [expected]


@pytest.mark.parametrize(("seconds", "state"), [(0, "pending"), (900, "pending"), (901, "overdue")])
def test_no_result_yet(world: World, seconds: float, state: str) -> None:
    world.model(manifest("vessels", QUARTER))
    world.study(1)
    world.at(seconds)
    assert states(world) == [(state, None, None, "")]


def test_what_failed_is_overdue_with_its_reason_and_what_is_refused_is_no_one_s_fault(world: World) -> None:
    model = world.model(manifest("vessels", QUARTER))
    keys = [world.study(number, volumes=0 if number == 3 else 1) for number in (1, 2, 3)]
    inputs = world.ledger.results("volumes", keys[:1])[keys[0], "volumes"].output
    world.finish("infer:vessels@1.0.0", keys[0], inputs, Outcome("failed", reason_code="E-STAGE-UNEXPECTED"))
    world.read(keys[1], model, {"embolism": None}, reason="E-INFER-KERNEL")
    world.at(5000)
    world.deliver()
    found = {row["StudyInstanceUID"]: (row["state"], row["reason_code"]) for row in rows(world)}
    assert found == {
        keys[0]: ("overdue", "E-STAGE-UNEXPECTED"), keys[1]: ("not_read", "E-INFER-KERNEL"), keys[2]: ("not_read", "E-VOLUME-MISSING-SLICES"),
    }  # fmt: skip


def test_by_an_hour_and_no_time_of_day_in_the_lake(world: World) -> None:
    model = world.model(manifest("chest", finding(level={"by": "07:00"})))
    keys = [world.study(number) for number in (1, 2)]
    world.at(11 * 3600)  # 07:00
    world.read(keys[0], model, {"nodule": 0.1})
    world.at(11 * 3600 + 1)
    world.read(keys[1], model, {"nodule": 0.1})
    made = world.deliver()
    assert {row["StudyInstanceUID"]: row["state"] for row in rows(world)} == {keys[0]: "reached", keys[1]: "missed"}
    assert {(row["target"], row["target_minutes"]) for row in rows(world)} == {("by 07:00", None)}
    assert late_lines(made.levels, EVENING) == ["E-DELIVER-LATE: 1 missed: nodule by chest"]
    said = json.dumps(rows(world))
    assert not [part for part in ("2026", str(int(EVENING))[:6], "T07") if part in said]


def test_each_finding_has_its_own_level_and_one_without_has_no_row(world: World) -> None:
    model = world.model(manifest("both", finding(), QUARTER))
    key = world.study(1)
    world.at(1000)
    world.read(key, model, {"nodule": 0.1, "embolism": 0.2})
    made = world.deliver()
    assert [(row["finding"], row["state"]) for row in rows(world)] == [("embolism", "missed")]
    assert late(made.levels, EVENING + 1001, 0.0) == {}  # an earlier night has told of it
    assert late(made.levels, EVENING + 1000, 0.0) == {("both", "embolism", "missed"): 1}


def test_what_is_still_missing_is_told_every_night_until_it_is_too_old(world: World) -> None:
    world.model(manifest("vessels", QUARTER))
    world.study(1)
    world.at(7200)
    made = world.deliver(keep_hours=3)
    night = EVENING + 7000
    assert late(made.levels, night, made.since) == {
        ("vessels", "embolism", "overdue"): 1
    }  # its deadline was before this night began
    world.at(4 * 3600)
    made = world.deliver(keep_hours=3)
    assert late(made.levels, night, made.since) == {}


def test_a_second_version_does_not_make_late_what_the_first_read_in_time(world: World) -> None:
    model = world.model(manifest("vessels", QUARTER))
    key = world.study(1)
    world.at(300)
    world.read(key, model, {"embolism": 0.1})
    world.model(manifest("vessels", QUARTER, version="1.1.0"))
    world.at(10**6)
    assert states(world) == [("reached", True, 5.0, "")]  # not read by the new version yet
    world.read(key, model, {"embolism": 0.2})
    assert states(world) == [("reached", True, 5.0, "")]
    assert [row["model_version"] for row in rows(world)] == ["1.1.0"]


def test_a_version_that_refused_a_study_gave_no_result(world: World) -> None:
    model = world.model(manifest("vessels", QUARTER))
    key = world.study(1)
    world.read(key, model, {"embolism": None}, reason="E-INFER-KERNEL")
    world.model(manifest("vessels", QUARTER, version="1.1.0"))
    world.at(1200)
    world.read(key, model, {"embolism": 0.2})
    assert states(world) == [("missed", False, 20.0, "")]


def test_a_reading_that_replaced_a_refusal_is_the_result(world: World) -> None:
    model = world.model(manifest("vessels", QUARTER))
    key = world.study(1)
    world.read(key, model, {"embolism": None}, reason="E-INFER-KERNEL")
    world.at(1200)
    with world.ledger.writing() as connection:  # the same version is let read again, by another variant say
        connection.exec_driver_sql("UPDATE results SET fingerprint = 'older' WHERE stage LIKE 'infer:%'")
    world.read(key, model, {"embolism": 0.2})
    assert states(world) == [("missed", False, 20.0, "")]


def test_what_was_there_before_the_model_is_a_backfill(world: World) -> None:
    old = world.study(1)
    world.at(86_400)
    with world.ledger.run("night") as run:
        new = world.study(2)
        world.run = run
        model = world.model(manifest("vessels", QUARTER))
        for key in (old, new):
            world.read(key, model, {"embolism": 0.1})
        world.deliver()
    assert {row["StudyInstanceUID"]: row["state"] for row in rows(world)} == {old: "backfill", new: "reached"}


def test_a_study_that_is_not_here_yet_has_time(world: World) -> None:
    world.model(manifest("vessels", QUARTER))
    key = world.study(1)
    study = world.ledger.study(key)
    world.ledger.register([type(study)(**{name: getattr(study, name) for name in study.__slots__} | {"found_digest": "grown"})])
    world.at(10**6)
    assert states(world) == [("pending", None, None, "")]


def test_the_table_is_written_once(world: World) -> None:
    model = world.model(manifest("vessels", QUARTER))
    world.read(world.study(1), model, {"embolism": 0.1})
    world.deliver()
    assert world.lake.root is not None
    (path,) = (world.lake.root / "tables" / "service_levels").glob("*.parquet")
    before = path.stat().st_mtime_ns
    world.at(10**6)
    world.deliver()
    assert path.stat().st_mtime_ns == before


def test_the_night_hears_of_it_as_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.delivery import task

    world.model(manifest("vessels", QUARTER))
    world.study(1)
    world.drop("other.pdf", "x")
    world.at(7200)
    site = type("Site", (), {"errors": None, "ledger": world.ledger})
    monkeypatch.setattr(task, "open_site", lambda _config: site)
    monkeypatch.setattr("tasks.delivery.stage.deliver", lambda _site: world.deliver())
    assert task.deliver_results.fn("site.yaml", EVENING) == {"undelivered": 1, "late": 1}
