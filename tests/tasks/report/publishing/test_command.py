"""`safelight publish` and `safelight verify` do what the page on them says, and say in one sentence why not."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tasks.evaluation import results as schema
from tasks.evaluation.command import evaluate
from tasks.report.command import report
from tasks.report.publishing.command import publish, verify_folder
from tests.tasks.report.made import bare, tampered

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "publishing.md").read_text("utf-8")
SENSITIVITY = bare().overall().sensitivity.estimate
SAID = f"{SENSITIVITY:.3f}"


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command("publish")(publish)
    app.command("verify")(verify_folder)
    app.command("report")(report)
    app.command("evaluate")(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    schema.write(bare(), tmp_path / "results.json")
    return tmp_path / "results.json"


def block(page: str, language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[0]


def test_the_example_of_the_page_runs_and_says_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation = (DOCS / "evaluation.md").read_text("utf-8")
    for name, content in re.findall(r"```\w+ file=(\S+)\n(.*?)```", evaluation, re.DOTALL):
        Path(name).write_text(content, "utf-8")
    run(*shlex.split(block(evaluation, "sh"))[1:])
    first, second, third = block(PAGE, "sh").splitlines()
    said = run(*shlex.split(first)[1:]).output + run(*shlex.split(second)[1:]).output
    (found,) = Path("reports").glob("*/*/*")
    plan, year, name = found.relative_to("reports").parts
    expected = block(PAGE, "text").replace("PLAN", plan).replace("YEAR", year).replace("0001-DIGEST", name)
    assert said == expected.replace("N files", f"{sum(path.is_file() for path in found.rglob('*'))} files")
    verified = run(*shlex.split(third)[1:])
    assert verified.exit_code == 0, verified.output
    assert verified.output.endswith("ok, 0 bad\n")
    assert "ok   index.html: says what 1 reports say" in verified.output


def test_a_report_in_a_folder_is_verified(source: Path, tmp_path: Path) -> None:
    assert run("report", source, "--out", tmp_path / "report").exit_code == 0
    ended = run("verify", tmp_path / "report")
    assert ended.exit_code == 0
    assert all(line.startswith("ok ") for line in ended.output.splitlines()[:-1])
    face = tmp_path / "report" / "report.html"
    face.write_bytes(face.read_bytes().replace(SAID.encode(), b"0.001", 1))
    ended = run("verify", tmp_path / "report")
    assert ended.exit_code == 1
    assert re.search(rf"BAD  report\.html: E-REPORT-FACE: .*0\.001.* instead of .*{re.escape(SAID)}", ended.output)
    assert "E-REPORT-UNPROVEN" in ended.output


def test_an_archive_of_which_anything_was_changed_is_found(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    run("publish", source, "--to", archive)
    for name, number in (("index.html", SAID), ("index.json", str(SENSITIVITY))):
        kept = (archive / name).read_bytes()
        assert number.encode() in kept
        (archive / name).write_bytes(kept.replace(number.encode(), b"0.001", 1))
        ended = run("verify", archive)
        assert ended.exit_code == 1
        assert re.search(rf"BAD  {re.escape(name)}: E-REPORT-INDEX: .*0\.001.* instead of .*{re.escape(number)}", ended.output), (
            ended.output
        )
        (archive / name).write_bytes(kept)
    (place,) = archive.glob("*/*/*")
    place.rename(place.with_name("0001-0123456789abcdef"))
    ended = run("verify", archive)
    assert "its folder is called after another manifest" in ended.output
    assert ended.exit_code == 1


@pytest.mark.parametrize("there", [False, True])
def test_what_is_no_report_cannot_be_verified(there: bool, tmp_path: Path) -> None:
    if there:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "report.html").write_bytes(b"")
    ended = run("verify", tmp_path / "folder")
    assert ended.exit_code == 2
    assert "E-REPORT-FOLDER" in ended.output


def test_results_that_contradict_themselves_are_not_published(tmp_path: Path) -> None:
    schema.write(tampered(ppv=0.9808), tmp_path / "results.json")
    ended = run("publish", tmp_path / "results.json", "--to", tmp_path / "archive")
    assert ended.exit_code == 1
    assert "E-REPORT-MISMATCH" in ended.output
    assert not (tmp_path / "archive").exists()


def test_a_lakes_results_are_published(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lake" / "results").mkdir(parents=True)
    shutil.copy(source, tmp_path / "lake" / "results" / "results.json")
    ended = run("publish", "--lake", tmp_path / "lake", "--to", tmp_path / "archive")
    assert ended.exit_code == 0
    assert (tmp_path / "archive" / "index.html").is_file()


def test_which_results_must_be_said_once(source: Path, tmp_path: Path) -> None:
    for more in ((), (source, "--lake", tmp_path)):
        ended = run("publish", *more, "--to", tmp_path / "archive")
        assert (ended.exit_code, "E-REPORT-SOURCE" in ended.output) == (2, True)
    for more in (("--lake", tmp_path / "nowhere"), (tmp_path / "nothing.json",)):
        ended = run("publish", *more, "--to", tmp_path / "archive")
        assert (ended.exit_code, "E-REPORT-INPUT" in ended.output) == (2, True)
    ended = run("publish", source, "--to", source / "archive")
    assert (ended.exit_code, "E-REPORT-DESTINATION" in ended.output) == (2, True)


def test_a_damaged_report_in_the_archive_is_said_by_whoever_publishes_next(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    run("publish", source, "--to", archive)
    (found,) = archive.glob("*/*/*/results.json")
    found.write_bytes(found.read_bytes().replace(str(SENSITIVITY).encode(), b"0.001"))
    schema.write(bare().model_copy(update={"title": "Another"}), source)
    ended = run("publish", source, "--to", archive)
    assert ended.exit_code == 1
    assert "publish: report 2 published" in ended.output
    assert re.search(r"BAD  .*/0001-[0-9a-f]{16}: E-REPORT-DAMAGED", ended.output)
