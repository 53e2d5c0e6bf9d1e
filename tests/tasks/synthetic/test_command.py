"""`safelight synthesize` on plain folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tasks.synthetic.command import synthesize

app = typer.Typer()
app.command("synthesize")(synthesize)
app.command("other")(lambda: None)


def test_the_example_of_the_help_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert synthesize.__doc__
    example = synthesize.__doc__.split("`safelight ")[1].split("`")[0].split()
    done = CliRunner().invoke(app, example)
    assert done.exit_code == 0, done.output
    assert "4 patients" in done.output
    assert "SYNTHETIC" in done.output
    for name in ("dicom", "reference.csv", "demographics.csv", "identifiers.json"):
        assert (tmp_path / "hospital" / name).exists()


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "real.dcm").write_bytes(b"somebody's")
    done = CliRunner().invoke(app, ["synthesize", str(tmp_path)])
    assert done.exit_code == 2
    assert (tmp_path / "dicom" / "real.dcm").read_bytes() == b"somebody's"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = CliRunner().invoke(app, ["synthesize", str(tmp_path / "file" / "below")])
    assert done.exit_code == 2
