"""The stage `pull`: one study from the PACS into the spool, complete to the instance or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tasks.errors import SafelightError
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.association import Requestor
from tasks.pacs.moving.move import Retrieved, retrieve
from tasks.pacs.receiving.receiver import Intake, Receiver
from tasks.processes import ProcessId
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Count, Outcome, digest
from tasks.vault import Vault, private_folder

_INCOMING, _OUTGOING = ".incoming-", ".outgoing-"


@dataclass(frozen=True)
class PullStage:
    """Pulls with a requestor and a receiver that live in this process: unlike other stages it does not travel to workers."""

    name: ClassVar[str] = "pull"
    upstream: ClassVar[str | None] = None
    revision: ClassVar[int] = 1

    vault: Vault
    ledger: Ledger
    requestor: Requestor
    receiver: Receiver
    errors: ErrorLog

    def label(self) -> str:
        """`pull`."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """Nothing: the PACS's instances are taken as they come."""
        return {}

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the shape of every stage
        """Retrieve a study and publish it as `spool/<study key>/<series key>/<instance key>.dcm` by one rename.

        Tally, in instances: `pulled` + `failed` = found; `refused` are those that came unasked for, twice with different
        content, or in a way that could not be taken. An incomplete study is failed, and nothing of it is published; where it
        could not even be asked for, all that the plan found is failed.
        """
        study = self.ledger.study(study_key)
        planned = sum(study.expected.values())
        _sweep(self.vault.spool, f"{study_key}.")
        with _incoming(self.vault.spool, study_key) as folder:
            conflicts = self.vault.quarantine / study_key / "pull"
            for half_written in conflicts.rglob(".*.dcm"):
                half_written.unlink()
            intake = Intake(study.study_instance_uid, folder, conflicts, Pseudonyms(self.vault.site_key()))
            try:
                retrieved = retrieve(self.requestor, self.receiver, intake)
            except SafelightError as error:
                intake.received.clear()
                return self._failed(study_key, error, intake, planned)
            failed = retrieved.listing.failed(intake.received, planned)
            if failed or not intake.received:  # a study without any instance is one that the PACS does not show just now
                status = retrieved.moved.status
                said = "none" if status is None else f"0x{status:04X}"
                place = f"study {study_key}: {len(intake.received)} pulled, {failed} failed, last C-MOVE status {said}"
                return self._failed(study_key, SafelightError(_reason(retrieved, intake), place), intake, failed)
            _publish(folder, self.vault.spool / study_key)
        output = digest(sorted((entry.series_key, entry.instance_key, entry.sha256) for entry in intake.received.values()))
        return Outcome("done", output=output, passed=len(intake.received), tally=_tally(intake, 0, ""))

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the spool."""
        shutil.rmtree(self.vault.spool / study_key, ignore_errors=True)

    def _failed(self, study_key: str, error: SafelightError, intake: Intake, failed: int) -> Outcome:
        error_id = self.errors.record(f"{self.name} {study_key}", error)
        return Outcome("failed", reason_code=error.code, error_id=error_id, tally=_tally(intake, failed, error.code))


def sweep(vault: Vault) -> int:
    """Remove half-pulled studies of processes of this host that were killed; returns how many."""
    return _sweep(vault.spool, "")


def _sweep(spool: Path, prefix: str) -> int:
    removed = 0
    for entry in sorted(spool.iterdir()):
        mark = next((mark for mark in (_INCOMING, _OUTGOING) if mark in entry.name), None)
        if mark is None or not entry.name.startswith(prefix):
            continue
        owner = ProcessId.parse(entry.name.split(mark, 1)[1].rsplit("-", 1)[0])
        if owner is not None and not owner.is_alive():
            shutil.rmtree(entry, ignore_errors=True)
            removed += 1
    return removed


@contextmanager
def _incoming(spool: Path, study_key: str) -> Iterator[Path]:
    folder = private_folder(spool / f"{study_key}{_INCOMING}{ProcessId.current()}-{secrets.token_hex(4)}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: Path, target: Path) -> None:
    """Give the folder its final name; an earlier pull of the study gives way to it."""
    for directory in (*folder.iterdir(), folder):
        _flush(directory)
    old = target.with_name(f"{target.name}{_OUTGOING}{ProcessId.current()}-{secrets.token_hex(4)}")
    if target.exists():
        target.rename(old)
    folder.rename(target)
    _flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _flush(directory: Path) -> None:
    """Force a directory's entries to disk: a rename alone may be lost with the power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(retrieved: Retrieved, intake: Intake) -> str:
    """Why a study is incomplete: our own trouble with writing first, then what the PACS said, else that it is incomplete."""
    for code in ("E-PULL-DISK-FULL", "E-PULL-WRITE"):
        if intake.refused[code]:
            return code
    refused = retrieved.moved.status not in (0x0000, 0xB000, 0xA702, None)
    return "E-PULL-MOVE-FAILED" if refused and not intake.received else "E-PULL-INCOMPLETE"


def _tally(intake: Intake, failed: int, reason: str) -> tuple[Count, ...]:
    counts = [Count("pulled", "", "instance", len(intake.received)), Count("failed", reason, "instance", failed)]
    counts += [Count("refused", code, "instance", n) for code, n in intake.refused.items()]
    return tuple(sorted(count for count in counts if count.n))
