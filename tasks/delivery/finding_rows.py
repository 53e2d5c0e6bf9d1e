"""What a model says of a study, finding by finding, with codes, thresholds, sizes and where in the study to look."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow.parquet as pq

from tasks.delivery.priority import band_of
from tasks.delivery.served import Served
from tasks.delivery.standing import Reading
from tasks.delivery.worklist import NOT_CALIBRATED
from tasks.errors import SafelightError
from tasks.inference.manifest import Code, Finding
from tasks.lake import Lake


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers by which people find an image: SeriesNumber by the series' lake key, InstanceNumber by the instance's."""

    series: Mapping[str, int]
    instances: Mapping[str, int]


def numbers(lake: Lake, study_key: str) -> Numbers:
    """As the stage `volumes` published them; raise SafelightError E-DELIVER-STALE where its tables are others."""
    found: list[dict[str, int]] = []
    published = lake.manifest("volumes", study_key)
    for table, key, number in (
        ("series", "SeriesInstanceUID", "SeriesNumber"),
        ("instances", "SOPInstanceUID", "InstanceNumber"),
    ):
        path = f"tables/{table}/{study_key}.parquet"
        if published is None or path not in published.files:
            found.append({})
            continue
        content = lake.read(path) if lake.exists(path) else b""
        if sha256(content).hexdigest() != published.files[path]:
            raise SafelightError("E-DELIVER-STALE", f"study {study_key}")
        rows = pq.read_table(io.BytesIO(content), columns=[key, number], use_threads=False).to_pylist()
        found.append({row[key]: row[number] for row in rows if row[number] is not None})
    return Numbers(*found)


def said(one: Served, reading: Reading, where: Numbers) -> list[dict[str, Any]]:
    """One entry a finding of the manifest, in its order, as JSON-able data.

    `present`: whether the score reaches the first operating point; null without a score. `detections`: the boxes that reach it, the highest
    score first, with edges in mm along the image's rows and columns (`long_mm`, `short_mm`: the longer first) and across the images
    (`across_mm`), and their centre in DICOM's patient frame (LPS, mm); `n_below` counts the others.
    """
    return [_entry(one, finding, reading, where) for finding in one.manifest.findings]


def _entry(one: Served, finding: Finding, reading: Reading, where: Numbers) -> dict[str, Any]:
    score = reading.scores.get(finding.finding)
    entry: dict[str, Any] = {
        "finding": finding.finding, "code": _code(finding.code), "site": _code(finding.site), "kind": one.manifest.head.kind, "score": score,
        "operating_point": None, "present": None, "probability": None,
    }  # fmt: skip
    if score is not None:
        point, band = finding.operating_point, band_of(finding, score)
        entry["operating_point"] = {"name": point.name, "threshold": point.threshold}
        entry["present"] = score >= point.threshold
        entry["probability"] = (
            NOT_CALIBRATED if band is None else {"band": band.name, "low": band.probability[0], "high": band.probability[1]}
        )
    if one.manifest.head.kind == "detection" and score is not None:
        boxes = [row for row in reading.detections if row["finding"] == finding.finding]
        kept = [row for row in boxes if row["score"] >= finding.operating_point.threshold]
        entry["detections"] = [_box(row, where) for row in sorted(kept, key=lambda row: row["detection_index"])]
        entry["n_below"] = len(boxes) - len(kept)
    if one.manifest.head.kind == "segmentation":
        volumes = [row["volume_ml"] for row in reading.segments if row["finding"] == finding.finding]
        entry["volume_ml"] = round(sum(volumes), 3) if volumes else None
    return entry


def _box(row: Mapping[str, Any], where: Numbers) -> dict[str, Any]:
    rows, columns, across = (round(edge, 3) for edge in row["extent_mm"])
    return {
        "score": row["score"], "long_mm": max(rows, columns), "short_mm": min(rows, columns), "across_mm": across,
        "center_lps_mm": [round(value, 1) for value in row["center_lps_mm"]],
        "series_number": where.series.get(row["SeriesInstanceUID"]), "image_number": where.instances.get(row["SOPInstanceUID"] or ""),
        "frame_number": row["frame_number"],
    }  # fmt: skip


def _code(code: Code | None) -> dict[str, str] | None:
    return None if code is None else code.model_dump()
