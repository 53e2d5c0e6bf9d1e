"""Delivered files in the vault: each is replaced by one rename, so that whoever reads sees the old one or the new one, whole."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from tasks.vault import private_folder, write_private


def replace_all(folder: Path, wanted: Mapping[str, bytes]) -> int:
    """Make a folder hold exactly these files (name to bytes), and give how many were written or removed.

    A file that is the same already is not touched. What is not wanted any more goes first: a finding that may no longer be shown is gone
    before anything else is written.
    """
    private_folder(folder)
    changed = 0
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in wanted:
            path.unlink()
            changed += 1
    for name, content in sorted(wanted.items()):
        path = folder / name
        if path.exists() and path.read_bytes() == content:
            continue
        fresh = folder / f".{name}.{secrets.token_hex(6)}"
        write_private(fresh, content)
        fresh.replace(path)
        changed += 1
    return changed
