"""The commands `safelight deidentify` and `safelight import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import DONE, INCOMPLETE, finish, one_sentence, progress, say
from tasks.deid import importing
from tasks.deid.folder import take_in
from tasks.deid.stage import DeidentifyStage, rules_of
from tasks.deid.tables import KEYS
from tasks.errors import ConfigurationError
from tasks.executor import Summary, run_by_ledger
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.pools import make_pool
from tasks.stage import Outcome
from tasks.vault import Vault

LakeFolder = Annotated[str, typer.Option("--lake", help="The de-identified zone: a folder or an s3:// URL.")]
VaultFolder = Annotated[Path, typer.Option("--vault", help="The identified zone: a private folder.")]


def deidentify(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder with DICOM files, at any depth.", show_default=False)],
    lake: LakeFolder,
    vault: VaultFolder,
    profile: Annotated[str, typer.Option(help="A profile of configs/profiles, or a .yaml file.")] = "safe_harbor",
    recipe: Annotated[
        Path | None,
        typer.Option(help="A recipe of your own in the deid package's format; it may only be stricter.", dir_okay=False),
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes; 1 works in this one.", min=1, max=256)] = 2,
) -> None:
    """De-identify the DICOM files below SRC into the lake; what cannot be proven clean is quarantined in the vault.

    Example: safelight deidentify ward-3 --lake lake --vault vault
    """
    with one_sentence():
        rules_of(profile, str(recipe or ""))
        if not source.is_dir():
            raise ConfigurationError("E-DEID-SOURCE")
        opened = Vault.open(vault)
        errors = ErrorLog(opened.errors)
        seal(errors)
        target = Lake.open(lake)
        ledger = Ledger(opened.ledger_url)
        with boundary("deidentify", errors), ledger.run("deidentify") as run:
            zones = (opened.root, *(() if target.root is None else (target.root,)))
            with ledger.lock("spool"):
                intake = take_in(source, vault=opened, ledger=ledger, run=run, leave_out=zones)
            say(intake.line())
            pool = make_pool("inline" if workers == 1 else "processes", workers, errors)
            try:
                with progress("deidentify", len(intake.keys)) as advance:
                    stage = DeidentifyStage(opened, target, profile, str(recipe or ""))
                    stage.require()
                    summary = run_by_ledger(stage, intake.keys, ledger=ledger, run=run, pool=pool, errors=errors, on_end=advance)
            finally:
                pool.close()
            _recall(summary, ledger, intake.keys)
        if any(end in {"rejected", "conflict"} for end, _ in intake.files):
            for (end, code), n in intake.files.items():
                if end in {"rejected", "conflict"}:
                    summary.units[end, code, "file"] += n
        finish(summary, str(opened.quarantine))


def _recall(summary: Summary, ledger: Ledger, keys: list[str]) -> None:
    """Count the studies that failed in earlier runs and were set aside: nothing has become of them yet."""
    for (key, _), row in ledger.results(summary.stage, keys).items():
        if row.status == "failed" and key not in summary.failures:
            summary.add(key, Outcome("failed", reason_code=row.reason_code, error_id=row.error_id))


def import_table(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or Parquet table of the hospital's.", show_default=False)],
    kind: Annotated[str, typer.Option("--as", help="reference (labels) or cohort (demographics).")],
    key: Annotated[str, typer.Option("--key", help="AccessionNumber, StudyInstanceUID or PatientID.")],
    vault: VaultFolder,
    lake: LakeFolder,
) -> None:
    """Map the hospital's labels or demographics to the lake's keys; identifiers are dropped, unknown keys counted.

    Example: safelight import labels.csv --as reference --key AccessionNumber --vault vault --lake lake
    """
    with one_sentence():
        if kind not in ("reference", "cohort"):
            raise ConfigurationError("E-IMPORT-KIND")
        if key not in KEYS:
            raise ConfigurationError("E-IMPORT-KEY", "--key")
        opened = Vault.open(vault, create=False)
        errors = ErrorLog(opened.errors)
        seal(errors)
        target = Lake.open(lake)
        ledger = Ledger(opened.ledger_url)
        with boundary("import", errors), ledger.lock("import"):
            summary = importing.import_table(file, kind=kind, key=key, vault=opened, ledger=ledger, lake=target)  # type: ignore[arg-type]
        say(summary.line())
        left = summary.unmatched + summary.ambiguous + summary.conflicting
        if left:
            say(f"Look here: {left} rows of the table name no one study, or contradict others")
        raise typer.Exit(INCOMPLETE if left else DONE)
