"""Lakes to review: volumes with a bright block, and what a model that never ran says of them, written through the contracts."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml
from numpy.typing import NDArray

from data_contracts import detections, predictions, segments, volumes
from tasks.inference.bundle import Bundle, load
from tasks.inference.execution import REFERENCE
from tasks.inference.registry import register
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.stage import fingerprint

PATIENT = "SL-ABCDEFGHIJKL"
HEADS: dict[str, dict[str, Any]] = {
    "classification": {"kind": "classification"},
    "detection": {"kind": "detection", "form": "map", "threshold": 0.5},
    "segmentation": {"kind": "segmentation", "activation": "softmax"},
}
Box = tuple[tuple[int, int, int], tuple[int, int, int]]


def finding(name: str = "nodule", channel: int = 0, kind: str = "classification", **more: Any) -> dict[str, Any]:
    """A manifest's finding, with all that one may have."""
    said: dict[str, Any] = {
        "finding": name, "channel": channel, "code": {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"},
        "site": {"scheme": "SCT", "value": "39607008", "meaning": "Lung"},
        "service_level": {"minutes": 20, "source": "made up"},
    }  # fmt: skip
    if kind != "segmentation":
        said |= {
            "operating_points": [
                {"name": "screening", "threshold": 0.4, "source": "made up"}, {"name": "specific", "threshold": 0.8, "source": "made up"},
            ],
            "bands": [
                {"name": "low", "lowest": 0.0, "probability": [0.0, 0.1], "source": "made up"},
                {"name": "high", "lowest": 0.6, "probability": [0.6, 0.9], "source": "made up"},
            ],
        }  # fmt: skip
    return said | more


def bundle(folder: Path, kind: str = "classification", **changes: Any) -> Bundle:
    """A model that can be named, not run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    said: dict[str, Any] = {
        "name": f"tiny_{kind}", "version": "1.0.0", "intended_use": "Tests of the review.", "synthetic_only": False,
        "weights": {
            "format": "safetensors", "file": "weights.safetensors", "sha256": sha256(b"weights").hexdigest(),
            "architecture": {"network": "tasks.inference.networks:NoduleNet", "arguments": {"channels": 4}},
        },
        "input": {
            "spacing_mm": [2.0, 2.0, 2.0], "orientation": "LPS", "interpolation": "linear", "order": "resample_then_window", "padding": -1024.0,
            "window": {"kind": "window", "center": -600.0, "width": 1500.0},
        },
        "accepted": {"modality": ["CT"], "body_part": ["CHEST"], "slice_mm": [0.5, 10.0], "kvp": [80, 140]},
        "profile": {
            "mean": [0.1, 0.4], "std": [0.1, 0.5], "content_range": [-950, -500], "content_share": [0.05, 0.6], "p50": [0.0, 0.5],
        },
        "head": HEADS[kind], "findings": [finding("nodule", int(kind == "segmentation"), kind)], "training": {"seed": 1},
    }  # fmt: skip
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said | changes, sort_keys=False), "utf-8")
    return load(folder)


def chest(shape: tuple[int, int, int] = (40, 36, 30), seed: int = 0) -> NDArray[np.int16]:
    """int16 HU (i, j, k): lung everywhere, with a little noise."""
    return np.rint(-850 + np.random.default_rng(seed).normal(0, 15, shape)).astype(np.int16)


def with_block(voxels: NDArray[Any], box: Box, value: int = 400) -> NDArray[Any]:
    """The same with a bright block."""
    found = voxels.copy()
    found[tuple(slice(first, last) for first, last in zip(*box, strict=True))] = value
    return found


def affine(
    order: Sequence[int] = (0, 1, 2), signs: Sequence[int] = (-1, -1, 1), spacing: Sequence[float] = (1.0, 1.0, 2.5)
) -> NDArray[np.float64]:
    """Voxel to RAS: axis a of the array runs along the patient's axis `order[a]` (right, anterior, superior), or against it."""
    made = np.zeros((4, 4))
    made[3, 3] = 1
    for axis, (patient, sign, step) in enumerate(zip(order, signs, spacing, strict=True)):
        made[patient, axis] = sign * step
    made[:3, 3] = 10.0, -20.0, 30.0
    return made


def directions() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All 48 ways in which an array's axes can run along the patient's."""
    return [(order, signs) for order in permutations(range(3)) for signs in product((-1, 1), repeat=3)]


def volume(n: int = 0, **change: Any) -> dict[str, Any]:
    """`voxels`, `affine`, and any column of the table `volumes`."""
    return {"series": 1000 + n, "voxels": chest(seed=n), "affine": affine()} | change


def publish(lake: Lake, study: int, *given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A study's volumes as the stage `volumes` publishes them; gives their rows. Without any, a series of it was quarantined."""
    key, rows = f"2.25.{study}", []
    blank = {column.name: None for column in volumes.CONTRACT.columns}
    with lake.publication("volumes", key, "f" * 64) as publication:
        for said in given:
            change = dict(said)
            series, voxels, where = f"2.25.{change.pop('series')}", change.pop("voxels"), change.pop("affine")
            path = f"volumes/{PATIENT}/{key}/{series}_0.nii.gz"
            content = gzip.compress(nibabel.Nifti1Image(voxels, where).to_bytes(), 1, mtime=0)
            publication.write(path, content)
            steps = [float(step) for step in np.linalg.norm(where[:3, :3], axis=0)]
            rows.append(blank | {
                "StudyInstanceUID": key, "PatientID": PATIENT, "SeriesInstanceUID": series, "volume_index": 0, "status": "converted",
                "reason_code": "", "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": "SYNTHETIC Alpha", "ConvolutionKernel": "B30f",
                "KVP": 120.0, "n_instances": voxels.shape[2], "n_frames": voxels.shape[2], "n_duplicates": 0, "split_by": [], "kind": "3d",
                "is_sheared": False, "units": "HU", "source_instances": [], "source_frames": [], "path": path,
                "sha256": sha256(content).hexdigest(), "n_columns": voxels.shape[0], "n_rows": voxels.shape[1], "n_slices": voxels.shape[2],
                "n_volumes": 1, "column_spacing_mm": steps[0], "row_spacing_mm": steps[1], "slice_spacing_mm": steps[2],
                "SliceThickness": steps[2], "affine": [float(value) for value in where.ravel()], "dtype": "int16",
            } | change)  # fmt: skip
        held = blank | {
            "StudyInstanceUID": key, "PatientID": PATIENT, "SeriesInstanceUID": "2.25.5", "volume_index": 0, "status": "quarantined",
            "reason_code": "E-VOLUME-MISSING-SLICES", "n_instances": 9, "n_frames": 9, "n_duplicates": 0, "split_by": [],
            "source_instances": [], "source_frames": [],
        }  # fmt: skip
        publication.write_table(volumes.CONTRACT, rows or [held])
        publication.commit(passed=len(rows))
    return rows


def say(
    lake: Lake, model: Bundle, rows: Sequence[Mapping[str, Any]], scores: Mapping[str, float | None], *, reasons: Sequence[str] = (),
    boxes: Mapping[str, Sequence[tuple[Box, float]]] | None = None, labels: NDArray[np.uint8] | None = None, study: int | None = None,
    **statistics: float | None,
) -> None:  # fmt: skip
    """Publish what a model said of a study.

    Args:
        rows: of its volumes; none for a study without one.
        scores: of the findings, of the first volume without a reason.
        reasons: of each volume, why it was not read; empty where it was.
        boxes: of a finding: each with its score, the highest first.
        labels: (i, j, k); each finding's label is its channel.
        statistics: columns `input_…` that differ from plausible ones.
    """
    key = rows[0]["StudyInstanceUID"] if rows else f"2.25.{study}"
    reasons = reasons or [""] * len(rows)
    manifest = model.manifest
    measured = {
        "input_mean": 0.25, "input_std": 0.2, "input_min": 0.0, "input_max": 1.0, "input_p01": 0.01, "input_p50": 0.2, "input_p99": 0.9,
        "input_content_share": 0.3,
    } | statistics  # fmt: skip
    stage = _stage(lake, str(model.folder))
    there = lake.manifest("volumes", key)
    part = f"{manifest.name}/{manifest.version}/{key}"
    base = {"StudyInstanceUID": key, "PatientID": PATIENT, "model_name": manifest.name, "model_version": manifest.version}
    with lake.publication(stage.label(), key, fingerprint(stage, there.digest if there else "")) as publication:
        said, drawn, outlined = [], [], []
        for row, reason in zip(rows or [None], reasons or ["E-INFER-NO-VOLUME"], strict=True):
            made = not reason or reason == "E-INFER-INPUT"
            place = {"SeriesInstanceUID": row and row["SeriesInstanceUID"], "volume_path": row and row["path"]}
            for each in manifest.findings:
                said.append(base | place | {
                    "finding": each.finding, "kind": manifest.head.kind, "score": None if reason else scores.get(each.finding),
                    "status": "not_read" if reason else "read", "reason_code": reason, "weights_sha256": manifest.weights.sha256,
                    "manifest_sha256": model.manifest_sha256, "preprocessing_sha256": model.preprocessing_sha256, "code_sha256": "c" * 64,
                    "variant": "reference", "device": "cpu",
                } | {name: value if made else None for name, value in measured.items()})  # fmt: skip
            if reason:
                continue
            assert row is not None
            matrix = np.reshape(row["affine"], (4, 4))
            for name, found in (boxes or {}).items():
                for place_in, ((start, stop), score) in enumerate(found):
                    middle = matrix @ [*((np.array(start) + stop - 1) / 2), 1.0]
                    drawn.append(base | place | {
                        "finding": name, "detection_index": place_in, "score": score, "voxel_start": list(start), "voxel_stop": list(stop),
                        "center_lps_mm": [-middle[0], -middle[1], middle[2]],
                        "extent_mm": list((np.array(stop) - start) * np.linalg.norm(matrix[:3, :3], axis=0)), "SOPInstanceUID": "2.25.77",
                        "frame_number": 1,
                    })  # fmt: skip
            if labels is not None:
                path = f"segmentations/{PATIENT}/{key}/{manifest.name}/{manifest.version}/{row['SeriesInstanceUID']}_0.nii.gz"
                content = gzip.compress(nibabel.Nifti1Image(labels, matrix).to_bytes(), 1, mtime=0)
                publication.write(path, content)
                for each in manifest.findings:
                    n = int((labels == each.channel).sum())
                    outlined.append(base | place | {
                        "finding": each.finding, "label": each.channel, "path": path, "sha256": sha256(content).hexdigest(), "n_voxels": n,
                        "volume_ml": n * abs(float(np.linalg.det(matrix[:3, :3]))) / 1000, "center_lps_mm": [0.0, 0.0, 0.0] if n else None,
                    })  # fmt: skip
        publication.write_table(predictions.CONTRACT, said, part=part)
        publication.write_table(detections.CONTRACT, drawn, part=part)
        publication.write_table(segments.CONTRACT, outlined, part=part)
        publication.commit(passed=int("" in reasons))


@cache
def _stage(lake: Lake, folder: str) -> InferStage:
    return InferStage(lake, folder, REFERENCE)


def opened(folder: Path, kind: str = "classification", **changes: Any) -> tuple[Lake, Bundle]:
    """An empty lake that has a model of a kind registered."""
    lake = Lake.open(folder / "lake")
    model = bundle(folder / f"model_{kind}", kind, **changes)
    register(lake, model)
    return lake, model
