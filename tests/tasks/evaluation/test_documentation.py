"""The page on evaluation is true: its files, its command and its Python run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from data_contracts import cohort, reference
from tasks.evaluation.command import evaluate
from tasks.evaluation.plan import load_plan

PAGE = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)(?: file=(\S+))?\n(.*?)```", PAGE, re.DOTALL)


def only(language: str) -> str:
    (block,) = [content for name, _, content in BLOCKS if name == language]
    return block


def test_the_example_of_the_command_prints_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _, name, content in BLOCKS:
        if name:
            Path(name).write_text(content, "utf-8")
    app = typer.Typer()
    app.command()(evaluate)
    program, command, *arguments = shlex.split(only("sh"))
    assert (program, command) == ("safelight", "evaluate")
    ended = CliRunner().invoke(app, arguments)
    assert ended.output == only("text")
    assert ended.exit_code == 1
    assert Path("out/results.json").is_file()


def test_the_python_of_the_page_runs():
    exec(compile(only("python"), "docs/evaluation.md", "exec"), {})


@pytest.mark.parametrize("contract", [cohort.CONTRACT, reference.CONTRACT], ids=lambda contract: contract.name)
def test_the_demo_plan_speaks_the_words_of_the_lakes_tables(contract):
    plan = load_plan("demo")
    allowed = {column.name: column for column in contract.columns}
    for group in plan.subgroups:
        column = allowed.get(group.attribute)
        if column is not None and column.allowed is not None:
            assert set(group.levels) <= set(column.allowed)
    if contract.name == "reference":
        assert re.fullmatch(allowed["finding"].pattern or "", plan.finding)
