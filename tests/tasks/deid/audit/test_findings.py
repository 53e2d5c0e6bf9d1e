"""Counts, intervals and the gate. The interval is held against statsmodels."""

from __future__ import annotations

import dataclasses
import json

import pytest
from statsmodels.stats.proportion import proportion_confint

from tasks.deid.audit import findings, gate
from tasks.deid.audit.findings import Findings, Row, SeriesRow, Share
from tasks.deid.audit.sample import Stratum
from tasks.deid.audit.trial import Trial, Verdict
from tasks.errors import ConfigurationError
from tasks.vault import Vault

DIGEST = "ab" * 32


def made(*rows: tuple[str, int, int]) -> Findings:
    """Findings with rows of (manufacturer, planted, leaked)."""
    return Findings(
        "safe_harbor", "ps3_15", DIGEST, 3, "0.1.0", "2026-01-01T00:00:00Z", 1, 5, 9, 0,
        tuple(Row("CT", name, "text", planted, planted - leaked, 0, leaked, planted, leaked) for name, planted, leaked in rows),
        tuple(SeriesRow("CT", name, 5, 5 if not leaked else 4, 5, {}, {}) for name, _, leaked in rows),
    )  # fmt: skip


@pytest.mark.parametrize(("n", "of"), [(0, 7), (7, 7), (538, 538), (995, 1000), (1, 2)])
def test_the_interval_is_wilsons(n: int, of: int) -> None:
    assert Share(n, of).interval == pytest.approx(proportion_confint(n, of, alpha=0.05, method="wilson"), abs=1e-12)


def test_a_share_below_one_is_never_shown_as_all() -> None:
    assert Share(99_999, 100_000).said().startswith("99.99 %")
    assert Share(10, 10).said() == "100.00 % (72.2-100.0)"
    assert Share(0, 0).said() == "-"
    assert Share(0, 0).interval == (0.0, 1.0)


def test_what_the_proof_holds_back_is_no_leak_but_a_miss_of_the_rules() -> None:
    proven = Verdict("text", "name", "(0020,4000)", "held", "E-DEID-RESIDUE", missed=True)
    beside = Verdict("text", "name", "(0010,4000)", "held", "E-DEID-RESIDUE", missed=False)
    refused = Verdict("pixels", "name", "(7FE0,0010)", "held", "E-DEID-BURNED-IN", missed=False)
    leaked = Verdict("text", "id", "(0008,1090)", "leaked", "", missed=True)
    gone = Verdict("text", "id", "(0008,1030)", "removed", "", missed=False)
    trials = {
        Stratum("CT", "ge"): [
            Trial((proven, beside, refused), "", ()),
            Trial((leaked, gone), "E-DEID-FACE-UNPROVEN", ("private",)),
        ]
    }
    rows, series, leaks = findings.count(trials)
    assert rows == (Row("CT", "ge", "text", 4, 1, 2, 1, 4, 2), Row("CT", "ge", "pixels", 1, 0, 1, 0, 0, 0))
    assert series == (SeriesRow("CT", "ge", 2, 1, 1, {"E-DEID-FACE-UNPROVEN": 1}, {"private": 1}),)
    [leak] = leaks
    assert (leak.keyword, leak.kind, leak.n) == ("ManufacturerModelName", "id", 1)


def test_findings_are_kept_in_the_vault_for_its_owner_alone(vault: Vault) -> None:
    path = findings.save(vault, made(("ge", 100, 1)))
    assert path == vault.root / "audits" / f"{DIGEST}.json"
    assert path.stat().st_mode & 0o077 == 0
    assert findings.read(vault, DIGEST) == made(("ge", 100, 1))
    said = json.loads(path.read_text())
    assert said["leaked"] == 1
    assert said["recall"]["interval"] == pytest.approx(list(proportion_confint(99, 100, method="wilson")))


def test_without_a_floor_nothing_is_asked_for(vault: Vault) -> None:
    gate.require(vault, DIGEST, None)


def test_a_floor_asks_for_an_audit_of_this_very_profile_and_revision(vault: Vault) -> None:
    findings.save(vault, made(("ge", 1000, 0)))
    gate.require(vault, DIGEST, 0.99)
    gate.require(vault, DIGEST, 0.99, revision=3)
    for digest, revision in (("cd" * 32, None), (DIGEST, 4)):
        with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-MISSING"):
            gate.require(vault, digest, 0.99, revision)


def test_an_audit_that_cannot_be_read_or_was_renamed_is_none(vault: Vault) -> None:
    path = findings.save(vault, made(("ge", 1000, 0)))
    other = "cd" * 32
    path.rename(findings.path(vault, other))
    with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-MISSING"):
        gate.require(vault, other, 0.5)
    for broken in (b"{", b"{}", b"[]", b'{"format": 2}'):
        path.write_bytes(broken)
        with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-MISSING"):
            gate.require(vault, DIGEST, 0.5)


@pytest.mark.parametrize(
    ("rows", "passes"),
    [
        ([("ge", 1000, 0)], True),
        ([("ge", 300, 0)], False),  # none leaked, but 300 prove no 99 %
        ([("ge", 1000, 9)], False),
        ([("ge", 100_000, 0), ("siemens", 50, 1)], False),  # one scanner must not hide behind many
        ([("ge", 100_000, 0), ("siemens", 50, 0)], True),
        ([], False),
    ],
)
def test_the_floor(vault: Vault, rows: list[tuple[str, int, int]], passes: bool) -> None:
    findings.save(vault, made(*rows))
    if passes:
        gate.require(vault, DIGEST, 0.99)
    else:
        with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-FLOOR"):
            gate.require(vault, DIGEST, 0.99)


def test_counts_that_were_edited_by_hand_do_not_help_their_summary(vault: Vault) -> None:
    """Recall is computed from the rows; a summary that says otherwise is not believed."""
    path = findings.save(vault, dataclasses.replace(made(("ge", 1000, 500))))
    said = json.loads(path.read_text())
    said["leaked"], said["recall"] = 0, {"n": 1000, "of": 1000, "interval": [1.0, 1.0], "confidence": 0.95}
    path.write_text(json.dumps(said))
    with pytest.raises(ConfigurationError, match="E-DEID-AUDIT-FLOOR"):
        gate.require(vault, DIGEST, 0.99)
