"""What the documentation says is true: links lead somewhere, generated pages are of today, commands exist, examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from data_contracts.document import pages
from tasks.cli import app
from tasks.night_picture import LEGEND, picture
from tasks.reason_page import page as reason_page
from tasks.stage import NIGHT

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]
README = PAGES[0].read_text("utf-8")
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text("utf-8")):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor


def test_every_page_is_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", README))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_generated_pages_are_of_today() -> None:
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "tables").glob("*.md")}
    assert written == pages(), "run `make docs`"
    assert (ROOT / "docs" / "reasons.md").read_text("utf-8") == reason_page(), "run `make docs`"


def test_the_picture_of_the_night_is_drawn_from_the_stages_of_the_code() -> None:
    assert (ROOT / "docs" / "images" / "night.svg").read_text("utf-8") == picture(), "run `make docs`"
    assert set(LEGEND) == set(NIGHT)
    assert "docs/images/night.svg" in README


def test_the_layout_table_is_the_layout() -> None:
    said = re.findall(r"^\| `([\w/]+)/` \|", README, re.MULTILINE)
    assert all((ROOT / folder).is_dir() for folder in said)
    stages = {f"tasks/{path.parent.name}" for path in (ROOT / "tasks").glob("*/__init__.py")}
    assert stages <= set(said)
    top = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and (path / "__init__.py").exists()
    }
    assert top <= {folder.split("/")[0] for folder in said}


def test_the_readmes_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets | {"no"}


def test_the_table_of_commands_is_complete() -> None:
    group = typer.main.get_command(app)
    known = {f"{name} {inner}" for name, each in group.commands.items() for inner in getattr(each, "commands", {})}  # type: ignore[attr-defined]
    known |= {name for name, each in group.commands.items() if not hasattr(each, "commands")}  # type: ignore[attr-defined]
    table = re.findall(r"^\| (.+?) \| ", COMMAND_LINE, re.MULTILINE)
    said = {words for cell in table for words in re.findall(r"`(?:safelight )?((?:(?:pacs|models) )?[a-z]+)", cell)}
    assert said == known | {"status", "reconcile", "retry"}


COMMANDS = {name: each for name, each in typer.main.get_command(app).commands.items() if not hasattr(each, "commands")}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"]).output
    assert "Example" in said
    assert f"safelight {name}" in said
    assert COMMANDS[name].help.split("\n\n")[0].split()[0] in said
