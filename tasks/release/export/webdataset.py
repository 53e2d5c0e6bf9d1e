"""WebDataset: tar shards of volumes and their facts, that stream; the same release gives the same bytes."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import SafelightError
from tasks.release.export.cases import Case
from tasks.release.export.placing import Placer, hash_of
from tasks.release.frozen import Frozen
from tasks.stage import digest

#: A shard is closed before it would grow over this, or over this many cases.
_SHARD_BYTES, _SHARD_CASES = 1 << 30, 1000
_INDEX = "shards.json"


def export(frozen: Frozen, chosen: Sequence[Case], placer: Placer, shard_bytes: int = _SHARD_BYTES) -> None:
    """Write `NAME-VERSION-SPLIT-000000.tar` and on, and `shards.json` with the SHA-256 and the cases of each.

    A sample's key is the case's name; it has `nii.gz`, `json` (facts and findings) and, where there is one, `label.nii.gz`. Members
    are sorted, of time 0, mode 0644, user and group 0 (POSIX.1-1988 ustar), and never compressed again. A shard that is there and
    of which the index says the same is kept.
    """
    known = _known(placer.folder / _INDEX)
    index: dict[str, dict[str, Any]] = {}
    for split in frozen.facts["splits"]:
        for number, part in enumerate(_parts([case for case in chosen if case.split == split], shard_bytes)):
            name = f"{frozen.name}-{frozen.version}-{split}-{number:06d}.tar"
            wanted = digest([[case.name, case.sha256, _facts(case), hash_of(case.label) if case.label else ""] for case in part])
            there = placer.folder / name
            entry = known.get(name)
            if entry is not None and entry["cases_sha256"] == wanted and there.is_file() and hash_of(there) == entry["sha256"]:
                placer.counts["kept"] += len(part)
            else:
                sha256 = _write(there, part, placer)
                entry = {
                    "split": split,
                    "cases": len(part),
                    "cases_sha256": wanted,
                    "sha256": sha256,
                    "bytes": there.stat().st_size,
                }
                placer.counts["copied"] += len(part)
            index[name] = entry
            placer.write_json(_INDEX, known | index)  # after each, so that a run that was stopped goes on from here
            for _ in part:
                placer.on_case()
    for stale in known.keys() - index.keys():
        (placer.folder / stale).unlink(missing_ok=True)
    placer.write_json(_INDEX, index)


def _parts(chosen: Sequence[Case], most: int) -> Iterator[list[Case]]:
    part: list[Case] = []
    size = 0
    for case in chosen:
        if part and (size + case.size > most or len(part) == _SHARD_CASES):
            yield part
            part, size = [], 0
        part.append(case)
        size += case.size
    if part:
        yield part


def _write(target: Path, part: Sequence[Case], placer: Placer) -> str:
    """Write a shard as a whole; gives its SHA-256."""
    scratch = target.with_name(f".{target.name}.part")
    with tarfile.open(scratch, "w", format=tarfile.USTAR_FORMAT) as archive:
        for case in part:
            _add(archive, f"{case.name}.json", json.dumps(_facts(case), sort_keys=True, ensure_ascii=False).encode())
            if case.label is not None:
                _add(archive, f"{case.name}.label.nii.gz", case.label.read_bytes())
            if not placer.lake.exists(case.path):
                raise SafelightError("E-RELEASE-VOLUME", f"case {case.name}: no file")
            with placer.lake.local([case.path]) as files:
                if hash_of(files[case.path]) != case.sha256:
                    raise SafelightError("E-RELEASE-VOLUME", f"case {case.name}")
                _add(archive, f"{case.name}.nii.gz", files[case.path].read_bytes())
    scratch.replace(target)
    return hash_of(target)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)  # time, user and group are 0 and nameless unless they are set
    entry.size = len(content)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(content))


def _facts(case: Case) -> dict[str, Any]:
    return {"PatientID": case.patient, "split": case.split, **case.facts, "findings": dict(case.findings)}


def _known(path: Path) -> dict[str, dict[str, Any]]:
    """What an earlier run has said of its shards; nothing where it can't be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
