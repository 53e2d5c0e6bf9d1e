"""The page on reports is true: its command runs as it stands there and says what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tasks.evaluation.command import evaluate
from tasks.report.command import report
from tasks.report.document import SECTIONS
from tasks.report.numbers import Numbers
from tasks.report.sections import checklists, left_out
from tasks.report.subject import Subject
from tasks.report.wording import printable
from tests.tasks.report import made

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reports.md").read_text("utf-8")


def run(command: str) -> str:
    app = typer.Typer()
    app.command("evaluate")(evaluate)
    app.command("report")(report)
    program, *arguments = shlex.split(command)
    assert program == "safelight"
    return CliRunner().invoke(app, arguments).output


def block(page: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return found


def test_the_example_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation = (DOCS / "evaluation.md").read_text("utf-8")
    for name, content in re.findall(r"```\w+ file=(\S+)\n(.*?)```", evaluation, re.DOTALL):
        Path(name).write_text(content, "utf-8")
    run(block(evaluation, "sh"))
    assert run(block(PAGE, "sh")) == block(PAGE, "text")
    named = {line.strip() for line in block(PAGE, "text").splitlines()[1:]}
    assert named == {path.as_posix() for path in Path("out/report").iterdir()}
    found = {path.name for path in Path("out/report").rglob("*") if path.is_file()}
    assert set(re.findall(r"^\| `([a-z.-]+)` \|", PAGE, re.MULTILINE)) == {
        name for name in found if not re.match(r"\d|contents", name)
    }


def test_the_page_names_every_section_that_a_report_can_have_in_their_order() -> None:
    named = re.findall(r"^\d+\. \*\*(.+?)\*\*", PAGE, re.MULTILINE)
    results = printable(made.full())
    known = [fill(Subject(results, Numbers(results))).title for fill in SECTIONS.values()]
    assert named == [*known[:-2], left_out.section([]).title, checklists.TITLE, *known[-2:]]
