"""`safelight pacs pause|resume|drain|status` as a person runs them: orders reach the ledger, and it is told why work waits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks import night
from tasks.cli import app
from tasks.ledger import Ledger
from tasks.pacs.book import Book
from tasks.pacs.waiting import waiting


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A site with two PACSs, at which nobody listens."""
    path = tmp_path / "site.yaml"
    pacs = [
        {"host": "127.0.0.1", "port": 1, "ae_title": "A", "name": "ARCHIVE", "manners": {"studies_per_hour": 5}},
        {"host": "127.0.0.1", "port": 2, "ae_title": "B"},
    ]
    path.write_text(yaml.safe_dump({"site": "s", "vault": "vault", "lake": "lake", "timezone": "Asia/Tokyo", "pacs": pacs}))
    return str(path)


@pytest.fixture
def book(config: str, tmp_path: Path) -> Book:
    run("status", config)
    return Book(Ledger(f"sqlite:///{tmp_path / 'vault' / 'ledger.db'}"))


def run(command: str, config: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["pacs", command, "--config", config, *more], env={"COLUMNS": "200"})


def test_an_order_is_for_all_pacss_or_for_the_one_that_is_named(config: str, book: Book) -> None:
    assert run("pause", config).exit_code == 0
    assert {source: condition.order for source, condition in book.conditions().items()} == {"ARCHIVE": "pause", "B": "pause"}
    assert run("drain", config, "--pacs", "B").exit_code == 0
    assert run("resume", config, "--pacs", "ARCHIVE").exit_code == 0
    assert {source: condition.order for source, condition in book.conditions().items()} == {"ARCHIVE": "run", "B": "drain"}


def test_resuming_takes_the_reason_away_too(config: str, book: Book) -> None:
    book.note("B", order="pause", reason_code="E-PULL-PAUSED")
    run("resume", config)
    assert (book.condition("B").order, book.condition("B").reason_code) == ("run", "")


def test_a_pacs_that_is_not_configured_is_exit_code_2_with_the_names_that_are(config: str) -> None:
    done = run("pause", config, "--pacs", "ELSEWHERE")
    assert done.exit_code == 2
    assert "E-PULL-NO-PACS" in done.output
    assert "ARCHIVE, B" in done.output


def test_the_status_shows_order_reason_hour_failures_and_rate(config: str, book: Book) -> None:
    until = book.now() + 600
    for n in range(3):
        book.end(book.begin(f"k{n}", "ARCHIVE"), instances=1, bytes=50_000_000, seconds=10.0)
    book.note("ARCHIVE", reason_code="E-PULL-RATE", until=until, failures=2)
    book.note("B", order="drain")
    said = run("status", config).output
    archive, other = (line for line in said.splitlines() if line.startswith(("│ ARCHIVE", "│ B")))
    assert [cell.strip() for cell in archive.split("│")[1:-1]][:3] == ["ARCHIVE", "run", "E-PULL-RATE"]
    assert [cell.strip() for cell in archive.split("│")[1:-1]][4:] == ["3 of 5", "2", "5.0"]
    assert [cell.strip() for cell in other.split("│")[1:-1]] == ["B", "drain", "", "", "0", "0", ""]
    assert "JST: E-PULL-RATE, as many studies as are allowed in an hour have been begun" in said
    assert "B is drained" in said


def test_the_general_status_and_the_picture_of_the_night_say_why_work_waits(config: str, book: Book) -> None:
    book.note("B", order="pause")
    line = "B waits: E-PULL-PAUSED, the retrieval from this PACS is paused by order"
    said = CliRunner().invoke(app, ["status", "--config", config], env={"COLUMNS": "200"}).output
    assert line in said
    assert line in [str(each) for each in night._picture(book._ledger, 0.0).renderables]


def test_a_reason_whose_end_is_past_is_not_told(config: str, book: Book) -> None:
    book.note("B", reason_code="E-PULL-HOURS", until=book.now() - 1)
    assert waiting(book._ledger) == []


@pytest.mark.parametrize("command", ["pause", "resume", "drain", "status"])
def test_each_command_shows_an_example(command: str) -> None:
    done = CliRunner().invoke(app, ["pacs", command, "--help"], env={"COLUMNS": "200"})
    assert f"Example: safelight pacs {command}" in done.output


def test_looking_at_a_site_that_was_never_pulled_shows_its_pacss_at_rest(config: str) -> None:
    said = run("status", config)
    assert said.exit_code == 0
    assert "ARCHIVE" in said.output
    assert "0 of 5" in said.output
