"""What one model version said of one study, taken from the lake: scores, boxes, segments, and the volume that they are about."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import nibabel
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.inference.manifest import Manifest, parse
from tasks.lake import Lake
from tasks.stage import digest

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """A study's results.

    Args:
        manifest: of the model.
        manifest_sha256, weights_sha256: of the files that read.
        predictions: rows of the table `predictions` that were read, or, where none was, all of them.
        detections, segments: rows of these tables.
        volume: the row of the table `volumes` that was read; None where none was.
        labels: the label map (i, j, k) of the volume's shape; None where nothing was segmented.
    """

    manifest: Manifest
    manifest_sha256: str
    weights_sha256: str
    predictions: tuple[Row, ...]
    detections: tuple[Row, ...]
    segments: tuple[Row, ...]
    volume: Row | None
    labels: NDArray[np.uint8] | None = field(repr=False, default=None)

    @property
    def read(self) -> bool:
        """Whether the model read the study."""
        return self.volume is not None

    @property
    def model(self) -> str:
        """`name@version`."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that is said, and of which images."""
        about = (
            {name: self.volume[name] for name in ("path", "affine", "source_instances", "source_frames")} if self.volume else {}
        )
        said = [[dict(row) for row in rows] for rows in (self.predictions, self.detections, self.segments)]
        return digest({"manifest": self.manifest_sha256, "volume": about, "said": said})


def take(lake: Lake, name: str, version: str, study_key: str) -> Said:
    """Read what was published of a study by a model version; every byte is the published one.

    Raises:
        SafelightError: E-RETURN-STALE where a file is missing or another one than was published.
    """
    published = lake.manifest(f"infer:{name}@{version}", study_key)
    registered = lake.manifest("models", f"{name}@{version}")
    if published is None or registered is None:
        raise SafelightError("E-RETURN-STALE", f"{name}@{version} {study_key}: not published")
    content = _bytes(lake, f"models/{name}/{version}/manifest.yaml", registered.files)
    part = f"{name}/{version}/{study_key}.parquet"

    def table(kind: str) -> list[dict[str, Any]]:
        path = f"tables/{kind}/{part}"
        return _rows(_bytes(lake, path, published.files)) if path in published.files else []

    predictions, segments = table("predictions"), table("segments")
    if not predictions:
        raise SafelightError("E-RETURN-STALE", f"{name}@{version} {study_key}: no predictions")
    told = [row for row in predictions if row["status"] == "read"]
    paths = {row["volume_path"] for row in told}
    if len(paths) > 1:
        raise SafelightError("E-RETURN-STALE", f"{name}@{version} {study_key}: more than one volume was read")
    volume = _volume(lake, study_key, paths.pop()) if told else None
    return Said(
        parse(content, f"{name}@{version}"), sha256(content).hexdigest(), str(predictions[0]["weights_sha256"]), tuple(told or predictions),
        tuple(table("detections")), tuple(segments), volume, _labels(lake, segments, published.files, volume),
    )  # fmt: skip


def _bytes(lake: Lake, path: str, files: Mapping[str, str]) -> bytes:
    if path not in files or not lake.exists(path):
        raise SafelightError("E-RETURN-STALE", path)
    content = lake.read(path)
    if sha256(content).hexdigest() != files[path]:
        raise SafelightError("E-RETURN-STALE", path)
    return content


def _rows(content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return found


def _volume(lake: Lake, study_key: str, path: str) -> Row:
    published = lake.manifest("volumes", study_key)
    files = published.files if published is not None else {}
    rows = _rows(_bytes(lake, f"tables/volumes/{study_key}.parquet", files))
    found = [row for row in rows if row["path"] == path]
    if not found:
        raise SafelightError("E-RETURN-STALE", path)
    return found[0]


def _labels(lake: Lake, segments: list[dict[str, Any]], files: Mapping[str, str], volume: Row | None) -> NDArray[np.uint8] | None:
    """The label map, held to its volume's grid and to what the table counted."""
    if not segments or volume is None:
        return None
    path = segments[0]["path"]
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(_bytes(lake, path, files)))
    labels: NDArray[np.uint8] = np.asanyarray(image.dataobj)
    affine = np.reshape(volume["affine"], (4, 4))
    if labels.dtype != np.uint8 or not np.allclose(image.affine, affine, atol=1e-3):
        raise SafelightError("E-RETURN-GEOMETRY", f"{path}: not on the volume's grid")
    counts = np.bincount(labels.reshape(-1), minlength=256)
    if any(row["path"] != path or counts[row["label"]] != row["n_voxels"] for row in segments):
        raise SafelightError("E-RETURN-GEOMETRY", f"{path}: not the voxels that the table counts")
    return labels
