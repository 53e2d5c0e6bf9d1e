"""The quarantine list of a study: which instances were held back and why. It lies in the vault; the files stay in the spool."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from tasks.vault import Vault, private_folder, write_private

_NAME = "quarantine.json"


def write(vault: Vault, study_key: str, reasons: Mapping[str, str], residue: tuple[str, ...] = ()) -> None:
    """Write a study's list, or remove it where nothing is held back.

    Args:
        vault: where it goes: `quarantine/<study key>/quarantine.json`.
        study_key: the study's key.
        reasons: instance (`<series key>/<instance key>`) → reason code.
        residue: where the residue check found something: tags, never values.
    """
    folder = vault.quarantine / study_key
    if not reasons:
        (folder / _NAME).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        return
    listed = {"study": study_key, "instances": dict(sorted(reasons.items())), "residue": list(residue)}
    private_folder(folder)
    fresh = folder / f".{_NAME}.{secrets.token_hex(6)}"
    try:
        write_private(fresh, (json.dumps(listed, indent=1, sort_keys=True) + "\n").encode())
        fresh.replace(folder / _NAME)
    finally:
        fresh.unlink(missing_ok=True)


def read(vault: Vault, study_key: str) -> dict[str, str]:
    """A study's quarantined instances and their reason codes; empty where nothing is held back."""
    path: Path = vault.quarantine / study_key / _NAME
    return dict(json.loads(path.read_text("utf-8"))["instances"]) if path.exists() else {}
