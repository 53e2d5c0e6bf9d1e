"""The page on change control is true: its commands run as they stand there, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tasks.changes.modifications import KINDS
from tasks.changes.plan import ChangePlan, DataManagement, Drift, Modification, UpdateProcedures
from tasks.cli import app
from tasks.inference import registry
from tasks.inference.bundle import load
from tasks.lake import Lake
from tests.tasks.changes.made import N, cohort, put, readings, scores, version

PAGE = (Path(__file__).parents[3] / "docs" / "change-control.md").read_text("utf-8")


def test_the_commands_of_the_page_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old = load("demo_nodule")
    new = version(
        tmp_path / "candidate", "1.1.0",
        **{"findings.0.operating_points.0.threshold": 0.25, "profile.mean": [0.14, 0.37], "training.seed": 2},
    )  # fmt: skip
    lake = Lake.open("lake")
    registry.register(lake, old)
    registry.promote(lake, "demo_nodule", old.manifest.version)
    studies = cohort(year=np.where(np.arange(N) % 2 == 0, 2025, 2022 + np.arange(N) % 3))
    put(lake, studies, readings(studies, old, scores(noise=0.8)), readings(studies, new, scores()))
    said = ""
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "safelight"
            ended = CliRunner().invoke(app, arguments)
            assert ended.exit_code == 0, ended.output
            said += ended.output
    (printed,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert printed in said
    assert "demo_nodule means 1.1.0 (it has a passing verdict)" in said
    (back,) = re.findall(r"\*\*Back, at any hour:\*\* `safelight (.*?)`", PAGE)
    assert CliRunner().invoke(app, shlex.split(back)).exit_code == 0
    assert registry.find(lake, "demo_nodule").manifest.version == "1.0.1"


def test_every_kind_and_every_field_is_on_the_page() -> None:
    for kind in {kind for _, kind in KINDS}:
        assert f"| `{kind}` |" in PAGE
    for beginning, _ in KINDS:
        assert (
            beginning.replace("*", "NAME").replace(".point", ".point.POINT") in PAGE or f"`{beginning.partition('.')[2]}`" in PAGE
        )
    fields = [
        *ChangePlan.model_fields,
        *Modification.model_fields,
        *DataManagement.model_fields,
        *UpdateProcedures.model_fields,
        *Drift.model_fields,
    ]
    for field in set(fields) - {"modification_protocol"}:
        assert f"`{field}`" in PAGE, field
