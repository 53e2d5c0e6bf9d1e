"""Boxes and outlines come out where they are, in the volume's own voxels and the patient's millimetres, however the file is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from data_contracts import detections, predictions, segments
from tasks.errors import SafelightError
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tests.tasks.inference import networks
from tests.tasks.inference.made import PATIENT, lps, manifest, publish, volume
from tests.tasks.inference.networks import LABELS, Boxes, Brightness, Itself, plain

POINT = [{"name": "any", "threshold": 0.5, "source": "a test"}]
CODE = {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"}
NODULE = {"finding": "nodule", "channel": 0, "code": CODE, "operating_points": POINT}
WIDE = {"mean": [-1e9, 1e9], "std": [0, 1e9]}
#: Values 0 and 1 go through as they are.
AS_IS = manifest()["input"] | {"window": {"kind": "unchanged"}, "padding": 0.0, "floor": None, "spacing_mm": None}


def block(start: tuple[int, int, int] = (5, 9, 3), stop: tuple[int, int, int] = (12, 13, 8)) -> np.ndarray:
    """int16 (i, j, k): ones in a block that is alike in no two directions."""
    voxels = np.zeros((24, 20, 16), np.int16)
    voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = 1
    return voxels


def turned(codes: str) -> tuple[np.ndarray, np.ndarray]:
    """The block and its affine with the axes stored as `codes` says; nibabel turns them."""
    image = nibabel.Nifti1Image(block(), lps((1.0, 2.0, 3.0)))
    now, wanted = nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(tuple(codes))
    made = image.as_reoriented(nibabel.orientations.ornt_transform(now, wanted))
    return np.asarray(made.dataobj), np.asarray(made.affine)


def read(tmp_path: Path, model: str, **change: Any) -> tuple[Lake, str]:
    lake = Lake.open(tmp_path / "lake")
    sources = [f"2.25.{n}" for n in range(900, 900 + np.asarray(change["voxels"]).shape[2])]
    key = publish(lake, 1, volume(7, source_instances=sources, source_frames=[1] * len(sources), **change))
    stage = InferStage(lake, model)
    assert stage.run(key, "input", "f").passed == 1
    return lake, key


HEADS: dict[str, tuple[Any, dict[str, Any]]] = {
    "map": (Itself, {"kind": "detection", "form": "map", "threshold": 0.5}),
    "boxes": (Boxes, {"kind": "detection", "form": "boxes", "threshold": 0.5}),
}


@pytest.mark.parametrize("spacing", [None, [1.5, 1.0, 0.5]])
@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSL", "ARI", "SLP"])
@pytest.mark.parametrize("form", list(HEADS))
def test_a_box_is_around_what_is_bright(tmp_path: Path, form: str, codes: str, spacing: list[float] | None) -> None:
    voxels, affine = turned(codes)
    network, head = HEADS[form]
    model = plain(tmp_path / "m", network, head, [NODULE], profile=WIDE, input=AS_IS | {"spacing_mm": spacing})
    lake, _ = read(tmp_path, model, voxels=voxels, affine=affine)
    (row,) = lake.table(detections.CONTRACT).to_pylist()
    inside = np.array(np.nonzero(voxels))
    assert row["voxel_start"] == inside.min(axis=1).tolist()
    assert row["voxel_stop"] == (inside.max(axis=1) + 1).tolist()
    center = affine @ np.array([*inside.mean(axis=1), 1])  # the block is convex, so that its centroid is the box's centre
    np.testing.assert_allclose(row["center_lps_mm"], center[:3] * [-1, -1, 1], atol=1e-6)
    edges = (np.ptp(inside, axis=1) + 1) * np.linalg.norm(affine[:3, :3], axis=0)
    np.testing.assert_allclose(row["extent_mm"], edges)
    middle = (row["voxel_start"][2] + row["voxel_stop"][2] - 1) // 2
    assert (row["SOPInstanceUID"], row["frame_number"]) == (f"2.25.{900 + middle}", 1)
    (said,) = lake.table(predictions.CONTRACT).to_pylist()
    assert (said["kind"], said["status"]) == ("detection", "read")
    assert said["score"] == row["score"] == pytest.approx({"map": 1.0, "boxes": 0.9}[form])


def test_groups_are_told_apart_the_best_come_first_and_few_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    values = np.zeros((24, 20, 16), np.float32)
    for _ in range(30):
        at = rng.integers(0, (24, 20, 16))
        values[tuple(slice(n, n + rng.integers(1, 4)) for n in at)] = rng.uniform(0.4, 1)
    groups, n = ndimage.label(values >= 0.5, np.ones((3, 3, 3)))
    wanted = sorted((float(values[groups == g].max()) for g in range(1, n + 1) if (groups == g).sum() >= 6), reverse=True)
    assert 4 < len(wanted) < n
    head = HEADS["map"][1] | {"minimum_voxels": 6, "maximum": 4}
    lake, _ = read(tmp_path, plain(tmp_path / "m", Itself, head, [NODULE], profile=WIDE, input=AS_IS), voxels=values)
    rows = sorted(lake.table(detections.CONTRACT).to_pylist(), key=lambda row: row["detection_index"])
    assert [row["score"] for row in rows] == pytest.approx(wanted[:4])


def test_nothing_found_is_a_score_of_0_and_no_box(tmp_path: Path) -> None:
    model = plain(tmp_path / "m", *HEADS["map"], [NODULE], profile=WIDE, input=AS_IS)
    lake, _ = read(tmp_path, model, voxels=np.zeros((24, 20, 16), np.int16))
    assert lake.table(predictions.CONTRACT)["score"].to_pylist() == [0.0]
    assert not lake.files("tables/detections")


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSL", "ARI"])
@pytest.mark.parametrize("tiling", [None, {"shape": [6, 8, 8], "overlap": 0.5, "blend": "gaussian", "batch": 3}])
def test_an_outline_lies_on_the_volume(tmp_path: Path, codes: str, tiling: dict[str, Any] | None) -> None:
    voxels, affine = turned(codes)
    head = {"kind": "segmentation", "activation": "softmax"}
    model = plain(tmp_path / "m", Brightness, head, LABELS[:1], profile=WIDE, input=AS_IS | {"tiling": tiling})
    lake, key = read(tmp_path, model, voxels=voxels, affine=affine)
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    assert row["path"] == f"segmentations/{PATIENT}/{key}/plain/1.0.0/2.25.7_0.nii.gz"
    image = nibabel.load(Path(lake.url) / row["path"])
    np.testing.assert_array_equal(np.asarray(image.dataobj), voxels)
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)
    assert image.get_data_dtype() == np.uint8
    n = int(voxels.sum())
    assert (row["n_voxels"], row["label"]) == (n, 1)
    assert row["volume_ml"] == pytest.approx(n * 6 / 1000)
    center = affine @ np.array([*np.array(np.nonzero(voxels)).mean(axis=1), 1])
    np.testing.assert_allclose(row["center_lps_mm"], center[:3] * [-1, -1, 1], atol=1e-6)
    published = lake.manifest("infer:plain@1.0.0", key)
    assert published is not None
    assert published.files[row["path"]] == row["sha256"]
    assert lake.intact(published)
    assert lake.table(predictions.CONTRACT)["score"].to_pylist() == [None]


def test_an_empty_outline_has_a_row(tmp_path: Path) -> None:
    head = {"kind": "segmentation", "activation": "softmax"}
    model = plain(tmp_path / "m", Brightness, head, LABELS[:1], profile=WIDE, input=AS_IS)
    lake, _ = read(tmp_path, model, voxels=np.zeros((24, 20, 16), np.int16))
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    assert (row["n_voxels"], row["volume_ml"], row["center_lps_mm"]) == (0, 0.0, None)


def test_a_label_that_no_finding_names_is_background(tmp_path: Path) -> None:
    head = {"kind": "segmentation", "activation": "softmax"}
    unnamed = [LABELS[0] | {"channel": 2}]
    networks.Three = type("Three", (Brightness,), {"forward": lambda _self, batch: _three(batch)})  # type: ignore[attr-defined]
    networks.Three.__module__ = networks.__name__  # type: ignore[attr-defined]
    model = plain(tmp_path / "m", networks.Three, head, unnamed, profile=WIDE, input=AS_IS)  # type: ignore[attr-defined]
    lake, _ = read(tmp_path, model, voxels=block())
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    assert row["n_voxels"] == 0
    assert not np.asarray(nibabel.load(Path(lake.url) / row["path"]).dataobj).any()


def _three(batch: Any) -> Any:
    import torch

    return torch.cat([1 - batch, batch, batch - 1], dim=1)


@pytest.mark.parametrize(
    ("network", "head"),
    [
        (Boxes, {"kind": "detection", "form": "map", "threshold": 0.5}),
        (Itself, {"kind": "detection", "form": "boxes", "threshold": 0.5}),
        (Itself, {"kind": "segmentation", "activation": "softmax"}),
        (Brightness, {"kind": "segmentation", "activation": "sigmoid"}),
        (Itself, {"kind": "classification", "activation": "none"}),
    ],
)
def test_a_network_that_gives_something_else_than_its_head_says_fails_the_study(
    tmp_path: Path, network: Any, head: dict[str, Any]
) -> None:
    findings = [NODULE]
    if head["kind"] == "segmentation":
        findings = [LABELS[0] | {"channel": 0 if head["activation"] == "sigmoid" else 1}]
    lake = Lake.open(tmp_path / "lake")
    key = publish(lake, 1, volume(7, voxels=block()))
    with pytest.raises(SafelightError, match="E-INFER-OUTPUT"):
        InferStage(lake, plain(tmp_path / "m", network, head, findings, profile=WIDE, input=AS_IS)).run(key, "input", "f")
    assert not lake.files("tables/predictions")
