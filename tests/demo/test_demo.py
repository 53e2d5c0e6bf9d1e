"""The demo as a user runs it, small: a night over a made-up hospital, and a second one that has nothing to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.demo import prepare
from tests.privacy.scanner import Scanner


def demo(out: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("safelight")
    return subprocess.run(
        [str(program), "demo", "--out", str(out), "--patients", "8"], capture_output=True, text=True, timeout=400, check=False,
        env=os.environ | {"COLUMNS": "140"},
    )  # fmt: skip


@pytest.mark.slow
def test_the_demo_runs_a_night_and_a_second_one_does_nothing_new(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    first = demo(out)
    assert first.returncode == 0, first.stdout + first.stderr
    table = first.stdout
    for word in ("found", "pulled", "released", "quarantined", "converted", "read", "analysed", "E-DEID-SOP-CLASS"):
        assert word in table
    assert "The counts balance, to the instance." in table
    assert "Nothing was due" not in table
    for stage in ("pull", "deidentify", "volumes", "infer", "import", "evaluate", "publish"):
        assert f"{stage} " in table
    for name in ("report.html", "report.pdf", "report.docx"):
        assert (out / "lake" / "reports" / name).is_file()
    results = json.loads((out / "lake" / "results" / "results.json").read_text("utf-8"))
    assert results["synthetic"] is True
    assert results["performance"][0]["studies"] == 9
    identifiers = [entry["value"] for entry in json.loads((out / "hospital" / "identifiers.json").read_text("utf-8"))]
    assert Scanner(identifiers).hits(table) == set()

    stamps = {path: path.stat().st_mtime_ns for path in (out / "lake").rglob("*") if path.is_file()}
    second = demo(out)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Nothing was due" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in (out / "lake").rglob("*") if path.is_file()} == stamps


def test_a_port_in_use_is_replaced_in_the_demos_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.demo._is_busy", lambda port: port == 11112)
    monkeypatch.setattr("tasks.demo.make_cohort", lambda *_, **__: None)
    text = prepare(tmp_path / "demo", patients=4, seed=1).read_text("utf-8")
    assert "11112" not in text
    assert "11113" in text
