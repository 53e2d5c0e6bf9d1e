"""A command starts without what the others need, and is then the command itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tasks.cli import app
from tasks.deferred import deferring

HEAVY = {
    "torch",
    "scipy",
    "matplotlib",
    "prefect",
    "pydicom",
    "pyarrow",
    "sqlalchemy",
    "pynetdicom",
    "SimpleITK",
    "onnxruntime",
    "docx",
}


@pytest.mark.parametrize("arguments", [["--help"], ["pacs", "--help"], ["--version"]])
def test_a_list_of_commands_imports_none_of_them(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom tasks.cli import app\n"
        f"done = CliRunner().invoke(app, {arguments!r})\nassert done.exit_code == 0, done.output\n"
        f"sys.exit(' '.join(sorted({HEAVY!r} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_has_its_own_options_errors_and_exit_code() -> None:
    said = CliRunner().invoke(app, ["deidentify", "--help"]).output
    assert "--profile" in said
    missing = CliRunner().invoke(app, ["deidentify"])
    assert missing.exit_code == 2
    assert "SRC" in missing.output
    assert CliRunner().invoke(app, ["pacs", "status", "--config", "nothing.yaml"]).exit_code == 2


def test_a_place_that_is_none_is_found_at_once() -> None:
    with pytest.raises(StopIteration):
        deferring({"x": "tasks.volumes.command:nothing"})(name="x")
    with pytest.raises(ModuleNotFoundError):
        deferring({"x": "tasks.nothing:nothing"})(name="x")
