"""A release that was published: where it lies in the lake, how it is read back, and whether it is still whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from data_contracts.release_members import NAME_PATTERN, VERSION_PATTERN
from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake, Manifest
from tasks.release import tables

STAGE = "release"
#: Words of the command that no release can be called.
RESERVED = ("verify", "export")
_READ_AT_ONCE = 4
#: A progress bar: from the number of files to what is called as each was read.
Bar = Callable[[int], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True)
class Frozen:
    """One version of a release, as it was published.

    Attributes:
        facts: what `release.json` says.
        volumes, studies, patients, labels: the rows of the release's tables.
    """

    name: str
    version: str
    facts: Mapping[str, Any]
    volumes: Sequence[Mapping[str, Any]]
    studies: Sequence[Mapping[str, Any]]
    patients: Sequence[Mapping[str, Any]]
    labels: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it lies there: SHA-256 (hex) and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading every file of a release again found: how many are as they were, and which are not, as lake paths."""

    intact: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]


def folder(name: str, version: str) -> str:
    """The release's folder in the lake."""
    return f"releases/{name}/{version}"


def key(name: str, version: str) -> str:
    """The release's key among the lake's manifests."""
    return f"{name}/{version}"


def check_name(name: str, version: str | None) -> None:
    """Hold that a name and a version can be used.

    Raises:
        ConfigurationError: E-RELEASE-NAME.
    """
    if not re.fullmatch(NAME_PATTERN, name) or name in RESERVED:
        raise ConfigurationError("E-RELEASE-NAME", "the name")
    if version is not None and not re.fullmatch(VERSION_PATTERN, version):
        raise ConfigurationError("E-RELEASE-NAME", "the version")


def versions(lake: Lake, name: str) -> list[str]:
    """The versions of a release that are in the lake, the newest last."""
    whole = (manifest for manifest in lake.manifests(STAGE) if manifest.fingerprint)
    found = [manifest.key.partition("/")[2] for manifest in whole if manifest.key.startswith(f"{name}/")]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def read(lake: Lake, name: str, version: str) -> Frozen:
    """Read a release back.

    Raises:
        ConfigurationError: E-RELEASE-MISSING where there is no such version.
        SafelightError: E-RELEASE-DAMAGED where one of its own files is not what was published.
    """
    manifest = published(lake, name, version)
    content = {}
    for table in ("release.json", *(f"{each}.csv" for each in tables.TABLES)):
        path = f"{folder(name, version)}/{table}"
        if not lake.exists(path) or _found(lake, path).sha256 != manifest.files.get(path):
            raise SafelightError("E-RELEASE-DAMAGED", path)
        content[table] = lake.read(path)
    rows = {each: tables.read(each, content[f"{each}.csv"]) for each in tables.TABLES}
    return Frozen(name, version, json.loads(content["release.json"]), **rows)


def published(lake: Lake, name: str, version: str) -> Manifest:
    """The manifest of a version; raises ConfigurationError E-RELEASE-MISSING where there is none."""
    manifest = lake.manifest(STAGE, key(name, version))
    if manifest is None or not manifest.fingerprint:
        raise ConfigurationError("E-RELEASE-MISSING", f"{name} {version}")
    return manifest


def verify(lake: Lake, name: str, version: str, bar: Bar) -> Verified:
    """Read every file of a release again, its own and the volumes it names, and compare SHA-256.

    Raises:
        ConfigurationError: E-RELEASE-MISSING where there is no such version.
    """
    manifest = published(lake, name, version)
    wanted = dict(manifest.files)
    listing = f"{folder(name, version)}/volumes.csv"
    if lake.exists(listing) and _found(lake, listing).sha256 == wanted.get(listing):
        wanted |= {row["path"]: row["sha256"] for row in tables.read("volumes", lake.read(listing))}
    changed, missing = [], []
    with bar(len(wanted)) as step:
        there = hashes(lake, sorted(wanted), step)
    for path, found in there.items():
        if found is None:
            missing.append(path)
        elif found.sha256 != wanted[path]:
            changed.append(path)
    return Verified(len(wanted) - len(changed) - len(missing), tuple(changed), tuple(missing))


def hashes(lake: Lake, paths: Sequence[str], on_file: Callable[[], object]) -> dict[str, Found | None]:
    """The files of the lake as they are, None for those that are not there; `on_file` is called as each is read."""

    def one(path: str) -> Found | None:
        return _found(lake, path) if lake.exists(path) else None

    found: dict[str, Found | None] = {}
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        for path, value in zip(paths, pool.map(one, paths), strict=True):
            found[path] = value
            on_file()
    return found


def _found(lake: Lake, path: str) -> Found:
    if lake.root is None:
        content = lake.read(path)
        return Found(hashlib.sha256(content).hexdigest(), len(content))
    with (lake.root / path).open("rb") as stream:
        return Found(hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell())
