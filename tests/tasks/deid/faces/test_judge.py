"""A face is found in every modality and orientation, and nothing else is held for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK

from tasks.deid.faces import grid as gridding
from tasks.deid.faces import judge as judging
from tasks.deid.faces.grid import sample
from tasks.deid.faces.judge import judge
from tasks.deid.faces.planes import planes_of, stacks_of
from tests.tasks.deid.faces.bodies import AXIAL, CORONAL, SAGITTAL, Body, chest, chest_and_head, head, series

HEAD: dict[str, Any] = {"centre": (0, -10, -15), "thickness": 4.0}
OBLIQUE = (np.cos(0.3), np.sin(0.3), 0, 0, 0, -1)
TRUNK: dict[str, Any] = {"field": 440, "pixel": 4.0, "thickness": 5.0}


def turned(x: Any, y: Any, z: Any) -> Any:
    """The head of a patient who lies on the face while the header says on the back."""
    return head(-x, -y, z)


@pytest.mark.parametrize(
    "scan",
    [
        {"thickness": 1.0, "pixel": 3.0}, {"thickness": 5.0}, {"orientation": CORONAL}, {"orientation": SAGITTAL}, {"orientation": OBLIQUE},
        {"tilt_deg": 20.0, "thickness": 5.0}, {"modality": "MR"}, {"modality": "MR", "orientation": SAGITTAL, "thickness": 5.0},
        {"modality": "PT", "pixel": 4.0, "noise": 20.0}, {"body": turned}, {"centre": (0, 0, 25), "extent": 130},
        {"body": chest_and_head, "centre": (0, 0, 120), "extent": 480, **TRUNK},
    ],
)  # fmt: skip
def test_a_face_is_seen_whatever_the_header_says(tmp_path: Path, scan: dict[str, Any]) -> None:
    body: Body = scan.get("body", head)
    paths = series(
        tmp_path, body, body_part="CHEST", **{**HEAD, **{name: value for name, value in scan.items() if name != "body"}}
    )
    found = judge(paths, header_may_show_head=False)
    assert (found.verdict, found.why) == ("in_view", "nose")
    assert found.relief_mm >= judging.NOSE_MM


@pytest.mark.parametrize(
    ("body", "scan", "header", "verdict"),
    [
        (chest, {"extent": 360, **TRUNK}, False, "none"),
        (chest, {"extent": 440, **TRUNK}, False, "none"),  # with a neck and its larynx
        (chest, {"extent": 360, "modality": "MR", **TRUNK}, False, "none"),
        (head, {"centre": (0, 0, 30), "extent": 80, "field": 90}, True, "none"),  # cropped to the brain
        (head, {"centre": (0, 60, -30), "extent": 80, "field": 110}, True, "none"),  # posterior fossa
        (head, {"centre": (0, 30, -100), "extent": 90, "field": 100}, True, "none"),  # cervical spine
        (head, {"centre": (0, 0, 50), "extent": 90}, False, "possible"),  # the vault alone: a forehead
        (head, {"centre": (0, 0, 50), "extent": 90, "modality": "MR"}, True, "possible"),
        (head, {"extent": 16}, True, "none"),  # four planes
    ],
)  # fmt: skip
def test_what_is_no_face_and_what_cannot_be_told(
    tmp_path: Path, body: Body, scan: dict[str, Any], header: bool, verdict: str
) -> None:
    assert judge(series(tmp_path, body, **{**HEAD, **scan}), header_may_show_head=header).verdict == verdict


@pytest.fixture(scope="module")
def axial(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return series(tmp_path_factory.mktemp("axial"), head, **HEAD)


def rewrite(path: Path, to: Path, change: Callable[[pydicom.Dataset], Any]) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(to)
    return to


def test_slices_of_one_head_spread_over_series_are_one_head(tmp_path: Path) -> None:
    parts = [
        series(
            tmp_path / str(part),
            head,
            series_uid=f"2.25.{part}",
            **{**HEAD, "thickness": 12.0, "centre": (0, -10, -15 + 4 * part)},
        )
        for part in range(3)
    ]
    assert judge(parts[0]).verdict == "none"  # 12 mm: too coarse alone
    assert judge([path for part in parts for path in part]).verdict == "in_view"


@pytest.mark.parametrize("name", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows"])
def test_no_geometry_is_treated_as_a_face(axial: list[Path], tmp_path: Path, name: str) -> None:
    broken = rewrite(axial[30], tmp_path / "broken.dcm", lambda dataset: delattr(dataset, name))
    found = judge([*axial[:30], broken, *axial[31:]], header_may_show_head=False)
    assert (found.verdict, found.why) == ("possible", "unplaced")


def test_unreadable_files_and_pixels_are_treated_as_a_face(axial: list[Path], tmp_path: Path) -> None:
    noise, short = tmp_path / "noise.dcm", tmp_path / "short.dcm"
    noise.write_bytes(b"\0" * 128 + b"DICM" + bytes(range(256)))
    assert judge([*axial, noise]).why == "unplaced"
    short.write_bytes(axial[0].read_bytes()[:-5000])
    assert judge([short, *axial[1:]]).why == "unplaced"


def test_a_file_that_is_not_there_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        judge([tmp_path / "nothing.dcm"])


def test_without_the_nose_rule_a_face_under_chest_would_pass(axial: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "is_nose", lambda ridge: False)
    monkeypatch.setattr(judging, "cranial_levels", lambda grid: np.zeros(len(grid.values), np.bool_))
    assert judge(axial, header_may_show_head=False).verdict == "none"


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL, (-1, 0, 0, 0, -1, 0), (0, -1, 0, 1, 0, 0)])
@pytest.mark.parametrize("scan", [{"pixel": 1.3, "thickness": 4.0}, {"pixel": 0.6, "thickness": 7.3, "modality": "MR"}])
def test_planes_along_the_axes_are_sampled_as_oblique_ones_are(
    tmp_path: Path, orientation: Any, scan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stacks_of(
        planes_of(series(tmp_path, head, **{**HEAD, "extent": 60, "field": 90, "orientation": orientation, **scan}))
    )[0]
    quick = sample(stack, 3.0)
    monkeypatch.setattr(gridding, "_axes", lambda planes: None)
    slow = sample(stack, 3.0)
    assert quick.seen.any()
    assert (quick.origin, quick.step) == (slow.origin, slow.step)
    np.testing.assert_array_equal(quick.values, slow.values)
    np.testing.assert_array_equal(quick.seen, slow.seen)


@pytest.mark.parametrize("scan", [{}, {"orientation": CORONAL}, {"orientation": SAGITTAL}, {"orientation": OBLIQUE}])
def test_samples_lie_where_itk_says(tmp_path: Path, scan: dict[str, Any]) -> None:
    """GDCM reads the series and orders it; ITK resamples it onto our grid, by its own geometry."""
    paths = series(tmp_path, head, **{**HEAD, "thickness": 3.0, "pixel": 3.0, "noise": 0.0, **scan})
    grid = sample(stacks_of(planes_of(paths))[0], 3.0)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    z, y, x = grid.origin
    size = [int(n) for n in grid.values.shape[::-1]]
    resampled = SimpleITK.Resample(
        reader.Execute(),
        size,
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
        (x, y, z),
        (3.0, 3.0, 3.0),
        (1, 0, 0, 0, 1, 0, 0, 0, 1),
        -1000,
    )
    theirs = SimpleITK.GetArrayFromImage(resampled)
    assert grid.seen.mean() > 0.6
    assert (np.abs(theirs - grid.values)[grid.seen] < 1).mean() > 0.97  # ties between two pixels may be broken otherwise
    assert AXIAL == (1, 0, 0, 0, 1, 0)
