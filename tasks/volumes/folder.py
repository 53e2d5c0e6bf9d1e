"""A plain folder of de-identified DICOM as a source of studies: what is in it, by study, and what cannot be taken."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from data_contracts.contract import UID_PATTERN
from tasks.stage import digest

_TAGS = ["StudyInstanceUID", "PatientIdentityRemoved"]


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
def scan(folder: Path) -> Folder:
    """Look at every file below `folder` once a process.

    A file that is no DICOM is rejected by E-VOLUME-NOT-DICOM, one that is not marked as de-identified by E-VOLUME-IDENTIFIED, one
    whose study has no key of ours by E-VOLUME-FOREIGN-KEYS.
    """
    studies: dict[str, list[Path]] = defaultdict(list)
    rejected: Counter[str] = Counter()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            header = dcmread(file, specific_tags=_TAGS, stop_before_pixels=True)
        except (InvalidDicomError, OSError, ValueError, KeyError):
            rejected["E-VOLUME-NOT-DICOM"] += 1
            continue
        key = str(header.get("StudyInstanceUID", ""))
        if header.get("PatientIdentityRemoved") != "YES":
            rejected["E-VOLUME-IDENTIFIED"] += 1
        elif not re.fullmatch(UID_PATTERN, key):
            rejected["E-VOLUME-FOREIGN-KEYS"] += 1
        else:
            studies[key].append(file)
    return Folder({key: tuple(files) for key, files in studies.items()}, dict(rejected))
