"""Volumes stand where DICOM says, by SimpleITK's and nibabel's reading and by voxels that state their own position."""

from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tasks.lake import Lake
from tasks.volumes.folder import scan
from tasks.volumes.frames import plane_of
from tasks.volumes.stack import Planes, arrange
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import AXIAL, SERIES, STUDY, WEIGHTS, instance, positions, save

CORONAL = np.array([1.0, 0, 0, 0, 0, -1])
SAGITTAL = np.array([0, 1.0, 0, 0, 0, -1])
OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()[:2].ravel()


def normal_of(orientation: np.ndarray) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def convert(folder: Path, lake: Path) -> nibabel.Nifti1Image:
    scan.cache_clear()
    outcome = VolumesStage(Lake.open(lake), folder).run(STUDY, "", "f")
    assert outcome.passed == 1, outcome.tally
    return nibabel.load(lake / "volumes" / "SL-ABCDEFGHIJKL" / STUDY / f"{SERIES}_0.nii.gz")


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL, OBLIQUE], ids=["axial", "coronal", "sagittal", "oblique"])
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_every_voxel_is_where_it_says_and_simpleitk_agrees(orientation: np.ndarray, order: str, tmp_path: Path) -> None:
    placed = positions(9, 2.5 * normal_of(orientation))
    numbers = {"ascending": list(range(9)), "descending": list(range(9))[::-1], "shuffled": [4, 8, 0, 3, 7, 1, 6, 2, 5]}[order]
    folder = save(
        tmp_path / "dicom",
        [instance(position, orientation, number=number) for position, number in zip(placed, numbers, strict=True)],
        names=numbers,
    )
    image = convert(folder, tmp_path / "lake")
    voxels = np.asarray(image.dataobj)
    assert voxels.dtype == np.int16
    index = np.stack(np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij"), axis=-1)
    lps = nibabel.affines.apply_affine(image.affine, index) * [-1, -1, 1]
    assert np.abs(lps @ WEIGHTS + 4000 - 1024 - voxels).max() < 0.5 + 0.1 * np.abs(WEIGHTS).sum()

    row = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()[0]
    assert np.array_equal(image.affine.ravel(), row["affine"])  # the certificate is of the very numbers in the file
    assert row["max_position_error_mm"] < 1e-3

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs = reader.Execute()
    ours = SimpleITK.ReadImage(str(next((tmp_path / "lake" / "volumes").rglob("*.nii.gz"))))
    corners = [(0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 8), (4, 5, 8)]
    assert np.allclose(theirs.GetSpacing(), ours.GetSpacing(), atol=1e-5)
    for corner in corners:
        point = theirs.TransformIndexToPhysicalPoint(corner)
        back = ours.TransformPhysicalPointToIndex(point)
        assert np.allclose(ours.TransformIndexToPhysicalPoint(back), point, atol=0.01)
        assert ours[back] == theirs[corner]


@settings(max_examples=40, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3), spacing=st.floats(0.3, 9), n=st.integers(2, 30),
    origin=st.tuples(*[st.floats(-500, 500)] * 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_orientation_gives_a_right_handed_affine_within_its_certificate(angles, spacing, n, origin, seed) -> None:
    orientation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()[:2].ravel()
    placed = positions(n, spacing * normal_of(orientation), origin)
    shuffled = np.random.default_rng(seed).permutation(n)
    stack = arrange(Planes.of([plane_of(instance(placed[index], orientation)) for index in shuffled]))
    assert stack.max_position_error_mm < 1e-3
    assert np.linalg.det(stack.affine_lps[:3, :3]) == pytest.approx(0.8 * 0.5 * spacing, rel=1e-3)
    assert [int(shuffled[index]) for index in stack.order] == list(range(n))
    assert np.allclose(stack.affine_ras, np.diag([-1, -1, 1, 1]) @ stack.affine_lps)


def test_the_same_series_gives_the_same_bytes_whatever_its_files_are_called(tmp_path: Path) -> None:
    slices = [instance(position, number=number) for number, position in enumerate(positions(5, np.array([0, 0, 3.0])))]
    convert(save(tmp_path / "a", slices), tmp_path / "one")
    convert(save(tmp_path / "b", slices, names=[3, 1, 4, 0, 2]), tmp_path / "two")
    one, two = Lake.open(tmp_path / "one"), Lake.open(tmp_path / "two")
    assert one.files("") == two.files("")
    assert all(one.read(name) == two.read(name) for name in one.files(""))


def test_the_header_says_millimetres_and_nothing_of_the_patient(tmp_path: Path) -> None:
    image = convert(
        save(tmp_path / "d", [instance(p, number=n) for n, p in enumerate(positions(3, np.array([0, 0, 2.0])))]),
        tmp_path / "lake",
    )
    assert image.header.get_xyzt_units()[0] == "mm"
    assert bytes(image.header["descrip"]).rstrip(b"\0") == b"Safelight"
    assert np.allclose(image.get_qform(), image.get_sform(), atol=1e-5)
