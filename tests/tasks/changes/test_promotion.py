"""A name means another version only with a passing verdict on just these two; the way back is always open; everything is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tasks.changes.assessment import assess
from tasks.cli import app
from tasks.errors import ConfigurationError
from tasks.evaluation.results import Results
from tasks.evaluation.stage import evaluate_lake
from tasks.guard import ErrorLog
from tasks.inference import registry
from tasks.inference.bundle import Bundle, load
from tasks.inference.command import read_lake
from tasks.inference.execution import REFERENCE
from tasks.lake import Lake
from tasks.pools import InlinePool
from tests.tasks.changes.made import change_plan, evaluation, two_versions, version
from tests.tasks.inference.made import bundle

OLD, NEW = "1.0.1", "1.1.0"
NAME = "demo_nodule"
World = tuple[Lake, Bundle, Bundle]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return two_versions(tmp_path)


def decide(world: World, **changes: Any) -> None:
    lake, old, new = world
    assess(lake, change_plan(**changes), evaluation(), old, new).keep(lake)


def failing() -> dict[str, Any]:
    return {"modification_protocol__data_management__minimum_patients": 10_000}


def meant(lake: Lake) -> tuple[str, list[tuple[str, str]]]:
    return registry.find(lake, NAME).manifest.version, [(each.version, each.by) for each in registry.promotions(lake, NAME)]


def refused(lake: Lake, said: str, number: str = NEW) -> None:
    before = {path: lake.read(path) for path in lake.files("")}
    with pytest.raises(ConfigurationError, match=said):
        registry.promote(lake, NAME, number)
    assert {path: lake.read(path) for path in lake.files("")} == before


def test_a_passing_verdict_promotes_and_the_way_back_needs_none(world: World) -> None:
    lake = world[0]
    refused(lake, "E-CHANGE-VERDICT.*there is none")
    decide(world)
    assert registry.promote(lake, NAME, NEW).plan_sha256 == change_plan().sha256
    assert meant(lake) == (NEW, [(OLD, "first"), (NEW, "verdict")])
    assert registry.promote(lake, NAME, NEW).by == "verdict"  # again is nothing new
    registry.promote(lake, NAME, OLD)
    assert meant(lake) == (OLD, [(OLD, "first"), (NEW, "verdict"), (OLD, "rollback")])
    registry.promote(lake, NAME, NEW)
    assert meant(lake)[1][-1] == (NEW, "rollback")


def test_a_failed_verdict_promotes_nothing_and_the_last_one_counts(world: World) -> None:
    decide(world, **failing())
    refused(world[0], "E-CHANGE-VERDICT.*the last one failed in patients, patients compared")
    decide(world)
    decide(world, **failing())
    refused(world[0], "E-CHANGE-VERDICT.*the last one failed")
    decide(world)
    assert registry.promote(world[0], NAME, NEW).by == "verdict"


def test_a_verdict_against_another_version_than_the_running_one_is_none(world: World, tmp_path: Path) -> None:
    decide(world)
    lake = world[0]
    third = version(tmp_path / "third", "1.0.2", **{"training.seed": 9})
    registry.register(lake, third)
    with lake.publication("models", NAME, "1.0.2") as publication:  # as if it had been promoted meanwhile
        publication.write(f"models/{NAME}/current.json", b'{"version": "1.0.2"}')
        publication.commit()
    refused(lake, r"E-CHANGE-VERDICT.*there is one against demo_nodule@1.0.1")


@pytest.mark.parametrize("side", ["running", "candidate"])
@pytest.mark.parametrize("name", ["weights_sha256", "manifest_sha256"])
def test_a_verdict_on_other_content_is_none(world: World, side: str, name: str) -> None:
    """The verdict itself is as it was kept, but of versions with another content under the same number."""
    lake, old, new = world
    made = assess(lake, change_plan(), evaluation(), old, new)
    said = made.verdict.model_copy(update={side: getattr(made.verdict, side).model_copy(update={name: "0d" * 32})})
    replace(made, verdict=said).keep(lake)
    refused(lake, "E-CHANGE-VERDICT")


def test_a_verdict_that_was_changed_in_the_lake_stops_the_promotion_and_not_the_way_back(world: World) -> None:
    lake = world[0]
    decide(world, **failing())
    (path,) = [path for path in lake.files(f"models/{NAME}/{NEW}/changes") if path.endswith("verdict.json")]
    file = Path(lake.url) / path
    file.write_text(file.read_text().replace('"verdict": "fail"', '"verdict": "pass"'))
    refused(lake, "E-CHANGE-TAMPERED")
    file.unlink()
    refused(lake, "E-CHANGE-TAMPERED")
    with lake.publication("changes", f"{NAME}@{NEW}_0001_{change_plan(**failing()).sha256[:12]}", "") as publication:
        said = json.loads(assess(lake, change_plan(**failing()), evaluation(), *world[1:]).verdict.to_json())
        publication.write(path, json.dumps(said | {"verdict": "pass"}).encode())  # even where the manifest agrees with the lie
        publication.commit()
    refused(lake, "E-CHANGE-TAMPERED")
    assert registry.promote(lake, NAME, OLD).by == "first"


def test_a_candidate_whose_weights_were_changed_after_its_verdict_is_refused(world: World) -> None:
    lake = world[0]
    decide(world)
    weights = Path(lake.url) / f"models/{NAME}/{NEW}/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    refused(lake, "E-INFER-VERSION")


def test_the_way_back_is_open_where_the_running_version_is_damaged(world: World) -> None:
    lake = world[0]
    decide(world)
    registry.promote(lake, NAME, NEW)
    weights = Path(lake.url) / f"models/{NAME}/{NEW}/weights.safetensors"
    weights.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="E-INFER-WEIGHTS"):
        registry.find(lake, NAME)
    registry.promote(lake, NAME, OLD)
    assert meant(lake)[0] == OLD


def test_promotions_that_were_edited_by_hand_are_noticed(world: World) -> None:
    path = Path(world[0].url) / f"models/{NAME}/promotions.json"
    path.write_text(path.read_text().replace(OLD, NEW))
    refused(world[0], "E-CHANGE-TAMPERED")


def test_a_lake_of_before_promotions_were_noted_keeps_what_its_name_means(world: World) -> None:
    lake = world[0]
    with lake.publication("models", NAME, OLD) as publication:
        publication.write(f"models/{NAME}/current.json", json.dumps({"version": OLD}).encode())
        publication.commit()
    assert not lake.exists(f"models/{NAME}/promotions.json")
    refused(lake, "E-CHANGE-VERDICT")
    decide(world)
    registry.promote(lake, NAME, NEW)
    registry.promote(lake, NAME, OLD)
    assert meant(lake) == (OLD, [(OLD, "first"), (NEW, "verdict"), (OLD, "rollback")])


def test_what_is_shipped_is_not_replaced_without_a_verdict_either(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    registry.register(lake, version(tmp_path / "new", NEW))
    with pytest.raises(ConfigurationError, match=r"E-CHANGE-VERDICT.*against demo_nodule@1.0.1"):
        registry.promote(lake, NAME, NEW)
    assert registry.promote(lake, NAME, OLD).by == "first"


def test_the_first_version_of_a_name_needs_no_verdict(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    registry.register(lake, load(bundle(tmp_path / "tiny")))
    assert registry.promote(lake, "tiny", "1.0.0").by == "first"


def test_a_name_goes_on_to_mean_what_read_first_whatever_is_shipped_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.open(tmp_path / "lake")
    read_lake(lake, NAME, REFERENCE, InlinePool(), ErrorLog(tmp_path / "errors.jsonl"))
    assert meant(lake) == (OLD, [(OLD, "first")])
    newer = version(tmp_path / "newer", "1.2.0")
    real = load
    monkeypatch.setattr("tasks.inference.bundle.load", lambda model: newer if model == NAME else real(model))
    assert registry.find(lake, NAME).manifest.version == OLD
    read_lake(lake, f"{NAME}@1.2.0", REFERENCE, InlinePool(), ErrorLog(tmp_path / "errors.jsonl"))
    assert meant(lake) == (OLD, [(OLD, "first")])  # a version that is named moves nothing


def test_the_commands_refuse_and_go_back(world: World, tmp_path: Path) -> None:
    lake = world[0]

    def run(*arguments: str) -> tuple[int, str]:
        ended = CliRunner().invoke(app, [*arguments, "--lake", lake.url])
        return ended.exit_code, ended.output

    (tmp_path / "evaluation.yaml").write_text(json.dumps(evaluation().model_dump(mode="json")))
    (tmp_path / "plan.yaml").write_text(json.dumps(_pointed(change_plan().model_dump(mode="json"))))
    (tmp_path / "strict.yaml").write_text(json.dumps(_pointed(change_plan(**failing()).model_dump(mode="json"))))
    code, said = run("models", "promote", f"{NAME}@{NEW}")
    assert (code, "E-CHANGE-VERDICT" in said) == (2, True)
    code, said = run("models", "add", f"{tmp_path}/candidate", "--promote")
    assert (code, "E-CHANGE-VERDICT" in said) == (2, True)
    code, said = run("pccp", str(tmp_path / "strict.yaml"), "--candidate", f"{NAME}@{NEW}")
    assert code == 1
    assert f"pccp: {NAME}@{NEW} against {NAME}@{OLD}: fail · 0 changes, 0 not permitted · 5 limits, 2 failed" in said
    code, said = run("pccp", str(tmp_path / "plan.yaml"), "--candidate", f"{NAME}@{NEW}", "--running", f"{NAME}@{OLD}")
    assert code == 0, said
    assert "2 verdicts by 2 plans; 1 earlier ones failed" in said
    assert run("models", "promote", f"{NAME}@{NEW}") == (0, f"{NAME} means {NEW} (it has a passing verdict)\n")
    assert run("models", "promote", f"{NAME}@{OLD}") == (0, f"{NAME} means {OLD} (it goes back to a version of before)\n")
    code, said = run("models", "history", NAME)
    assert [word for word in said.split() if word in {"first", "verdict", "rollback"}] == ["first", "verdict", "rollback"]


def _pointed(plan: dict[str, Any]) -> dict[str, Any]:
    plan["modification_protocol"]["data_management"]["evaluation"] = "evaluation.yaml"
    return plan


def test_the_nights_evaluation_takes_the_version_that_the_name_means(tmp_path: Path) -> None:
    """Its operating point, and its readings alone."""
    world = two_versions(tmp_path, **{"findings.0.operating_points.0.threshold": 0.3})
    lake = world[0]

    def measured() -> tuple[str, float]:
        evaluate_lake(lake, evaluation())
        results = Results.model_validate_json(lake.read("results/results.json"))
        return results.provenance.model_version, results.threshold

    assert measured() == (OLD, 0.2164)
    decide(world)
    registry.promote(lake, NAME, NEW)
    assert measured() == (NEW, 0.3)
    registry.promote(lake, NAME, OLD)
    assert measured() == (OLD, 0.2164)
