"""For tests: lakes with volumes of many patients, published through the contracts as the stages do."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b32encode
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from data_contracts import cohort, reference, studies, volumes
from tasks.lake import Lake, Publication

SHAPE = (6, 5, 4)
AFFINE = np.diag([-0.8, -0.8, 2.0, 1.0])
_MAKERS = ("SYNTHETIC Alpha", "SYNTHETIC Beta")


def patient(number: int) -> str:
    """A key of the lake."""
    return f"SL-{b32encode(hashlib.sha256(str(number).encode()).digest())[:12].decode()}"


def nifti(path: Path, seed: int, shape: tuple[int, ...] = SHAPE) -> None:
    """A volume of noise."""
    voxels = np.random.default_rng(seed).integers(-1000, 400, shape).astype(np.int16)
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(voxels, AFFINE).to_bytes(), 1, mtime=0))


def study(lake: Lake, number: int, *parts: dict[str, Any], who: int | None = None) -> str:
    """Publish a study of one volume a part; a part holds what differs in its row of `volumes`. Gives the study's key."""
    key = f"2.25.{1000 + number}"
    with lake.publication("volumes", key, "f" * 64) as publication:
        rows, facts = _study(publication, number, parts or ({},), patient(number if who is None else who))
        publication.write_table(volumes.CONTRACT, rows)
        publication.write_table(studies.CONTRACT, [facts])
        publication.commit(passed=len(rows))
    return key


def several(lake: Lake, *numbers: int) -> None:
    """Publish studies of one volume each together, which is quicker."""
    with lake.publication("volumes", "several", "f" * 64) as publication:
        made = [_study(publication, number, ({},), patient(number)) for number in numbers]
        publication.write_table(volumes.CONTRACT, [row for rows, _ in made for row in rows])
        publication.write_table(studies.CONTRACT, [facts for _, facts in made])
        publication.commit(passed=len(made))


def _study(
    publication: Publication, number: int, parts: tuple[dict[str, Any], ...], owner: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    key = f"2.25.{1000 + number}"
    rows = []
    for place, part in enumerate(parts):
        series = f"2.25.{number}00{place}"
        path = f"volumes/{owner}/{key}/{series}_0.nii.gz"
        row: dict[str, Any] = {column.name: None for column in volumes.CONTRACT.columns} | {
            "StudyInstanceUID": key, "PatientID": owner, "SeriesInstanceUID": series, "volume_index": 0, "status": "converted",
            "reason_code": "", "kind": "3d", "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": _MAKERS[number % 2],
            "ManufacturerModelName": "One", "ConvolutionKernel": "B30f", "KVP": 120.0, "SliceThickness": 2.0, "n_instances": 4,
            "n_frames": 4, "n_duplicates": 0, "n_columns": SHAPE[0], "n_rows": SHAPE[1], "n_slices": SHAPE[2], "n_volumes": 1,
            "column_spacing_mm": 0.8, "row_spacing_mm": 0.8, "slice_spacing_mm": 2.0, "split_by": [], "is_sheared": False,
            "regularly_spaced_3d_volume": True, "units": "HU", "dtype": "int16", "lossy": False, "source_instances": [],
            "source_frames": [],
        }  # fmt: skip
        if part.get("status") != "quarantined":
            nifti(publication.path(path), number * 10 + place, (*SHAPE, 2) if part.get("kind") == "4d" else SHAPE)
            row |= {"path": path, "sha256": hashlib.sha256(publication.path(path).read_bytes()).hexdigest()}
        rows.append(row | part)
    return rows, dict.fromkeys(column.name for column in studies.CONTRACT.columns) | {
        "StudyInstanceUID": key, "PatientID": owner, "study_year": 2024, "PatientSex": "FM"[number % 2], "age_years": 20 + number % 60,
        "age_over_89": False, "PatientSize": None, "PatientWeight": None, "modalities": ["CT"], "n_series": len(rows), "n_instances": 4,
        "n_volumes": len(rows), "n_resampled": 0, "n_quarantined": 0,
    }  # fmt: skip


def people(lake: Lake, *numbers: int, **said: Any) -> None:
    """Publish rows of `cohort` for studies that were made by `study` with these numbers; `said` is the same for all."""
    rows = [
        {"StudyInstanceUID": f"2.25.{1000 + number}", "PatientID": patient(number), "sex": "F", "age_years": 50, "age_band": "45-64",
         "race": "White", "ethnicity": "Not Hispanic or Latino", "site": "A1"} | said
        for number in numbers
    ]  # fmt: skip
    with lake.publication("import", "cohort", "f") as publication:
        publication.write_table(cohort.CONTRACT, rows, part="cohort")
        publication.commit()


def findings(lake: Lake, *numbers: int) -> None:
    """Publish reference labels: odd studies have a nodule."""
    rows = [
        {"StudyInstanceUID": f"2.25.{1000 + number}", "PatientID": patient(number), "finding": "nodule", "label": number % 2}
        for number in numbers
    ]
    with lake.publication("import", "reference", "f") as publication:
        publication.write_table(reference.CONTRACT, rows, part="reference")
        publication.commit()
