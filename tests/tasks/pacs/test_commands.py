"""`safelight pull` and `safelight pacs serve` as a person runs them: counts, exit codes, and no identifier on the screen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.tasks.pacs.hospital import MRN, NAME, ROOT, fill, free_port, instance, save

SECRETS = (MRN, NAME, "Testperson", ROOT, "ACC1")


def command(name: str, *arguments: str) -> list[str]:
    """The command line of one command."""
    return [sys.executable, "-c", f"import typer; from tasks.pacs.command import {name}; typer.run({name})", *arguments]


def run(tmp_path: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Exit code, and everything that it said."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command(name, *arguments), check=False, capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, done.stdout + done.stderr


@contextmanager
def served(tmp_path: Path, receiver: int) -> Iterator[tuple[int, str]]:
    """`safelight pacs serve` in a process of its own; yields its port and its first line."""
    port = free_port()
    arguments = ("serve", str(tmp_path / "hospital"), "--port", str(port), "--destination", f"SAFELIGHT=127.0.0.1:{receiver}")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield port, process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def configured(tmp_path: Path, port: int, receiver: int) -> str:
    """A configuration file."""
    path = tmp_path / "site.yaml"
    pacs = {"host": "127.0.0.1", "port": port, "ae_title": "HOSPITAL"}
    content = {"site": "test", "vault": "vault", "lake": "lake", "pacs": pacs, "receivers": {"port": receiver}}
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_plan_pull_and_pull_again(tmp_path: Path) -> None:
    fill(tmp_path / "hospital")
    fill(tmp_path / "hospital", study=2, series=1)
    receiver = free_port()
    with served(tmp_path, receiver) as (port, line):
        assert re.search(r"HOSPITAL on 127\.0\.0\.1:\d+: 9 instances", line)
        config = configured(tmp_path, port, receiver)
        code, said = run(tmp_path, "pull", "--config", config, "--plan-only")
        assert code == 0
        assert re.search(r"│ 2\s+│ 3\s+│ 9\s+│", said)
        assert not list((tmp_path / "vault" / "spool").iterdir())
        code, first = run(tmp_path, "pull", "--config", config)
        assert (code, "pull: studies 2 done · pulled 9 instance" in first) == (0, True)
        code, second = run(tmp_path, "pull", "--config", config)
        assert (code, "pull: studies nothing to do" in second) == (0, True)
    assert not any(secret in said + first + second + line for secret in SECRETS)


def test_an_unreachable_pacs_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    code, said = run(tmp_path, "pull", "--config", configured(tmp_path, free_port(), free_port()))
    assert code == 2
    assert said.startswith("E-PULL-UNREACHABLE: The PACS does not answer at this address (HOSPITAL at 127.0.0.1:")
    assert len(said.splitlines()) == 1


def test_an_incomplete_study_is_exit_code_1_and_says_where_to_look(tmp_path: Path) -> None:
    fill(tmp_path / "hospital")
    save(instance(1, 1, 9, SOPClassUID="1.2.3.4.5"), tmp_path / "hospital", "private.dcm")  # a class that we do not take
    receiver = free_port()
    with served(tmp_path, receiver) as (port, _):
        code, said = run(tmp_path, "pull", "--config", configured(tmp_path, port, receiver))
    assert code == 1, said
    assert "1 failed" in said
    assert "E-PULL-" in said
    assert "Look here:" in said
    assert not any(secret in said for secret in SECRETS)


def test_a_pacs_that_cannot_send_to_us_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    fill(tmp_path / "hospital")
    with served(tmp_path, free_port()) as (port, _):  # the PACS knows us under another port
        code, said = run(tmp_path, "pull", "--config", configured(tmp_path, port, free_port()))
    assert code == 2
    assert "E-PULL-DESTINATION-UNKNOWN" in said
    assert not any(secret in said for secret in SECRETS)


def test_a_destination_that_is_none_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "hospital").mkdir()
    code, said = run(tmp_path, "serve", str(tmp_path / "hospital"), "--destination", "SAFELIGHT")
    assert (code, said.startswith("E-PULL-DESTINATION:")) == (2, True)


def test_a_folder_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    code, said = run(tmp_path, "serve", str(tmp_path / "nowhere"))
    assert (code, said.startswith("E-PULL-FOLDER:")) == (2, True)
