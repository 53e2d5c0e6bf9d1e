"""The folder that a review is written into: made whole beside it, then put in its place; what is not a review is never touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from secrets import token_hex

from tasks.errors import ConfigurationError

LIST = "review.json"


class Folder:
    """A review that is being written."""

    def __init__(self, root: Path) -> None:
        self._root, self._names, self.size = root, [LIST], 0

    def write(self, name: str, content: bytes) -> None:
        """Add a file.

        Args:
            name: relative, with forward slashes.
            content: its bytes.
        """
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self._names.append(name)
        self.size += len(content)

    def finish(self, said: dict[str, object]) -> None:
        """Write the list of files, with what else a program may want to know."""
        text = json.dumps({"made_by": "safelight review", **said, "files": sorted(self._names)}, indent=1, sort_keys=True)
        (self._root / LIST).write_text(text + "\n", "utf-8")


@contextmanager
def folder(out: Path) -> Iterator[Folder]:
    """A folder that takes the place of `out` when the context ends without an error.

    Raises:
        ConfigurationError: E-REVIEW-OUTPUT where `out` holds anything but an earlier review, or cannot be written.
    """
    out = out.absolute()
    if not _is_replaceable(out):
        raise ConfigurationError("E-REVIEW-OUTPUT", str(out))
    scratch, old = (out.parent / f".{out.name}.{token_hex(4)}" for _ in range(2))
    try:
        scratch.mkdir(parents=True)
        yield Folder(scratch)
        if out.exists():
            out.rename(old)
        scratch.rename(out)
    except OSError:
        raise ConfigurationError("E-REVIEW-OUTPUT", str(out)) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _is_replaceable(out: Path) -> bool:
    """Whether a path is free, an empty folder, or a review whose files are all its own."""
    if not out.exists():
        return not out.is_symlink()
    if out.is_symlink() or not out.is_dir():
        return False
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    if not there:
        return True
    try:
        said = json.loads((out / LIST).read_text("utf-8"))
        return said["made_by"] == "safelight review" and there <= {PurePosixPath(name).as_posix() for name in said["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
