"""Where instances wait for the proof of their whole study: in the vault, since nothing unproven may lie in the lake's folders at any time."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.forcing import Forcing
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


def write(file: Path, header: bytes, pixels: Iterable[bytes], forcing: Forcing) -> str:
    """Write a new file, which is on disk when `forcing` is left; return the SHA-256 of its content.

    Raises:
        OSError: it is there already, or the disk is full.
    """
    sha = hashlib.sha256(header)
    descriptor = os.open(
        file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666
    )  # the folder is private; in the lake the umask decides
    try:
        _write(descriptor, header)
        for block in pixels:
            sha.update(block)
            _write(descriptor, block)
    except BaseException:
        os.close(descriptor)
        raise
    forcing.take(descriptor)
    return sha.hexdigest()


def _write(descriptor: int, content: bytes) -> None:
    done = os.write(descriptor, content)
    while done < len(content):  # of a very long block, or where a signal came
        done += os.write(descriptor, memoryview(content)[done:])
