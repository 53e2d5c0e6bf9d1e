"""How an export's files come to be: copied or linked from the lake, checked, whole or not there at all, and not done twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.release.export.cases import Case

_CHUNK = 1 << 20
#: How the files of cases are called (`tasks.release.export.cases`).
_CASE = re.compile(r"[A-Z2-7]{12}_[0-9a-f]{12}(_0000)?\.nii\.gz$")


@dataclass
class Placer:
    """Writes into one folder; counts what it did as `copied`, `linked`, `kept` (was there already) and `left out`.

    Args:
        link: hard links instead of copies, where the file system can: no space, but a program that changes such a file in place
            changes the lake.
        on_case: called for each case that ended.
    """

    lake: Lake
    folder: Path
    link: bool = False
    on_case: Callable[[], object] = lambda: None
    counts: Counter[str] = field(default_factory=Counter)
    _placed: set[Path] = field(default_factory=set)

    def image(self, case: Case, target: str) -> None:
        """Put a case's volume at `target`, a path in the export's folder.

        Raises:
            SafelightError: E-RELEASE-VOLUME where the lake's file is not the one that was frozen.
        """
        there = self.folder / target
        self._placed.add(there)
        if there.is_file() and there.stat().st_size == case.size and hash_of(there) == case.sha256:
            self.counts["kept"] += 1
            return
        if not self.lake.exists(case.path):
            raise SafelightError("E-RELEASE-VOLUME", f"case {case.name}: no file")
        with self.lake.local([case.path]) as files:
            self.counts["linked" if self._place(files[case.path], there, case.sha256) else "copied"] += 1

    def label(self, case: Case, target: str) -> None:
        """Put a case's label volume at `target`; it is always copied."""
        if case.label is not None:
            self._placed.add(self.folder / target)
            _whole(self.folder / target, case.label.read_bytes())

    def write(self, target: str, content: bytes) -> None:
        """Write a small file as a whole."""
        _whole(self.folder / target, content)

    def write_json(self, target: str, content: Any) -> None:
        """Write a small file of JSON as a whole."""
        self.write(target, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())

    def tidy(self) -> None:
        """Remove the cases that an earlier run, with other options, left in the folder: a program would train on them."""
        for path in sorted(self.folder.rglob("*.nii.gz")):
            if _CASE.match(path.name) and path not in self._placed:
                path.unlink()
                self.counts["removed"] += 1

    def _place(self, source: Path, target: Path, sha256: str) -> bool:
        """Whether it was linked; a file whose content is another is not placed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        linked = False
        if self.link:
            try:
                part.hardlink_to(source)
                linked = True
            except OSError:  # another file system, or one without links: it is copied
                linked = False
        found = hash_of(part) if linked else copy(source, part)
        if found != sha256:
            part.unlink()
            raise SafelightError("E-RELEASE-VOLUME", f"export {target.name}")
        part.replace(target)
        return linked


def copy(source: Path, target: Path) -> str:
    """Copy a file; gives the SHA-256 (hex) of what was copied."""
    known = hashlib.sha256()
    with source.open("rb") as incoming, target.open("wb") as outgoing:
        while chunk := incoming.read(_CHUNK):
            known.update(chunk)
            outgoing.write(chunk)
    return known.hexdigest()


def hash_of(path: Path) -> str:
    """The SHA-256 (hex) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def outside(lake: Lake, out: Path) -> Path:
    """The folder of an export, made where it is missing.

    Raises:
        ConfigurationError: E-RELEASE-EXPORT where it is in the lake, holds the lake, or cannot be written.
    """
    folder = out.expanduser().resolve()
    if lake.root is not None:
        root = lake.root.resolve()
        if folder == root or root in folder.parents or folder in root.parents:
            raise ConfigurationError("E-RELEASE-EXPORT", str(out))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ConfigurationError("E-RELEASE-EXPORT", str(out)) from None
    if not os.access(folder, os.W_OK):
        raise ConfigurationError("E-RELEASE-EXPORT", str(out))
    return folder


def _whole(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)
