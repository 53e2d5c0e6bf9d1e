"""A study's place in the vault's spool: where its instances gather, how it is published, and what an interrupted pull leaves.

Instances gather in `<study key>.incoming-<what was found>`. What an interrupted pull has brought stays there, so that the next one
asks for the rest only; but not for what the PACS has changed since (another `found`), and not for longer than two days. Where files are not
forced to disk one by one (`fsync: study`), not beyond a restart of the machine either: what a power cut leaves looks whole and may not be.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Collection
from pathlib import Path

import psutil

from tasks.processes import ProcessId
from tasks.vault import Vault, private_folder

_INCOMING, _OUTGOING = ".incoming-", ".outgoing-"
#: What was begun longer ago is not gone on with: the PACS may have corrected headers since.
_STALE_AFTER_SECONDS = 48 * 3600.0


def incoming(vault: Vault, study_key: str, found: str, *, forced: bool) -> Path:
    """The folder in which a study gathers that was found so; leftovers that are not to be gone on with are removed.

    Args:
        vault: has the spool.
        study_key: the study.
        found: what the plan found of it (a digest).
        forced: whether each file is forced to disk before it stands there.
    """
    folder = vault.spool / f"{study_key}{_INCOMING}{found[:16]}"
    for other in vault.spool.glob(f"{study_key}.*"):
        if other != folder or _is_stale(other) or not (forced or _is_of_this_boot(other)):
            shutil.rmtree(other, ignore_errors=True)
    private_folder(folder)
    os.utime(folder)  # it is gone on with: nobody may take it for stale meanwhile
    return folder


def settle(folder: Path, received: Collection[str]) -> bool:
    """Remove what is no part of a study, and say whether all that was received is there.

    Args:
        folder: where the study gathered.
        received: its instances, as `<series key>/<instance key>.dcm`.
    """
    there = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*")}
    for name in there.keys() - set(received):  # of an earlier attempt: the PACS does not list it any more
        there[name].unlink()
    return set(received) <= there.keys()


def publish(folder: Path, target: Path) -> None:
    """Give the folder its final name, by one rename, and force all names to disk; an earlier pull of the study gives way to it."""
    for directory in (*folder.iterdir(), folder):
        _flush(directory)
    old = target.with_name(f"{target.name}{_OUTGOING}{ProcessId.current()}-{secrets.token_hex(4)}")
    if target.exists():
        target.rename(old)
    folder.rename(target)
    _flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def sweep(vault: Vault) -> int:
    """Remove what nobody will go on with: stale gatherings, and what processes of this host that were killed had put aside."""
    removed = 0
    for entry in sorted(vault.spool.iterdir()):
        if _INCOMING in entry.name:
            left = _is_stale(entry)
        elif _OUTGOING in entry.name:
            owner = ProcessId.parse(entry.name.split(_OUTGOING, 1)[1].rsplit("-", 1)[0])
            left = owner is not None and not owner.is_alive()
        else:
            continue
        if left:
            shutil.rmtree(entry, ignore_errors=True)
            removed += 1
    return removed


def _is_stale(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _STALE_AFTER_SECONDS
    except FileNotFoundError:
        return False


def _is_of_this_boot(folder: Path) -> bool:
    """Whether a folder was begun since the machine started; a minute after the start it may not yet know the time."""
    return folder.stat().st_mtime > psutil.boot_time() + 60


def _flush(directory: Path) -> None:
    """Force a directory's entries to disk: a rename alone may be lost with the power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
