"""Names the code that reads: the files of this package and of `tasks/imaging`, and the versions of the packages that compute."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.stage import digest

_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch", "onnxruntime", "monai")


@cache
def code_sha256() -> str:
    """The same wherever the same files and packages are installed; it says what ran, and makes nothing due."""
    tasks = Path(__file__).parents[1]
    files = sorted(path for folder in ("inference", "imaging") for path in (tasks / folder).rglob("*.py"))
    sources = {path.relative_to(tasks).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}
    return digest({"files": sources, "packages": {name: _version(name) for name in _PACKAGES}})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
