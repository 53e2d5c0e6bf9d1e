"""The file's header says where voxels are in both of NIfTI's ways, or keeps silent in the one that cannot say it."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tasks.volumes import nifti

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
SIZE = (512, 512, 600)
CORNERS = np.array([[i, j, k, 1.0] for i in (0, 511) for j in (0, 511) for k in (0, 599)]).T


def affine(rotation: Rotation, origin: tuple[float, float, float] = (-170.0, -180.0, 40.0)) -> np.ndarray:
    """RAS affine of a stack that is axial but for `rotation`, as float32 holds it."""
    lps = np.eye(4)
    lps[:3, :3] = rotation.as_matrix() * [0.7, 0.7, 1.0]
    lps[:3, 3] = origin
    return (FLIP @ lps).astype(np.float32).astype(np.float64)


def header_of(wanted: np.ndarray) -> nibabel.Nifti1Header:
    """The header of a large volume, as `nifti.write` would make it, without the voxels."""
    image = nibabel.Nifti1Image(np.broadcast_to(np.int16(0), SIZE), wanted)
    image.set_qform(wanted, 1)
    return image.header


def put(path: Path, voxels: np.ndarray, wanted: np.ndarray | None, **how) -> str:
    """Write voxels (column, row, slice[, volume]), two slices at a time."""
    slices = voxels.T.reshape(-1, *voxels.T.shape[-2:])
    return nifti.write(path, [slices[k : k + 2] for k in range(0, len(slices), 2)], voxels.shape, voxels.dtype, wanted, **how)


@settings(max_examples=60, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-1, 1)] * 3),
    scale=st.sampled_from([0.0, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0]),
    plane=st.booleans(),
)
def test_the_chosen_quaternion_is_as_close_as_promised_in_every_reading(turn, scale: float, plane: bool) -> None:
    vector = np.array(turn) * scale * ([1, 0, 0] if plane else [1, 1, 1])
    wanted = affine(Rotation.from_rotvec(vector))
    header = header_of(wanted)
    plain = np.linalg.norm(((header.get_qform() - wanted) @ CORNERS)[:3], axis=0).max()
    quaternion, promised = nifti.best_quaternion(header, wanted)
    for name, component in zip("bcd", quaternion, strict=True):
        header[f"quatern_{name}"] = component
    read = np.linalg.norm(((header.get_qform() - wanted) @ CORNERS)[:3], axis=0).max()
    assert read <= promised + 1e-6
    assert promised < 0.7
    if scale > 0.1 and promised > nifti.MAX_QFORM_ERROR_MM:
        assert plain > 0.001  # only where the plain rounding is in trouble too


def test_simply_rounded_quaternions_would_break_the_certificate_and_ours_are_close_or_not_given() -> None:
    """Why `best_quaternion` exists: nearly axial stacks, nodding by 10° and turned in their plane by less than half a degree."""
    plain, given_, silent = [], [], 0
    for degrees in np.linspace(0.002, 0.5, 60):
        wanted = affine(Rotation.from_euler("xz", [10, degrees], degrees=True))
        header = header_of(wanted)
        plain.append(np.linalg.norm(((header.get_qform() - wanted) @ CORNERS)[:3], axis=0).max())
        error = nifti.best_quaternion(header, wanted)[1]
        given_.append(error if error <= nifti.MAX_QFORM_ERROR_MM else 0.0)
        silent += error > nifti.MAX_QFORM_ERROR_MM
    assert max(plain) > 0.1
    assert max(given_) <= nifti.MAX_QFORM_ERROR_MM
    assert 0 < silent < 20


def test_no_quaternion_is_chosen_that_nibabel_refuses_to_read() -> None:
    """Nearer candidates exist whose squares sum to more than one; nibabel raises ValueError on them."""
    for seed in range(20):
        wanted = affine(Rotation.from_rotvec(np.random.default_rng(seed).normal(size=3) * 1e-4))
        header = header_of(wanted)
        for name, component in zip("bcd", nifti.best_quaternion(header, wanted)[0], strict=True):
            header[f"quatern_{name}"] = component
        assert np.isfinite(header.get_qform()).all()


@pytest.mark.parametrize(("rotation", "said"), [
    (Rotation.identity(), True), (Rotation.from_euler("xyz", [20, -35, 50], degrees=True), True), (Rotation.from_rotvec([0, 0, 4e-4]), False),
])  # fmt: skip
def test_both_forms_agree_or_the_quaternion_is_not_given_and_simpleitk_reads_the_same(rotation, said, tmp_path: Path) -> None:
    wanted = affine(rotation)
    voxels = np.asfortranarray(np.arange(400 * 400 * 2, dtype=np.int16).reshape(400, 400, 2))
    put(tmp_path / "v.nii.gz", voxels, wanted)
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert np.array_equal(image.affine, wanted)
    assert np.array_equal(image.header.get_sform(coded=True)[0], wanted)
    qform, code = image.header.get_qform(coded=True)
    assert code == (1 if said else 0)
    if said:
        last = np.array([399, 399, 1, 1.0])
        assert np.linalg.norm((qform - wanted) @ last) < nifti.MAX_QFORM_ERROR_MM
    theirs = SimpleITK.ReadImage(str(tmp_path / "v.nii.gz"))
    for index in ((0, 0, 0), (399, 0, 0), (0, 399, 1), (399, 399, 1)):
        point = np.array(theirs.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        assert np.linalg.norm(point - (wanted @ [*index, 1.0])[:3]) < 0.05
        assert theirs[index] == voxels[index]


def test_gzip_and_header_name_no_time_no_file_and_no_person(tmp_path: Path) -> None:
    voxels = np.asfortranarray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    one, two = tmp_path / "one.nii.gz", tmp_path / "another-name.nii.gz"
    digests = {put(path, voxels, affine(Rotation.identity())) for path in (one, two)}
    assert len(digests) == 1
    packed = one.read_bytes()
    assert packed == two.read_bytes()
    assert packed[3] == 0  # RFC 1952: no name, no comment, no extra field
    assert packed[4:8] == b"\0\0\0\0"  # no time
    header = nibabel.Nifti1Header(gzip.decompress(packed)[:348])
    texts = {name: bytes(header[name]).rstrip(b"\0") for name in ("descrip", "aux_file", "db_name", "intent_name")}
    assert texts == {"descrip": b"Safelight", "aux_file": b"", "db_name": b"", "intent_name": b""}


def test_simpleitk_reads_a_fourth_axis_a_scale_and_colour(tmp_path: Path) -> None:
    voxels = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    put(tmp_path / "t.nii.gz", voxels, affine(Rotation.identity()), slope=0.5, inter=-3.25)
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "t.nii.gz")))
    assert np.array_equal(theirs, voxels.T * 0.5 - 3.25)
    colours = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)
    nifti.write(tmp_path / "c.nii.gz", [colours[None]], (5, 6), nifti.RGB, None, spacing=(0.3, 0.2))
    image = SimpleITK.ReadImage(str(tmp_path / "c.nii.gz"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).reshape(6, 5, 3), colours)
    assert np.allclose(image.GetSpacing()[:2], (0.2, 0.3))


def test_an_image_without_a_place_gives_none(tmp_path: Path) -> None:
    put(tmp_path / "p.nii.gz", np.zeros((5, 6), np.uint16), None)
    header = nibabel.load(tmp_path / "p.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"]), header.get_xyzt_units()[0]) == (0, 0, "unknown")


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_does_not_change_the_bytes(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = np.random.default_rng(2).normal(0, 20, (128, 128, 200)).astype(np.int16)
    first = put(tmp_path / "a.nii.gz", voxels, affine(Rotation.identity()))
    monkeypatch.setattr(nifti, "_THREADS", threads)
    assert put(tmp_path / "b.nii.gz", voxels, affine(Rotation.identity())) == first


def test_too_few_voxels_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as many voxels"):
        nifti.write(tmp_path / "x.nii.gz", [np.zeros((1, 3, 2), np.int16)], (2, 3, 2), np.dtype(np.int16), None)
