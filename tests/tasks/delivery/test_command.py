"""The commands, on a configured site: exit codes, counts, and what a person is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tasks import doctor
from tasks.cli import app
from tasks.delivery.stage import outlook
from tasks.site import open_site
from tests.tasks.delivery.made import World, finding, manifest, obr, oru


@pytest.fixture
def config(world: World) -> Path:
    """The site's configuration: a second reader with a service level, of which one study was read at once, the other not."""
    model = world.model(manifest("chest", finding(level={"minutes": 15})))
    keys = [world.study(number, accession=f"PLANTED-{number}") for number in (1, 2)]
    world.read(keys[0], model, {"nodule": 0.7})
    path = world.folder / "site.yaml"
    said = {
        "site": "test", "vault": "vault", "lake": "lake", "inference": {"model": "chest"}, "executor": {"kind": "inline"},
        "delivery": {"models": {"chest": {"mode": "second_reader"}}, "keep_hours": 10**7},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(said), "utf-8")
    return path


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert "PLANTED" not in done.output
    return done.exit_code, " ".join(done.output.split())


def test_deliver(world: World, config: Path) -> None:
    code, said = run("deliver", "--config", str(config))
    assert code == 0
    assert "chest@1.0.0 (second_reader): 1 held, 1 waiting" in said
    for name, content in (("final.hl7", oru(obr("PLANTED-1", "F"))), ("broken-PLANTED.hl7", "PLANTED")):
        os.utime(world.drop(name, content), (1, 1))  # nobody is writing them any more
    code, said = run("deliver", "--config", str(config))
    assert code == 1
    assert "1 files taken, 1 statements new, 1 set aside (E-DELIVER-HL7)" in said
    assert "chest@1.0.0 (second_reader): 1 shown, 1 waiting" in said
    assert "Look here" in said
    code, said = run("deliver", "--config", str(config))
    assert (code, "deliver: 0 files written or removed" in said) == (0, True)


def test_delivery_shows_what_is_late(config: Path) -> None:
    code, said = run("delivery", "--config", str(config))  # the clock of the command is today's: months later
    assert code == 1
    assert "chest │ nodule │ 15 min │ 1 │ 0 │ 0 │ 1 │ 0 │ 0" in said
    assert "overdue nodule by chest: study 2.25." in said


def test_status_names_it_too(config: Path) -> None:
    code, said = run("status", "--config", str(config))
    assert code == 0  # nothing failed
    assert "E-DELIVER-LATE: 1 overdue: nodule by chest" in said


def test_the_doctor_says_what_is_shown(config: Path) -> None:
    assert outlook(open_site(str(config))) == "chest@1.0.0 as second_reader"
    assert dict(doctor._more(open_site(str(config))))["delivery"]() == "chest@1.0.0 as second_reader"


def test_a_model_that_is_not_there_could_not_start(config: Path) -> None:
    config.write_text(config.read_text().replace("model: chest", "model: absent"))
    other = config.rename(config.with_name("other.yaml"))
    code, said = run("deliver", "--config", str(other))
    assert (code, "E-DELIVER-MODEL" in said) == (2, True)
    assert "E-DELIVER-MODEL" in run("status", "--config", str(other))[1]
