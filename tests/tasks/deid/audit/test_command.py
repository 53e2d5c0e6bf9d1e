"""`safelight audit` as a person runs it: a table, sentences, exit codes, and no identifier of the originals."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasks.cli import app
from tasks.settings import DeidentifySettings
from tasks.vault import Vault
from tests.privacy.scanner import Scanner
from tests.tasks.deid.audit.making import filled, noisy


@pytest.fixture(autouse=True)
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.deid.audit.command.seal", lambda errors: None)  # it would silence this process for good


def test_it_counts_names_the_places_and_ends_by_the_floor(vault: Vault, tmp_path: Path) -> None:
    filled(vault, noisy())
    for floor, code in (("0.01", 0), ("0.9999", 1)):
        ended = CliRunner().invoke(app, ["audit", "--vault", str(vault.root), "--floor", floor, "--series", "1"])
        assert ended.exit_code == code, ended.output
        assert "audit: 1 of 1 series, of 1 kinds" in ended.output
        assert "Leaked: " in ended.output
        assert ("Under the floor" in ended.output) == bool(code)
        scanner = Scanner(["Mustermann", "Erika", "MRN0047110", "ACC8815522", "Quacksalber", "19370412"])
        assert scanner.hits(ended.output) == set()
        assert scanner.search(vault.root / "audits") == {}
    assert len(list((vault.root / "audits").glob("*.json"))) == 1


@pytest.mark.parametrize(
    "line", ["audit", "audit --config site.yaml --vault vault", "certificate --out o", "certificate --out o --lake lake"]
)
def test_exactly_one_site_must_be_named(line: str) -> None:
    ended = CliRunner().invoke(app, line.split())
    assert ended.exit_code == 2
    assert "E-AUDIT-WHERE" in ended.output


def test_the_floor_is_a_setting_between_nothing_and_all() -> None:
    assert DeidentifySettings().audit_floor is None
    assert DeidentifySettings(audit_floor=0.99).audit_floor == 0.99
    for wrong in (0.0, 1.0, 99):
        with pytest.raises(ValueError, match="audit_floor"):
            DeidentifySettings(audit_floor=wrong)
