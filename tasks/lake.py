"""The lake: the de-identified zone, a local folder or an object store, and the one way to publish into it.

A stage writes a study's outputs into a scratch folder and commits them together. The commit moves each file to its final name
and writes the study's manifest last; a study without a manifest has not been published. Doing it again replaces it, and what the
earlier manifest listed and the new one does not is removed, so the lake is a function of its inputs, not of its history.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from data_contracts.contract import Contract
from tasks import parquet
from tasks.compact import coverage, reading
from tasks.errors import ConfigurationError
from tasks.forcing import Forcing
from tasks.processes import ProcessId
from tasks.stage import Count, digest, tally_from_json, tally_to_json

_SCRATCH = ".scratch"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one stage published for one study: every file with its SHA-256, and the digest of them all.

    `stale` names files of an earlier publication that are still to be removed; it is empty except while that happens.
    """

    stage: str
    key: str
    fingerprint: str
    files: Mapping[str, str]
    tally: tuple[Count, ...]
    passed: int
    stale: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The output digest: the next stage's input."""
        return digest({"files": dict(self.files), "passed": self.passed})

    def to_json(self) -> bytes:
        """Canonical bytes."""
        body = {
            "stage": self.stage, "key": self.key, "fingerprint": self.fingerprint, "files": dict(self.files),
            "tally": json.loads(tally_to_json(self.tally)), "passed": self.passed, "stale": list(self.stale),
        }  # fmt: skip
        return (json.dumps(body, sort_keys=True, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """The inverse of `to_json`."""
        body = json.loads(content)
        counts = tally_from_json(json.dumps(body["tally"]))
        return cls(body["stage"], body["key"], body["fingerprint"], body["files"], counts, body["passed"], tuple(body["stale"]))


@dataclass(frozen=True)
class Lake:
    """A de-identified zone at a path or URL (`s3://bucket/prefix`). Picklable: worker processes open it anew."""

    url: str

    @classmethod
    def open(cls, url: Path | str) -> Lake:
        """Open the lake, making its folder; raise ConfigurationError E-LAKE-UNWRITABLE where nothing can be written."""
        text = str(url)
        lake = cls(text if "://" in text else str(Path(text).expanduser().absolute()))
        probe = f"{_SCRATCH}/{ProcessId.current()}-{secrets.token_hex(4)}"
        try:
            _persist(lambda: lake._write(probe, b""))
            lake._remove(probe)
        except (OSError, pa.ArrowException):
            raise ConfigurationError("E-LAKE-UNWRITABLE", text) from None
        return lake

    @property
    def _resolved(self) -> tuple[fs.FileSystem, str]:
        if "://" in self.url:
            return fs.FileSystem.from_uri(self.url)  # type: ignore[no-any-return]
        return fs.LocalFileSystem(), self.url

    @property
    def _filesystem(self) -> fs.FileSystem:
        return self._resolved[0]

    def _at(self, path: str) -> str:
        return f"{self._resolved[1]}/{path}"

    @property
    def root(self) -> Path | None:
        """The local folder, or None for an object store."""
        return None if "://" in self.url else Path(self.url)

    @property
    def shown(self) -> str:
        """The lake's folder or URL as it may be shown: a URL without what it says of keys and options."""
        parts = urlsplit(self.url) if self.root is None else None
        return self.url if parts is None else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    # ---- reading ----------------------------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Whether a file of that name is in the lake."""
        return bool(self._filesystem.get_file_info(self._at(path)).type == fs.FileType.File)

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        with self._filesystem.open_input_file(self._at(path)) as stream:
            return bytes(stream.read())

    def files(self, prefix: str) -> list[str]:
        """All files below `prefix`, as lake paths, sorted; scratch is left out."""
        selector = fs.FileSelector(self._at(prefix) if prefix else self._resolved[1], recursive=True, allow_not_found=True)
        base = len(self._resolved[1].rstrip("/")) + 1
        found = (info.path[base:] for info in self._filesystem.get_file_info(selector) if info.type == fs.FileType.File)
        return sorted(path for path in found if not path.startswith(f"{_SCRATCH}/"))

    @contextmanager
    def local(self, paths: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Lake paths as local files for as long as the context lasts: in place, or downloaded from an object store."""
        if self.root is not None:
            yield {path: self.root / path for path in paths}
            return
        with tempfile.TemporaryDirectory(prefix="safelight-") as folder:
            copies = {}
            for path in paths:
                copies[path] = Path(folder) / path
                copies[path].parent.mkdir(parents=True, exist_ok=True)
                copies[path].write_bytes(self.read(path))
            yield copies

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """What a stage last published under a study's key, or None."""
        path = _manifest_path(stage, key)
        return Manifest.from_json(self.read(path)) if self.exists(path) else None

    def manifests(self, stage: str) -> Iterator[Manifest]:
        """Everything a stage has published, by key."""
        for path in self.files(f"manifests/{_folder(stage)}"):
            yield Manifest.from_json(self.read(path))

    def states(self, prefix: str) -> dict[str, tuple[int, int]]:
        """All files below `prefix`: lake path → size in bytes and time of the last change in nanoseconds, by the store's clock."""
        selector = fs.FileSelector(self._at(prefix), recursive=True, allow_not_found=True)
        base = len(self._resolved[1].rstrip("/")) + 1
        found = self._filesystem.get_file_info(selector)
        return {info.path[base:]: (info.size, info.mtime_ns or 0) for info in found if info.type == fs.FileType.File}

    def opened(self, paths: Sequence[str]) -> tuple[fs.FileSystem, list[str]]:
        """The file system, and lake paths as its own: for readers that take their files from there."""
        return self._filesystem, [self._at(path) for path in paths]

    def table(self, contract: Contract, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of one of the lake's tables, in the order of its parts' names, compacted or not; an empty table where there are none."""
        return reading.read(self, contract, columns)

    # ---- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def publication(self, stage: str, key: str, fingerprint: str) -> Iterator[Publication]:
        """A scratch folder for one stage's outputs of one study; nothing is visible before `Publication.commit`."""
        name = f"{ProcessId.current()}-{secrets.token_hex(6)}"
        scratch = self.root / _SCRATCH / name if self.root is not None else Path(tempfile.mkdtemp(prefix=f"safelight-{name}-"))
        _persist(lambda: scratch.mkdir(parents=True, exist_ok=True))
        try:
            yield Publication(self, stage, key, fingerprint, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._prune(f"{_SCRATCH}/x")

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files that belong to no study, one after the other in the order given, each at once or not at all."""
        name = f"{ProcessId.current()}-{secrets.token_hex(6)}"
        scratch = self.root / _SCRATCH / name if self.root is not None else Path(tempfile.mkdtemp(prefix=f"safelight-{name}-"))
        try:
            sources = {path: scratch / str(number) for number, path in enumerate(files)}
            for path, source in sources.items():
                _persist(partial(_deposit, source, files[path]))
            self._place(sources)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._prune(f"{_SCRATCH}/x")

    def intact(self, manifest: Manifest) -> bool:
        """Whether a publication lies there whole: each file with the content that the manifest names, and nothing to be removed."""
        return not manifest.stale and all(
            self.exists(name) and hashlib.sha256(self.read(name)).hexdigest() == said for name, said in manifest.files.items()
        )

    def withdraw(self, stage: str, key: str) -> None:
        """Remove what a stage published under a study's key, what was compacted of it too, its manifest last."""
        published = self.manifest(stage, key)
        paths = sorted({*published.files, *published.stale}) if published is not None else []
        for path in paths:
            self._remove(path)
        for path in coverage.of(self, paths):  # asked after the parts are gone: what is compacted from now on is without them
            self._remove(path)
        self._remove(_manifest_path(stage, key))

    def clear(self, prefix: str, keep: Iterable[str]) -> None:
        """Remove all files below `prefix` but those of `keep` (lake paths)."""
        for path in sorted(set(self.files(prefix)) - set(keep)):
            self._remove(path)

    def sweep(self) -> int:
        """Remove scratch that processes of this host left when they were killed, and the empty scratch folder itself.

        Returns:
            how many leftovers were removed.
        """
        folder = self.root / _SCRATCH if self.root is not None else None
        if folder is None or not folder.exists():
            return 0
        removed = 0
        for entry in sorted(folder.iterdir()):
            owner = ProcessId.parse(entry.name.rsplit("-", 1)[0])
            if owner is not None and not owner.is_alive():
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
                removed += 1
        self._prune(f"{_SCRATCH}/x")
        return removed

    def _write(self, path: str, content: bytes) -> None:
        self._filesystem.create_dir(self._at(path).rsplit("/", 1)[0], recursive=True)
        with self._filesystem.open_output_stream(self._at(path)) as stream:
            stream.write(content)

    def _place(self, sources: Mapping[str, Path], forced: Collection[str] = ()) -> None:
        """Move scratch files to their final names, for good: one rename each locally, one upload each to an object store.

        Files are forced to disk side by side, but those of `forced`, which lie there already; and each folder once.
        """
        if self.root is None:
            for path, source in sources.items():
                self._write(path, source.read_bytes())
            return
        _force(source for path, source in sources.items() if path not in forced)
        root = str(self.root)
        for path, source in sources.items():
            _persist(partial(_move, source, f"{root}/{path}"))
        parents = {path.rpartition("/")[0] for path in sources}
        folders = {self.root, *(self.root / above for each in parents if each for above in (Path(each), *Path(each).parents))}
        _force(folders)  # a rename alone may be lost with the power

    def _remove(self, path: str) -> None:
        if self.exists(path):
            self._filesystem.delete_file(self._at(path))
            self._prune(path)

    def _prune(self, path: str) -> None:
        """Remove the folders above `path` that have become empty (local lakes only; object stores have no folders)."""
        if self.root is None:
            return
        folder = (self.root / path).parent
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:  # not empty, gone already, or used by another process: all fine
                return
            folder = folder.parent


@dataclass
class Publication:
    """One stage's outputs of one study on their way into the lake."""

    lake: Lake
    stage: str
    key: str
    fingerprint: str
    scratch: Path
    _files: dict[str, Path] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _kept: dict[str, str] = field(default_factory=dict)
    _forced: set[str] = field(default_factory=set)

    def path(self, lake_path: str) -> Path:
        """Where to write the file that will be published as `lake_path` (forward slashes, relative)."""
        target = self.scratch / lake_path
        folder = lake_path.rpartition("/")[0]
        if folder not in self._folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        self._files[lake_path] = target
        return target

    def hashed(self, lake_path: str, sha256: str) -> None:
        """State the SHA-256 of a file that was announced by `path`, so that it is not read again."""
        self._hashes[lake_path] = sha256

    def discard(self, lake_path: str) -> None:
        """Take back a file that was announced by `path`."""
        self._files.pop(lake_path).unlink(missing_ok=True)

    def write(self, lake_path: str, content: bytes) -> None:
        """Add a file from its bytes."""
        self.path(lake_path).write_bytes(content)

    def adopt(self, lake_path: str, source: Path, sha256: str, *, forced: bool = False) -> None:
        """Add a file that was written elsewhere, by moving it here.

        Args:
            sha256: of its content, so that it is not read again.
            forced: it lies on disk already, and is not forced there again.
        """
        target = self.path(lake_path)
        try:
            source.replace(target)
            self._forced.update((lake_path,) if forced else ())
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(source, target)  # from another file system: a new file
        self._hashes[lake_path] = sha256

    def keep(self, lake_path: str, sha256: str) -> None:
        """Go on publishing a file that lies in the lake already, with this SHA-256."""
        self._kept[lake_path] = sha256

    def write_table(self, contract: Contract, rows: Sequence[Mapping[str, Any]] | pa.Table, *, part: str | None = None) -> None:
        """Validate rows by their contract and add them as `tables/<name>/<part>.parquet` (part: the study's key).

        No rows, no file. Raises `data_contracts.contract.ContractError` for the first row that breaks the contract.
        """
        table = contract.validate(rows)
        if table.num_rows:
            target = self.path(f"tables/{contract.name}/{part or self.key}.parquet")
            parquet.write(table, target)

    def commit(self, *, tally: Sequence[Count] = (), passed: int = 0) -> Manifest:
        """Publish: files first, the manifest last; then remove what an earlier manifest listed and this one does not.

        A file that was announced by `path` and never written raises FileNotFoundError, before anything is moved.
        """
        hashes = {
            name: self._hashes.get(name) or hashlib.sha256(source.read_bytes()).hexdigest()
            for name, source in sorted(self._files.items())
        } | self._kept
        earlier = self.lake.manifest(self.stage, self.key)
        before = earlier or Manifest(self.stage, self.key, "", {}, (), 0)
        stale = tuple(sorted({*before.files, *before.stale} - set(hashes)))
        manifest = Manifest(self.stage, self.key, self.fingerprint, hashes, tuple(tally), passed)
        # Every name is noted before it is used: what a crash leaves half-published is found by the next commit, or by `withdraw`.
        names = tuple(sorted({*before.stale, *hashes} - set(before.files)))
        self._place_manifest(replace(before, fingerprint="", stale=names))
        self.lake._place(dict(sorted(self._files.items())), self._forced)
        if stale:
            self._place_manifest(replace(manifest, stale=stale))  # so that a crash from here on forgets none of them
            for name in stale:
                self.lake._remove(name)
        self._place_manifest(manifest)
        return manifest

    def _place_manifest(self, manifest: Manifest) -> None:
        last = self.scratch / "manifest.json"
        last.write_bytes(manifest.to_json())
        self.lake._place({_manifest_path(self.stage, self.key): last})


def _move(source: Path, target: str) -> None:
    try:
        source.replace(target)
    except FileNotFoundError:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _deposit(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _force(paths: Iterable[Path]) -> None:
    """Wait until files, or the names in folders, are on disk."""
    with Forcing() as forcing:
        for path in paths:
            forcing.take(os.open(path, os.O_RDONLY))


def _persist(action: Callable[[], object]) -> None:
    """Do `action` again where another process removed an empty folder under its feet."""
    for _ in range(20):
        try:
            action()
            return
        except FileNotFoundError:
            time.sleep(0.005)
    action()


def _folder(stage: str) -> str:
    return stage.replace(":", "/")


def _manifest_path(stage: str, key: str) -> str:
    return f"manifests/{_folder(stage)}/{key}.json"
