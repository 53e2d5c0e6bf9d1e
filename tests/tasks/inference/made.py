"""For tests: small bundles with random weights, and lakes whose volumes were published as the stage `volumes` does."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import save

from data_contracts.volumes import CONTRACT
from tasks.inference.bundle import load
from tasks.inference.networks import NoduleNet
from tasks.lake import Lake

PATIENT = "SL-ABCDEFGHIJKL"


def manifest(**changes: Any) -> dict[str, Any]:
    """The demo's manifest as data, for a network of 4 channels and any plausible input; `changes` replace whole entries,
    but those of `weights` one by one."""
    said = load("demo_nodule").manifest.model_dump(mode="json", exclude_none=True)
    said["weights"]["architecture"]["arguments"] = {"channels": 4}
    said["profile"] = {"mean": [0.01, 0.9], "std": [0.01, 0.6], "content_range": [-950, -650], "content_share": [0.05, 0.9]}
    said["weights"] |= changes.pop("weights", {})
    return said | {"name": "tiny", "version": "1.0.0"} | changes


def bundle(folder: Path, *, scale: float = 1.0, **changes: Any) -> str:
    """Write a bundle with random weights, and the scale of its score; give its folder as a model's name."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    content = save(NoduleNet(4).state_dict() | {"scale": torch.tensor(scale)})
    said = manifest(**changes)
    if "sha256" not in changes.get("weights", {}):
        said["weights"]["sha256"] = sha256(content).hexdigest()
    (folder / "weights.safetensors").write_bytes(content)
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return str(folder)


def chest_like(seed: int = 0, shape: tuple[int, int, int] = (24, 20, 16)) -> NDArray[np.int16]:
    """int16 HU (i, j, k): soft tissue around lung, with noise."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = sum(axis**2 for axis in grid) < 0.8
    return np.rint(np.where(inside, -850, 40) + rng.normal(0, 20, shape)).astype(np.int16)


def lps(spacing: tuple[float, float, float] = (2.5, 2.5, 2.5)) -> NDArray[np.float64]:
    """The affine of a volume whose axes (i, j, k) point left, posterior and superior."""
    return np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])


def nifti(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write a .nii.gz file whose bytes depend on nothing but its content."""
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(voxels, affine).to_bytes(), 1, mtime=0))


def volume(series: int, **change: Any) -> dict[str, Any]:
    """What is special about a volume: `voxels`, `affine`, and any column of the table `volumes`."""
    return {"series": series, "voxels": chest_like(series), "affine": lps()} | change


def publish(lake: Lake, study: int, *volumes: dict[str, Any]) -> str:
    """Publish a study's volumes; `quarantined` instead of `voxels` makes a row without one. Gives the study's key."""
    key = f"2.25.{study}"
    rows, passed = [], 0
    with lake.publication("volumes", key, "f" * 64) as publication:
        for said in volumes:
            given = dict(said)
            series, voxels, affine = f"2.25.{given.pop('series')}", given.pop("voxels"), given.pop("affine")
            row: dict[str, Any] = {column.name: None for column in CONTRACT.columns} | {
                "StudyInstanceUID": key, "PatientID": PATIENT, "SeriesInstanceUID": series, "volume_index": 0, "status": "converted",
                "reason_code": "", "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": "SYNTHETIC Alpha",
                "ConvolutionKernel": "B30f", "n_instances": 9, "n_frames": 9, "n_duplicates": 0, "split_by": [],
                "kind": "3d", "is_sheared": False, "units": "HU", "source_instances": [], "source_frames": [],
            }  # fmt: skip
            if given.pop("quarantined", False):
                rows.append(row | {"status": "quarantined", "reason_code": "E-VOLUME-MISSING-SLICES"} | given)
                continue
            path = f"volumes/{PATIENT}/{key}/{series}_0.nii.gz"
            nifti(publication.path(path), voxels, affine)
            spacing = np.linalg.norm(affine[:3, :3], axis=0)
            geometry = {
                "path": path, "n_slices": voxels.shape[2], "slice_spacing_mm": float(spacing[2]), "SliceThickness": float(spacing[2]),
            }  # fmt: skip
            rows.append(row | geometry | given)
            passed += 1
        publication.write_table(CONTRACT, rows)
        publication.commit(passed=passed)
    return key


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
