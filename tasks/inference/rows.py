"""A study's readings as rows of the tables `predictions`, `detections` and `segments`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.imaging.grids import Grid
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution
from tasks.inference.protocol import Labels, PlacedBox, Reading

Row = dict[str, Any]

_LPS = np.array([-1.0, -1.0, 1.0])


def unread(bundle: Bundle, how: Execution, code_sha256: str) -> list[Row]:
    """Rows of `predictions` before anything is known of a volume: one a finding."""
    manifest = bundle.manifest
    unknown = ("SeriesInstanceUID", "volume_path", "score", "input_content_share")
    statistics = ("mean", "std", "min", "max", "p01", "p50", "p99")
    blank: Row = dict.fromkeys(unknown) | {f"input_{name}": None for name in statistics}
    blank |= {
        "model_name": manifest.name,
        "model_version": manifest.version,
        "kind": manifest.head.kind,
        "reason_code": "",
        "weights_sha256": manifest.weights.sha256,
        "manifest_sha256": bundle.manifest_sha256,
        "preprocessing_sha256": bundle.preprocessing_sha256,
        "code_sha256": code_sha256,
        "variant": how.variant_name,
        "device": how.device,
    }
    return [blank | {"finding": said.finding} for said in manifest.findings]


def boxes(reading: Reading, volume: Mapping[str, Any], grid: Grid, bundle: Bundle) -> list[Row]:
    """Rows of `detections`.

    Args:
        reading: with boxes, of each finding the highest score first.
        volume: the row of the table `volumes`.
        grid: the volume's.
        bundle: the model.
    """
    rows, counted = [], dict.fromkeys((said.finding for said in bundle.manifest.findings), 0)
    for box in reading.boxes:
        center = [(a + b - 1) / 2 for a, b in zip(box.start, box.stop, strict=True)]
        extent = [(b - a) * mm for a, b, mm in zip(box.start, box.stop, grid.spacing_mm, strict=True)]
        rows.append(_volume(volume, bundle) | _slice(box, volume) | {
            "finding": box.finding,
            "detection_index": counted[box.finding],
            "score": box.score,
            "voxel_start": list(box.start),
            "voxel_stop": list(box.stop),
            "center_lps_mm": _lps(grid, center),
            "extent_mm": extent,
        })  # fmt: skip
        counted[box.finding] += 1
    return rows


def segments(labels: Labels, volume: Mapping[str, Any], grid: Grid, bundle: Bundle, path: str, sha256: str) -> list[Row]:
    """Rows of `segments`: one a finding.

    Args:
        labels: (i, j, k), of the volume's shape.
        volume: the row of the table `volumes`.
        grid: the volume's.
        bundle: the model.
        path, sha256: of the label map's file.
    """
    voxel_ml = abs(float(np.linalg.det(grid.affine_ras[:3, :3]))) / 1000
    counts, sums = _moments(labels)
    rows = []
    for said in bundle.manifest.findings:
        label = bundle.manifest.label_of(said.finding)
        n = int(counts[label])
        rows.append(_volume(volume, bundle) | {
            "finding": said.finding,
            "label": label,
            "path": path,
            "sha256": sha256,
            "n_voxels": n,
            "volume_ml": n * voxel_ml,
            "center_lps_mm": _lps(grid, [float(total) / n for total in sums[:, label]]) if n else None,
        })  # fmt: skip
    return rows


def _moments(labels: Labels) -> tuple[Any, Any]:
    """Of each label the number of voxels, (256,), and the sums of their (i, j, k), (3, 256); slice by slice."""
    counts, sums = np.zeros(256, np.int64), np.zeros((3, 256), np.int64)
    for k in range(labels.shape[2]):
        plane = labels[:, :, k]
        counts[0] += plane.size
        i, j = (np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0))
        if not i.size:
            continue
        part = plane[i[0] : i[-1] + 1, j[0] : j[-1] + 1].astype(np.int32)
        numbers = 256 * np.arange(max(part.shape), dtype=np.int32)
        for axis, first, along in ((0, i[0], numbers[: part.shape[0], None]), (1, j[0], numbers[None, : part.shape[1]])):
            table = np.bincount((part + along).ravel(), minlength=256 * part.shape[axis]).reshape(-1, 256)
            sums[axis] += (np.arange(first, first + part.shape[axis])) @ table
        here = table.sum(axis=0)
        counts[0] -= part.size
        counts += here
        sums[2] += here * k
    return counts, sums


def _volume(volume: Mapping[str, Any], bundle: Bundle) -> Row:
    names = ("StudyInstanceUID", "PatientID", "SeriesInstanceUID")
    return {name: volume[name] for name in names} | {
        "volume_path": volume["path"],
        "model_name": bundle.manifest.name,
        "model_version": bundle.manifest.version,
    }


def _slice(box: PlacedBox, volume: Mapping[str, Any]) -> Row:
    """The image through the box's centre: null of a volume on another grid than its images'."""
    sources, frames = volume["source_instances"] or (), volume["source_frames"] or ()
    if volume["resampled_from"] is not None or len(sources) != volume["n_slices"]:
        return {"SOPInstanceUID": None, "frame_number": None}
    middle = (box.start[2] + box.stop[2] - 1) // 2
    return {"SOPInstanceUID": sources[middle], "frame_number": frames[middle] if len(frames) == len(sources) else None}


def _lps(grid: Grid, place: list[float]) -> list[float]:
    """A place in voxels (i, j, k) in DICOM's patient frame, in mm."""
    ras = grid.affine_ras @ np.array([*place, 1.0])
    return [float(value) for value in ras[:3] * _LPS + 0.0]
