"""Sends the set through the public stage, from a folder as `safelight deidentify` does, and names the new keys as a participant would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.deid.folder import take_in
from tasks.deid.stage import DeidentifyStage
from tasks.executor import run_by_ledger
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.pools import InlinePool
from tasks.pseudonyms import Pseudonyms
from tasks.vault import Vault
from tests.scoring.answers import Answers


@dataclass(frozen=True)
class Participation:
    """What a participant hands in: a folder, and the new keys of the original ones. `quarantined`: reason code by original instance."""

    folder: Path
    uids: dict[str, str]
    patients: dict[str, str]
    quarantined: dict[str, str]
    failed: int


def release(source: Path, root: Path, answers: Answers, profile: str = "safe_harbor") -> Participation:
    """De-identify every study below `source` into `root/lake`."""
    from tasks.deid import quarantine

    vault, lake = Vault.open(root / "vault"), Lake.open(root / "lake")
    ledger = Ledger(vault.ledger_url)
    errors = ErrorLog(vault.errors)
    with ledger.run("deidentify") as run:
        keys = take_in(source, vault=vault, ledger=ledger, run=run).keys
        stage = DeidentifyStage(vault, lake, profile)
        summary = run_by_ledger(stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=errors)
    ledger.close()
    held = {name.split("/")[-1]: code for key in keys for name, code in quarantine.read(vault, key).items()}
    pseudonyms = Pseudonyms(vault.site_key())
    return Participation(
        folder=root / "lake" / "dicom",
        uids={uid: pseudonyms.uid(uid) for uid in answers.uids},
        patients={f"{issuer}\n{number}": pseudonyms.patient(issuer, number) for issuer, number in answers.patients},
        quarantined={uid: held[pseudonyms.uid(uid)] for uid in answers.instances if pseudonyms.uid(uid) in held},
        failed=len(summary.failures),
    )
