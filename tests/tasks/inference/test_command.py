"""`safelight infer` works on a plain lake, says what it did in one line, and does nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from data_contracts.predictions import CONTRACT
from tasks.inference.command import infer
from tasks.lake import Lake
from tests.tasks.inference.made import bundle, publish, volume


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tasks.inference.command.seal", lambda _errors: None)  # it is for a process of its own
    return Lake.open(tmp_path / "lake")


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(infer)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_study_with_a_volume_is_read_or_has_a_reason_and_the_second_run_does_nothing(tmp_path: Path, lake: Lake) -> None:
    for study in range(3):
        publish(lake, study, volume(study))
    publish(lake, 3, volume(9, Modality="MR"))
    publish(lake, 4, volume(9, quarantined=True))
    model = bundle(tmp_path / "tiny")
    ended = run("--lake", lake.url, "--model", model)
    assert ended.output == "infer:tiny@1.0.0: studies 4 done · not_read 1 study (E-INFER-MODALITY), read 3 study\n"
    assert ended.exit_code == 0
    assert lake.table(CONTRACT).num_rows == 4
    ended = run("--lake", lake.url, "--model", model, "--workers", 1)
    assert ended.output == "infer:tiny@1.0.0: studies 4 unchanged\n"


def test_a_study_that_fails_is_named_and_the_exit_code_is_1(tmp_path: Path, lake: Lake) -> None:
    key = publish(lake, 1, volume(1))
    (Path(lake.url) / f"tables/volumes/{key}.parquet").write_bytes(b"")
    ended = run("--lake", lake.url, "--model", bundle(tmp_path / "tiny"), "--workers", 1)
    assert ended.exit_code == 1
    assert f"failed {key}: E-INFER-STALE" in ended.output


@pytest.mark.parametrize("model", ["no_such_model", "./tampered", "./unfit"])
def test_a_model_that_cannot_be_used_stops_it_before_any_work(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    publish(lake, 1, volume(1))
    bundle(tmp_path / "tampered", weights={"sha256": "0" * 64})
    bundle(
        tmp_path / "unfit",
        weights={"architecture": {"network": "tasks.inference.networks:NoduleNet", "arguments": {"channels": 5}}},
    )
    ended = run("--lake", lake.url, "--model", model)
    assert ended.exit_code == 2
    assert ended.output.startswith("E-INFER-")
    assert ended.output.count("\n") == 1
    assert not lake.files("manifests/infer")
