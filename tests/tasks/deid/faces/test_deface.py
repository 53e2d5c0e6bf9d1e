"""After defacing the face's surface is another one, the brain has every bit, and so has everything outside of the cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless

from tasks.deid.faces import deface as defacing
from tasks.deid.faces.deface import covered, deface
from tasks.deid.faces.judge import judge
from tasks.deid.faces.planes import planes_of
from tasks.errors import SafelightError
from tests.tasks.deid.faces.bodies import CORONAL, SAGITTAL, brain, chest, chest_and_head, head, series

HEAD: dict[str, Any] = {"centre": (0, -10, -15), "thickness": 4.0}


def stored(path: Path) -> np.ndarray:
    return pydicom.dcmread(path).pixel_array


def depth_map(paths: list[Path], new: Any = None) -> np.ndarray:
    """(z, x), row at which the face's surface is met in an axial CT from the front; written here anew, by stored values."""
    volume = np.stack(
        [stored(path) if new is None else np.frombuffer(new[i], "<u2").reshape(130, 130) for i, path in enumerate(paths)]
    )
    skin = volume > 1024 - 350
    return np.where(skin.any(axis=1), skin.argmax(axis=1), np.nan).astype(float)


@pytest.mark.parametrize("scan", [{}, {"orientation": CORONAL}, {"orientation": SAGITTAL}, {"tilt_deg": 20.0, "thickness": 5.0}])
def test_the_brain_and_all_outside_of_the_cut_keep_every_bit(tmp_path: Path, scan: dict[str, Any]) -> None:
    paths = series(tmp_path, head, **{**HEAD, **scan})
    made = deface(paths)
    cut = next(iter(made._cuts.values()))[0]
    changed = inside = 0
    for plane in planes_of(paths):
        old = stored(plane.source)
        new = np.frombuffer(made[plane.index], "<u2").reshape(old.shape)
        j, i = np.indices(old.shape)
        at = plane.position + i[..., None] * plane.spacing[1] * plane.row + j[..., None] * plane.spacing[0] * plane.column
        mind = brain(at[..., 0], at[..., 1], at[..., 2])
        assert (old[mind] == new[mind]).all()
        assert (old[~covered(plane, cut)] == new[~covered(plane, cut)]).all()
        changed, inside = changed + int((old != new).sum()), inside + int(mind.sum())
    numbers = made.changes()
    assert inside > 40_000
    assert (numbers.changed, numbers.voxels) == (changed, len(paths) * 130 * 130)
    assert 0.1 < numbers.share < 0.5
    assert numbers.skin_moved >= 0.9


def test_the_rendered_face_is_another_and_tells_nothing_of_the_old_one(tmp_path: Path) -> None:
    paths = series(tmp_path, head, **HEAD)
    made = deface(paths)
    before, after = depth_map(paths), depth_map(paths, made)
    z = -143 + 4 * np.arange(len(paths))
    x = -129 + 2 * np.arange(130)
    face = ((z > -90) & (z < -16))[:, None] & (np.abs(x) < 40)[None, :]
    assert np.isfinite(before[face]).all()
    moved = np.where(np.isfinite(after), after - before, np.inf)[face]
    assert (moved >= 5).mean() > 0.98
    levels, columns = (z > -90) & (z < -16), (np.abs(x) < 40) & (np.abs(x) > 15)  # beside the nasal cavity, which is open now
    before, after = before[levels][:, columns], after[levels][:, columns]
    still = np.isfinite(after)
    rows = before - before.mean(axis=1, keepdims=True)  # relief from left to right, level by level
    new = np.where(still, after, 0.0)
    new = new - new.sum(axis=1, keepdims=True) / np.maximum(still.sum(axis=1, keepdims=True), 1)
    assert 2 * rows.std() > 3  # mm
    correlation = np.corrcoef(rows[still], new[still])[0, 1] if np.std(new[still]) else 0.0
    assert abs(correlation) < 0.3
    for index, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = made[index]
        dataset.save_as(path)
    left = judge(paths)
    assert (left.verdict, left.relief_mm) == ("possible", 0.0)  # still a head, by its cranium; no nose


