"""A plain folder of de-identified DICOM as a source of studies: what is in it, by study, and what cannot be taken."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from data_contracts.contract import UID_PATTERN
from tasks.dicom.headers import word
from tasks.lake import Lake
from tasks.stage import digest
from tasks.volumes.intake import read


@dataclass(frozen=True)
class Folder:
    """Files by study key, in the order of their names, and how many files were rejected for which reason."""

    studies: Mapping[str, tuple[Path, ...]]
    rejected: Mapping[str, int]

    def inputs(self) -> dict[str, str]:
        """Each study's input digest: the content of its files, whatever their names."""
        return {
            key: digest(sorted(sha256(file.read_bytes()).hexdigest() for file in files))
            for key, files in sorted(self.studies.items())
        }


@cache
def scan(folder: Path, lake: Path | None = None) -> Folder:
    """Look at every file below `folder`, once a process; what `lake` holds beside its `dicom` folder is no source.

    A file that is no DICOM is rejected by E-VOLUME-NOT-DICOM; one whose study has no key of ours by E-VOLUME-IDENTIFIED where it is
    not marked as de-identified, else by E-VOLUME-FOREIGN-KEYS. All others are left to the stage, which looks closer.
    """
    studies: dict[str, list[Path]] = defaultdict(list)
    rejected: Counter[str] = Counter()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not _is_product(path, lake)):
        instance = read(file)
        key = "" if instance is None else word(instance.header, "StudyInstanceUID") or ""
        if instance is None:
            rejected["E-VOLUME-NOT-DICOM"] += 1
        elif re.fullmatch(UID_PATTERN, key):
            studies[key].append(file)
        elif word(instance.header, "PatientIdentityRemoved") != "YES":
            rejected["E-VOLUME-IDENTIFIED"] += 1
        else:
            rejected["E-VOLUME-FOREIGN-KEYS"] += 1
    return Folder({key: tuple(files) for key, files in studies.items()}, dict(rejected))


def published_inputs(folder: Path, lake: Lake) -> dict[str, str] | None:
    """Input digests as the night has them, where `folder` is the lake's own `dicom` folder and all in it was published there.

    None where the folder has to be scanned.
    """
    if lake.root is None or folder.resolve() != (lake.root / "dicom").resolve():
        return None
    manifests = list(lake.manifests("deidentify"))
    listed = {path for manifest in manifests for path in manifest.files if path.startswith("dicom/")}
    if set(lake.files("dicom")) != listed:
        return None
    return {manifest.key: manifest.digest for manifest in manifests if manifest.passed}


def _is_product(path: Path, lake: Path | None) -> bool:
    return lake is not None and path.is_relative_to(lake) and path.relative_to(lake).parts[0] != "dicom"
