"""Where instances wait for the proof of their whole study: in the vault, since nothing unproven may lie in the lake's folders at any time."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.processes import ProcessId
from tasks.vault import Vault, private_folder


@contextmanager
def waiting(vault: Vault) -> Iterator[Path]:
    """A private folder for one study's drafts, gone afterwards; what killed processes of this host left is removed first."""
    root = private_folder(vault.root / "drafts")
    for entry in root.iterdir():
        owner = ProcessId.parse(entry.name.rsplit("-", 1)[0])
        if owner is not None and not owner.is_alive():
            shutil.rmtree(entry, ignore_errors=True)
    folder = private_folder(root / f"{ProcessId.current()}-{secrets.token_hex(6)}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
