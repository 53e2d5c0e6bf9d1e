"""The vault's inbox: files that the hospital drops there are taken in once, or set aside with the reason; none is lost."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from tasks.delivery.sayings import read
from tasks.delivery.statements import Statements
from tasks.errors import SafelightError
from tasks.vault import Vault, private_folder, write_private

#: Names that programs give to what they are still writing.
_UNFINISHED = (".part", ".tmp", ".filepart")
#: A file that was changed less than so long ago may still be written to: it is taken the next time.
SETTLED_S = 2.0


@dataclass
class Intake:
    """What became of the inbox's files: `taken`, `unsettled`, or set aside by reason; and how many statements were new."""

    taken: int = 0
    unsettled: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    statements: int = 0

    def line(self) -> str:
        """The counts in words."""
        aside = ", ".join(f"{n} set aside ({code})" for code, n in sorted(self.set_aside.items()))
        parts = [
            f"{self.taken} files taken, {self.statements} statements new",
            f"{self.unsettled} still being written" if self.unsettled else "",
            aside,
        ]
        return "inbox: " + ", ".join(part for part in parts if part)


def folder_of(vault: Vault) -> Path:
    """Where the hospital drops its files; made where it is missing."""
    return private_folder(vault.root / "inbox")


def take_in(
    vault: Vault, statements: Statements, zone: tzinfo, accession: Sequence[str], *, settled_s: float = SETTLED_S
) -> Intake:
    """Read every file of the inbox, note what it says, and move it to `taken/`; what cannot be read goes to `set_aside/`, with its reason.

    A file is noted before it is moved, and noted twice it counts once: so a kill between the two loses nothing.

    Args:
        vault: has the inbox.
        statements: keeps what is said.
        zone: of times that name none.
        accession: see `tasks.delivery.sayings.read`.
        settled_s: seconds that a file must have been left alone.
    """
    inbox = folder_of(vault)
    intake = Intake()
    for path in sorted(entry for entry in inbox.iterdir() if entry.is_file()):
        if path.name.startswith(".") or path.name.endswith(_UNFINISHED) or time.time() - path.stat().st_mtime < settled_s:
            intake.unsettled += 1
            continue
        try:
            content = path.read_bytes()
        except OSError:
            intake.set_aside["E-DELIVER-UNREADABLE"] += 1  # it stays where it is, and is told every time
            continue
        name = f"{hashlib.sha256(content).hexdigest()[:16]}-{path.name}"
        try:
            sayings = read(path.name, content, zone, accession)
        except SafelightError as error:
            aside = private_folder(inbox / "set_aside")
            write_private(aside / f"{name}.reason.txt", f"{error}\n".encode())
            _move(path, aside / name)
            intake.set_aside[error.code] += 1
            continue
        intake.statements += statements.add(sayings)
        _move(path, private_folder(inbox / "taken") / name)
        intake.taken += 1
    return intake


def _move(path: Path, target: Path) -> None:
    path.chmod(0o600)
    path.replace(target)
