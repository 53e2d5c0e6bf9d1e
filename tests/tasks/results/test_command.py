"""`safelight return` and `safelight doctor` as a person types them: counts, exit codes, and nothing that identifies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.results.sender import STORAGE, echo
from tasks.settings import load
from tests.ports import free_port
from tests.tasks.results import made
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered, settings
from tests.tasks.results.test_return import Archive


def typed(*words: str) -> tuple[int, str]:
    """Exit code, and all that was shown."""
    command = [sys.executable, "-c", "from tasks.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def configured(ward: Ward, port: int, folder: Path) -> Path:
    path = folder / "site.yaml"
    said = {
        "site": "test", "vault": str(ward.vault.root), "lake": str(ward.lake.root), "executor": {"kind": "inline"},
        "delivery": {"models": {"detection_model": {"mode": "decision_support"}}},
        "returns": {
            "node": {"host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE"}, "retries": 0,
            "commitment": {"ask": "never"},
        },
    }  # fmt: skip
    path.write_text(yaml.safe_dump(said))
    return path


def test_the_command_sends_once_and_shows_nothing_that_identifies(ward: Ward, tmp_path: Path) -> None:
    answered(ward, "detection")
    ward.ledger.close()
    with Archive().serving() as archive:
        path = configured(ward, archive.port, tmp_path)
        code, shown = typed("return", "--config", str(path))
        assert (code, "return: studies 1 done · stored 2 object" in shown) == (0, True), shown
        again, same = typed("return", "--config", str(path))
        assert (again, "nothing to do" in same) == (0, True), same
        assert len(archive.taken) == 2
    for secret in made.SECRETS:
        assert secret not in shown + same


def test_a_pacs_that_is_away_is_told_and_a_missing_section_too(ward: Ward, tmp_path: Path) -> None:
    answered(ward, "detection")
    ward.ledger.close()
    path = configured(ward, free_port(), tmp_path)
    code, shown = typed("return", "--config", str(path))
    assert (code, "1 postponed" in shown, "Look here" in shown) == (1, True, True), shown
    said = yaml.safe_load(path.read_text())
    del said["returns"]
    path.write_text(yaml.safe_dump(said))
    code, shown = typed("return", "--config", str(path))
    assert (code, "E-RETURN-NOT-CONFIGURED" in shown) == (2, True), shown


def test_what_the_configuration_may_say(ward: Ward, tmp_path: Path) -> None:
    path = configured(ward, 104, tmp_path)
    returns = load(path).returns
    assert returns is not None
    assert [returns.mode("detection_model"), returns.mode("another")] == ["decision_support", "triage"]
    said = yaml.safe_load(path.read_text())
    for wrong in ({"qualification": "SERVICE"}, {"modes": {"x": "triage"}}, {"unknown": 1}):
        path.write_text(yaml.safe_dump(said | {"returns": said["returns"] | wrong}))
        with pytest.raises(ConfigurationError, match="E-CONFIG"):
            load(path)


def test_the_node_is_asked_what_it_takes() -> None:
    with Archive().serving() as archive:
        echo(settings(archive.port).node)
    with (
        Archive(classes=STORAGE[:2]).serving() as archive,
        pytest.raises(ConfigurationError, match=r"Segmentation Storage, Grayscale"),
    ):
        echo(settings(archive.port).node)
    with pytest.raises(ConfigurationError, match="E-RETURN-UNREACHABLE"):
        echo(settings(free_port()).node)
    nowhere = settings(104).node.model_copy(update={"host": "no-such-host.invalid"})
    with pytest.raises(ConfigurationError, match="E-RETURN-UNREACHABLE"):
        echo(nowhere)
