"""The quarantine list: private, whole or not there, and gone when nothing is held back any more."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tasks.deid import quarantine
from tasks.vault import Vault

HELD = {"2.25.7/2.25.2": "E-DEID-TRUNCATED", "2.25.7/2.25.1": "E-DEID-RESIDUE"}


def test_what_is_written_is_read(vault: Vault) -> None:
    assert quarantine.read(vault, "2.25.1") == {}
    quarantine.write(vault, "2.25.1", HELD, ("(0010,0010)",))
    assert quarantine.read(vault, "2.25.1") == HELD
    assert quarantine.read(vault, "2.25.2") == {}


def test_the_file_says_which_why_and_where_and_nothing_more(vault: Vault) -> None:
    quarantine.write(vault, "2.25.1", HELD, ("(0010,0010)", "raw"))
    listed = json.loads((vault.quarantine / "2.25.1" / "quarantine.json").read_text("utf-8"))
    assert listed == {"study": "2.25.1", "instances": HELD, "residue": ["(0010,0010)", "raw"]}
    assert list(listed["instances"]) == sorted(HELD)


def test_it_is_private_whatever_the_umask(vault: Vault) -> None:
    before = os.umask(0)
    try:
        quarantine.write(vault, "2.25.1", HELD)
    finally:
        os.umask(before)
    for path in (vault.quarantine / "2.25.1", vault.quarantine / "2.25.1" / "quarantine.json"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_newer_list_takes_the_place_of_the_older(vault: Vault) -> None:
    quarantine.write(vault, "2.25.1", HELD, ("raw",))
    quarantine.write(vault, "2.25.1", {"2.25.7/2.25.3": "E-DEID-NO-PIXELS"})
    assert quarantine.read(vault, "2.25.1") == {"2.25.7/2.25.3": "E-DEID-NO-PIXELS"}
    assert [path.name for path in (vault.quarantine / "2.25.1").iterdir()] == ["quarantine.json"]


def test_nothing_held_back_leaves_nothing(vault: Vault) -> None:
    quarantine.write(vault, "2.25.1", {})
    quarantine.write(vault, "2.25.2", HELD)
    quarantine.write(vault, "2.25.2", {})
    assert list(vault.quarantine.iterdir()) == []


def test_other_files_of_the_study_stay(vault: Vault) -> None:
    quarantine.write(vault, "2.25.1", HELD)
    other = vault.quarantine / "2.25.1" / "conflict.dcm"  # as a pull leaves one of two contents of one instance
    other.write_bytes(b"x")
    quarantine.write(vault, "2.25.1", {})
    assert [path.name for path in (vault.quarantine / "2.25.1").iterdir()] == ["conflict.dcm"]


def test_a_list_that_cannot_be_written_leaves_the_older_one(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine.write(vault, "2.25.1", HELD)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        quarantine.write(vault, "2.25.1", {"2.25.7/2.25.9": "E-DEID-FAILED"})
    assert quarantine.read(vault, "2.25.1") == HELD
    assert [path.name for path in (vault.quarantine / "2.25.1").iterdir()] == ["quarantine.json"]
