"""The page on evaluation is true: its files, its command and its Python run as they stand there."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from data_contracts import cohort, reference
from tasks import evaluation
from tasks.evaluation.command import evaluate as command
from tasks.evaluation.plan import Plan, load_plan

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "evaluation.md").read_text("utf-8")
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
    app.command("evaluate")(command)
    program, name, *arguments = shlex.split(only("sh"))
    assert (program, name) == ("safelight", "evaluate")
    ended = CliRunner().invoke(app, arguments)
    assert ended.output == only("text")
    assert ended.exit_code == 1
    assert Path("out/results.json").is_file()


def test_the_python_of_the_page_runs():
    exec(compile(only("python"), "docs/evaluation.md", "exec"), {})


def test_the_session_of_the_methods_page_prints_what_stands_there():
    page = (DOCS / "evaluation-methods.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.DOTALL)
    assert len(blocks) > 5
    session: dict[str, object] = {}
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "docs/evaluation-methods.md", "exec"), session)
        assert out.getvalue() == printed


def test_every_name_of_the_package_is_a_documented_function_or_class():
    for name in evaluation.__all__:
        assert getattr(evaluation, name).__doc__, name
    with pytest.raises(AttributeError, match="nothing_such"):
        evaluation.nothing_such  # noqa: B018


def test_the_plans_fields_are_all_in_the_page():
    table = PAGE.partition("## The plan")[2].partition("## ")[0]
    assert all(f"`{field}`" in table for field in Plan.model_fields)


@pytest.mark.parametrize("name", ["triage", "detection"])
def test_the_example_plans_are_valid_and_name_their_goals(name):
    plan = load_plan(name)
    assert plan.goals
    assert plan.endpoint
    assert plan.minimum_cases >= 11


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