def test_two_heads_that_differ_only_in_the_face_give_one_result(tmp_path: Path) -> None:
    """The cut follows the brain alone, so that its surface holds nothing of whose face it was."""
    cuts = [
        deface(series(tmp_path / str(nose), lambda x, y, z, nose=nose: head(x, y, z, nose=nose), **HEAD))._cuts["2.25.77"][0]  # type: ignore[misc]
        for nose in (0.7, 1.2)
    ]
    assert np.array_equal(cuts[0].front, cuts[1].front)
    assert np.array_equal(cuts[0].z, cuts[1].z)
    assert (cuts[0].aside, cuts[0].ears) == (cuts[1].aside, cuts[1].ears)


def test_all_series_of_a_frame_of_reference_get_one_cut_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    thin = series(tmp_path / "ct", head, **HEAD)
    emission = series(tmp_path / "pt", head, modality="PT", series_uid="2.25.501", pixel=4.0, **HEAD)
    made = deface([*thin, *emission])
    assert list(made._cuts) == ["2.25.77"]
    assert made[len(thin) + 30] != pydicom.dcmread(emission[30]).PixelData
    assert [made[i] for i in (10, 40)] == [deface([*thin, *emission])[i] for i in (10, 40)]


def test_unused_bits_and_padding_stay(tmp_path: Path) -> None:
    paths = series(tmp_path, head, **HEAD)
    for path in paths:
        dataset = pydicom.dcmread(path)
        words = np.frombuffer(dataset.PixelData, "<u2") | 0x8000
        dataset.PixelData = words.tobytes()
        dataset.save_as(path)
    cut = next(iter((made := deface(paths))._cuts.values()))[0]
    plane = planes_of(paths)[20]
    new = np.frombuffer(made[20], "<u2").reshape(130, 130)
    assert (new[~covered(plane, cut)] >= 0x8000).all()
    assert (new[covered(plane, cut)] == 24).all()  # -1000 HU


def test_a_localizer_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    paths = series(tmp_path, head, **HEAD)
    scout = pydicom.dcmread(paths[0])
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.save_as(tmp_path / "scout.dcm")
    made = deface([*paths, tmp_path / "scout.dcm"])
    assert made.left_out == (len(paths),)
    with pytest.raises(KeyError):
        made[len(paths)]


@pytest.mark.parametrize(("change", "code"), [
    ({"ImagePositionPatient": None}, "E-DEID-DEFACE-GEOMETRY"),
    ({"FrameOfReferenceUID": ""}, "E-DEID-DEFACE-GEOMETRY"),
    ({"BitsAllocated": 64}, "E-DEID-DEFACE-SYNTAX"),
    ({"syntax": JPEG2000Lossless}, "E-DEID-DEFACE-SYNTAX"),
])  # fmt: skip
def test_what_cannot_be_defaced_is_refused(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    paths = series(tmp_path, head, **{**HEAD, "thickness": 8.0})
    dataset = pydicom.dcmread(paths[5])
    for name, value in change.items():
        if name == "syntax":
            dataset.compress(value, generate_instance_uid=False)
        else:
            setattr(dataset, name, value)
    dataset.save_as(paths[5])
    with pytest.raises(SafelightError) as refused:
        deface(paths)
    assert refused.value.code == code


def test_no_brain_no_cut(tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="no brain found"):
        deface(series(tmp_path, chest, field=440, extent=300, pixel=4.0, thickness=5.0))


def test_a_cut_that_leaves_the_face_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = series(tmp_path, head, **HEAD)
    monkeypatch.setattr(defacing.Cut, "covers", lambda cut, x, y, z: np.zeros(np.broadcast(x, y, z).shape, np.bool_))
    with pytest.raises(SafelightError, match="a nose is left"):
        deface(paths)
    monkeypatch.setattr(defacing, "is_nose", lambda ridge: False)
    with pytest.raises(SafelightError, match="of the skin moved"):
        deface(paths)


def test_big_endian_and_a_head_on_a_trunk(tmp_path: Path) -> None:
    scan = {"field": 440, "pixel": 4.0, "thickness": 4.0, "extent": 300, "centre": (0, 0, 280), "body_part": "CHEST"}
    paths = series(tmp_path, chest_and_head, syntax=ExplicitVRBigEndian, **scan)
    made = deface(paths)
    for index in (5, 45):
        old, new = stored(paths[index]), np.frombuffer(made[index], ">u2").reshape(110, 110)
        assert ((old == new) | (new == 24)).all()
    assert made[5] == pydicom.dcmread(paths[5]).PixelData  # the trunk
