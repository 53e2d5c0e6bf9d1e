"""What every export is made of: the cases of a release, each with a name for files, its facts and its labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.release.frozen import Frozen

#: The facts of a volume that go along with it.
_OF_VOLUME = (
    "StudyInstanceUID", "SeriesInstanceUID", "volume_index", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName",
    "ConvolutionKernel", "KVP", "SliceThickness", "EchoTime", "DiffusionBValue", "units", "status", "lossy",
)  # fmt: skip
_OF_STUDY = ("sex", "age_band", "race", "ethnicity", "site", "study_year")


@dataclass(frozen=True)
class Case:
    """One volume of a release.

    Attributes:
        name: `<patient's 12 characters>_<12 hex digits of the volume's hash>`: letters, digits and one underscore, unique in the lake.
        path, sha256, size: the volume's file in the lake.
        facts: of the volume and its study, nulls left out.
        findings: finding → 1 or 0, of its study.
        label: the file of its label volume, or None.
    """

    name: str
    split: str
    patient: str
    study: str
    kind: str | None
    dtype: str | None
    path: str
    sha256: str
    size: int
    facts: Mapping[str, Any]
    findings: Mapping[str, int]
    label: Path | None


def short(key: str) -> str:
    """12 hex digits of the SHA-256 of a key of the lake: for names that must be short."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def cases(frozen: Frozen, label_folder: Path | None) -> list[Case]:
    """The cases of a release by name.

    Args:
        label_folder: a folder with label volumes, each named as its image in the lake (`<SeriesInstanceUID>_<index>.nii.gz`).
    """
    studies = {row["StudyInstanceUID"]: row for row in frozen.studies}
    findings: dict[str, dict[str, int]] = {}
    for row in frozen.labels:
        findings.setdefault(row["StudyInstanceUID"], {})[row["finding"]] = int(row["label"])
    found = []
    for row in frozen.volumes:
        study = row["StudyInstanceUID"]
        label = label_folder / Path(row["path"]).name if label_folder is not None else None
        facts = {name: row[name] for name in _OF_VOLUME} | {name: studies[study][name] for name in _OF_STUDY}
        found.append(
            Case(
                name=f"{row['PatientID'].removeprefix('SL-')}_{short(row['path'])}", split=row["split"], patient=row["PatientID"], study=study,
                kind=row["kind"], dtype=row["dtype"], path=row["path"], sha256=row["sha256"], size=row["size_bytes"],
                facts={name: value for name, value in facts.items() if value is not None}, findings=findings.get(study, {}),
                label=label if label is not None and label.is_file() else None,
            )
        )  # fmt: skip
    return sorted(found, key=lambda case: case.name)


def modality(chosen: Sequence[Case]) -> str | None:
    """The one modality of all cases; None where there are several, or where one does not say."""
    known = {case.facts.get("Modality") for case in chosen}
    return known.pop() if len(known) == 1 else None
