"""For tests: versions of the demo's model, a lake in which several versions read a made-up cohort, and change plans for them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.contract import Contract
from data_contracts.predictions import CONTRACT as PREDICTIONS
from data_contracts.reference import CONTRACT as REFERENCE
from data_contracts.studies import CONTRACT as STUDIES
from tasks.changes.plan import ChangePlan
from tasks.evaluation.plan import Plan
from tasks.inference import registry
from tasks.inference.bundle import Bundle, load
from tasks.lake import Lake
from tests.tasks.evaluation.cohorts import columns

N = 300
Floats = NDArray[np.float64]


def version(folder: Path, number: str, **changes: Any) -> Bundle:
    """The demo's bundle with another version, and with other entries of its manifest (dotted names)."""
    shutil.copytree(load("demo_nodule").folder, folder)
    said = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8")) | {"version": number}
    for name, value in changes.items():
        place: Any = said
        *above, last = name.split(".")
        for part in above:
            place = place[int(part) if part.isdigit() else part]
        place[int(last) if last.isdigit() else last] = value
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return load(folder)


def rows(contract: Contract, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with just the contract's columns, null where nothing was said."""
    return [{column.name: row.get(column.name) for column in contract.columns} for row in made]


def cohort(n: int = N, seed: int = 5, year: Any = 2024) -> list[dict[str, Any]]:
    """Studies of `cohorts.columns`, a row each, with everything that the tables say but scores; `year` may be an array."""
    made = columns(n, seed)
    years = np.broadcast_to(year, n)
    return [
        {
            "StudyInstanceUID": str(made["study"][i]), "PatientID": str(made["patient"][i]), "sex": str(made["sex"][i]), "age_band": "45-64",
            "site": "Site 1", "finding": "nodule", "label": int(made["label"][i]), "study_year": None if years[i] is None else int(years[i]),
            "modalities": ["CT"], "n_series": 1, "n_instances": 1, "n_volumes": 1, "n_resampled": 0, "n_quarantined": 0,
        }
        for i in range(n)
    ]  # fmt: skip


def scores(n: int = N, seed: int = 5, noise: float = 0.0) -> Floats:
    """The cohort's scores, blurred by noise on the logit scale."""
    made = columns(n, seed)["score"]
    blur = np.random.default_rng(8).normal(size=n)
    return np.asarray(1 / (1 + np.exp(-(np.log(made / (1 - made)) + noise * blur))), dtype=np.float64)


def readings(
    studies: list[dict[str, Any]], bundle: Bundle, given: Mapping[int, float] | Floats, **more: Any
) -> list[dict[str, Any]]:
    """What a version said of each study: its score, or that it was not read (NaN)."""
    made = []
    for place, study in enumerate(studies):
        score = float(given[place])
        read = bool(np.isfinite(score))
        made.append({
            **study, "SeriesInstanceUID": f"{study['StudyInstanceUID']}1", "model_name": bundle.manifest.name,
            "model_version": bundle.manifest.version, "kind": "classification", "score": score if read else None,
            "status": "read" if read else "not_read", "reason_code": "" if read else "E-INFER-INPUT", "variant": "reference", "device": "cpu",
            "weights_sha256": bundle.manifest.weights.sha256, "manifest_sha256": bundle.manifest_sha256,
            "preprocessing_sha256": bundle.preprocessing_sha256, "code_sha256": "01" * 32, "input_mean": 0.25, "input_std": 0.35, **more,
        })  # fmt: skip
    return made


def put(
    lake: Lake, studies: list[dict[str, Any]], *read: list[dict[str, Any]], labelled: list[dict[str, Any]] | None = None
) -> None:
    """Publish the tables of a cohort and of what was read of it; `labelled` are those with a reference standard, all without it."""
    said = [row for each in read for row in each]
    for contract, made in (
        (STUDIES, studies),
        (REFERENCE, studies if labelled is None else labelled),
        (COHORT, studies),
        (PREDICTIONS, said),
    ):
        with lake.publication("test", contract.name, "") as publication:
            publication.write_table(contract, rows(contract, made))
            publication.commit()


def two_versions(tmp_path: Path, *, noise: tuple[float, float] = (0.8, 0.0), **changes: Any) -> tuple[Lake, Bundle, Bundle]:
    """A lake in which the shipped version, which its name means, and a candidate read the same cohort."""
    lake = Lake.open(tmp_path / "lake")
    old, new = load("demo_nodule"), version(tmp_path / "candidate", "1.1.0", **changes)
    for bundle in (old, new):
        registry.register(lake, bundle)
    registry.promote(lake, "demo_nodule", old.manifest.version)
    studies = cohort()
    put(lake, studies, *(readings(studies, bundle, scores(noise=each)) for bundle, each in zip((old, new), noise, strict=True)))
    return lake, old, new


def evaluation(**changes: Any) -> Plan:
    """An evaluation plan for the cohort."""
    said = {
        "name": "test", "title": "Test", "intended_use": "None.", "finding": "nodule", "model": "demo_nodule", "threshold": "manifest",
        "subgroups": [{"attribute": "sex", "levels": ["F", "M", "O"]}], **changes,
    }  # fmt: skip
    return Plan.model_validate(said)


def change_plan(**changes: Any) -> ChangePlan:
    """A change plan that a better candidate passes; dotted names replace entries."""
    said: dict[str, Any] = {
        "name": "test", "title": "Test", "model": "demo_nodule",
        "description_of_modifications": [
            {"kind": "weights", "description": "Trained anew."},
            {
                "kind": "operating_point", "description": "Chosen anew.",
                "bounds": {"findings.nodule.point.screening.threshold": [0.1, 0.4]},
            },
        ],
        "modification_protocol": {
            "data_management": {"description": "Made up.", "evaluation": "test", "minimum_patients": 100},
            "retraining": "As before.",
            "performance_evaluation": {
                "description": "Intervals.", "limits": [{"metric": "auc", "at_least": 0.6}, {"metric": "auc", "margin": 0.05}],
            },
            "update_procedures": {"description": "By hand.", "approved_by": ["Head of radiology"], "told": ["Radiologists"]},
        },
        "impact_assessment": [
            {"modifications": ["weights", "operating_point"], "benefits": "Some.", "risks": "Some.", "mitigations": "The limits."},
        ],
    }  # fmt: skip
    for name, value in changes.items():
        place: Any = said
        *above, last = name.split("__")
        for part in above:
            place = place[part]
        place[last] = value
    return ChangePlan.model_validate(said)
