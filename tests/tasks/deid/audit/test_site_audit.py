"""The audit sees every identifier that is left, takes none for left that is gone, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.deid.audit import findings, gate
from tasks.deid.audit.findings import Findings
from tasks.deid.audit.hiding import SPREAD
from tasks.deid.audit.sample import Stratum
from tasks.deid.audit.site_audit import audit, sample
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.vault import Vault
from tests.tasks.deid.audit.making import Careless, Wary, filled, noisy


def found(stage: DeidentifyStage, seed: int = 7) -> Findings:
    drawn = sample(stage.vault, most=3, seed=seed)
    return audit(drawn, stage, ErrorLog(stage.vault.errors), most=3, seed=seed)


def test_a_stage_that_removes_nothing_leaks_every_planted_identifier(vault: Vault, lake: Lake) -> None:
    filled(vault, noisy())
    said = found(Careless(vault, lake, "safe_harbor"))
    assert {row.place for row in said.rows} == {"header", "private", "text", "pixels"}
    assert all(row.leaked == row.planted == row.missed for row in said.rows)
    assert said.recall().n == 0
    assert said.rules().estimate == 0.0
    [header] = said.select(place="header")
    assert header.planted > SPREAD  # next to none is lost on its way into the file
    assert {leak.kind for leak in said.leaks} >= {"name", "id", "number", "date", "phone", "address", "uid"}
    assert any(leak.tag == "raw" for leak in said.leaks)
    assert said.under(0.5)
    again = found(Careless(vault, lake, "safe_harbor"))
    assert (again.rows, again.leaks) == (said.rows, said.leaks)


def test_a_stage_that_releases_nothing_leaks_nothing_and_says_nothing_about_the_rules(vault: Vault, lake: Lake) -> None:
    filled(vault, noisy())
    said = found(Wary(vault, lake, "safe_harbor"))
    assert said.leaked == 0
    assert all(row.held == row.planted for row in said.rows)
    assert said.rules().of == 0
    assert said.rules().said() == "-"
    [series] = said.series
    assert series.released == 0
    assert series.held == {"E-DEID-SOP-CLASS": 1}


@pytest.fixture
def originals(vault: Vault) -> dict[Path, bytes]:
    return filled(vault, noisy(1), noisy(2, Manufacturer="Dr. Eigenbau"))


def test_the_default_profile_removes_what_is_in_headers_private_places_and_text(
    vault: Vault, lake: Lake, originals: dict[Path, bytes]
) -> None:
    said = found(DeidentifyStage(vault, lake, "safe_harbor"))
    assert said.strata() == [Stratum("CT", "other"), Stratum("CT", "siemens")]
    for place in ("header", "private", "text"):
        assert said.recall(place=place).estimate == 1.0, [leak for leak in said.leaks if leak.place == place]
        assert said.rules(place=place).estimate == 1.0, said.rows
    # nothing but the result is left, nothing reaches the lake, and the originals are as they were
    assert [path.name for path in (vault.root / "audits").rglob("*")] == ["scratch"]
    assert lake.files("") == []
    assert {path: path.read_bytes() for path in vault.spool.rglob("*.dcm")} == originals


def test_a_profile_that_was_weakened_leaks_in_text_and_is_blocked(vault: Vault, lake: Lake, bent: Callable[..., str]) -> None:
    filled(vault, noisy())
    weakened = ("ManufacturerModelName", "SoftwareVersions", "AcquisitionProtocolName", "WindowCenterWidthExplanation")
    anything = {"patterns": [".*"], "otherwise": "dummy"}
    said = found(DeidentifyStage(vault, lake, bent(name="weak", keep_text=dict.fromkeys(weakened, anything))))
    rules, recall = said.rules(place="text"), said.recall(place="text")
    assert rules.of - rules.n == len(weakened)  # each is a miss of the rules, whether the proof has seen it or not
    assert recall.n < recall.of  # the proof knows no name that stands only there
    assert rules.n < recall.n  # and it knows dates and numbers wherever they stand
    assert {leak.keyword for leak in said.leaks if leak.place == "text"} <= set(weakened)
    findings.save(vault, said)
    with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-FLOOR"):
        gate.require(vault, said.content, 0.99)


def test_an_empty_spool_is_no_audit(vault: Vault) -> None:
    with pytest.raises(ConfigurationError, match="E-AUDIT-EMPTY"):
        sample(vault)


def test_what_a_killed_audit_left_is_removed(vault: Vault, lake: Lake) -> None:
    filled(vault, noisy())
    dead = vault.root / "audits" / "scratch" / "nowhere-0-0-abcdef"
    live = vault.root / "audits" / "scratch" / "somebody else's"
    dead.mkdir(parents=True)
    live.mkdir()
    found(Wary(vault, lake, "safe_harbor"))
    assert live.exists()
