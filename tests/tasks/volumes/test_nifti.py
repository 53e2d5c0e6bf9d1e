"""The file's header says where voxels are in both of NIfTI's ways, or keeps silent in the one that cannot say it."""

import gzip
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tasks.errors import SafelightError
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
    slices = np.arange(400 * 400 * 2, dtype=np.uint32).astype(np.int16).reshape(2, 400, 400)
    nifti.write(tmp_path / "v.nii.gz", [slices], (400, 400, 2), np.int16, wanted)
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
        assert theirs[index] == slices[index[::-1]]


def test_gzip_and_header_name_no_time_no_file_and_no_person(tmp_path: Path) -> None:
    slices = [np.arange(60, dtype=np.int16).reshape(5, 4, 3)]
    one, two = tmp_path / "one.nii.gz", tmp_path / "another-name.nii.gz"
    digests = {nifti.write(path, slices, (3, 4, 5), np.int16, affine(Rotation.identity())) for path in (one, two)}
    assert len(digests) == 1
    packed = one.read_bytes()
    assert packed == two.read_bytes()
    assert packed[3] == 0  # RFC 1952: no name, no comment, no extra field
    assert packed[4:8] == b"\0\0\0\0"  # no time
    header = nibabel.Nifti1Header(gzip.decompress(packed)[:348])
    texts = {name: bytes(header[name]).rstrip(b"\0") for name in ("descrip", "aux_file", "db_name", "intent_name")}
    assert texts == {"descrip": b"Safelight", "aux_file": b"", "db_name": b"", "intent_name": b""}


SLICES = np.random.default_rng(5).integers(-1000, 1000, (7, 6, 5))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4, 5, 6], [4]])
def test_voxels_are_the_slices_in_their_order_however_they_come(cuts: list[int], dtype: str, tmp_path: Path) -> None:
    slices = SLICES.astype(dtype)
    digest = nifti.write(tmp_path / "v.nii.gz", np.split(slices, cuts), (5, 6, 7), dtype, affine(Rotation.identity()))
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert image.get_data_dtype() == np.dtype(dtype)
    assert np.array_equal(np.asarray(image.dataobj), slices.transpose(2, 1, 0))
    assert digest == sha256((tmp_path / "v.nii.gz").read_bytes()).hexdigest()


def test_blocks_may_be_big_endian_or_strided(tmp_path: Path) -> None:
    odd = np.asfortranarray(SLICES.astype(">i2"))
    nifti.write(tmp_path / "v.nii.gz", [odd], (5, 6, 7), "i2", affine(Rotation.identity()))
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "v.nii.gz").dataobj), SLICES.transpose(2, 1, 0))


def test_a_fourth_axis_and_its_step_are_in_the_header(tmp_path: Path) -> None:
    volumes = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2 * 3, 4, 5)
    for step, unit in ((2.5, "sec"), (None, "unknown")):
        nifti.write(tmp_path / "v.nii.gz", [volumes], (5, 4, 3, 2), "i2", affine(Rotation.identity()), time_step=step)
        image = nibabel.load(tmp_path / "v.nii.gz")
        assert image.header.get_zooms() == pytest.approx((0.7, 0.7, 1.0, step or 1.0))
        assert image.header.get_xyzt_units() == ("mm", unit)
        assert np.array_equal(np.asarray(image.dataobj)[:, :, 1, 1], volumes[4].T)
        assert SimpleITK.ReadImage(str(tmp_path / "v.nii.gz")).GetSpacing() == pytest.approx((0.7, 0.7, 1.0, step or 1.0))


def test_a_scale_is_in_the_header_and_readers_apply_it(tmp_path: Path) -> None:
    slices = SLICES.astype("i2")
    nifti.write(tmp_path / "v.nii.gz", [slices], (5, 6, 7), "i2", affine(Rotation.identity()), slope=0.25, inter=-8.0)
    assert np.array_equal(nibabel.load(tmp_path / "v.nii.gz").get_fdata(), slices.transpose(2, 1, 0) * 0.25 - 8)
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "v.nii.gz"))), slices * 0.25 - 8)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((5, 6), (0.2, 0.1)), ((5, 6), None), ((5, 6, 1, 7), (0.2, 0.1)), ((5, 6, 1, 7), None)]
)
def test_what_has_no_place_in_space_says_so(shape: tuple[int, ...], spacing: tuple[float, float] | None, tmp_path: Path) -> None:
    frames = SLICES[: 1 if len(shape) == 2 else 7].astype("u2")
    nifti.write(tmp_path / "v.nii.gz", [frames], shape, "u2", None, spacing=spacing)
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert image.shape == shape
    assert (image.header["qform_code"], image.header["sform_code"]) == (0, 0)
    assert image.header.get_zooms()[:2] == pytest.approx((0.1, 0.2) if spacing else (1, 1))  # columns run along the first axis
    assert image.header.get_xyzt_units()[0] == ("mm" if spacing else "unknown")
    assert np.array_equal(np.asarray(image.dataobj).reshape(5, 6, -1), frames.transpose(2, 1, 0))
    assert SimpleITK.ReadImage(str(tmp_path / "v.nii.gz")).GetSpacing()[:2] == pytest.approx((0.1, 0.2) if spacing else (1, 1))


def test_colour_is_rgb24_as_simpleitk_and_nibabel_read_it(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (7, 6, 5, 3)).astype("u1")
    nifti.write(tmp_path / "v.nii.gz", np.split(frames, [3]), (5, 6, 7), nifti.RGB, affine(Rotation.identity()))
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert int(image.header["datatype"]) == 128
    for place, name in enumerate("RGB"):
        assert np.array_equal(np.asarray(image.dataobj)[name], frames[..., place].transpose(2, 1, 0))
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "v.nii.gz"))), frames)


@pytest.mark.parametrize(("blocks", "said"), [
    ([SLICES[:6]], "1 slices too few"), ([SLICES, SLICES[:1]], "1 slices too many"), ([], "7 slices too few"), ([SLICES[:, :5]], "a block is"),
    ([SLICES.astype("i4")], "a block is"), ([SLICES[..., None]], "a block is"), ([SLICES[0]], "a block is"),
])  # fmt: skip
def test_blocks_that_do_not_fill_the_shape_leave_no_file(blocks: list[np.ndarray], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        nifti.write(tmp_path / "v.nii.gz", blocks, (5, 6, 7), "i8", affine(Rotation.identity()))
    assert not list(tmp_path.iterdir())


def test_what_goes_wrong_while_blocks_are_made_leaves_no_file(tmp_path: Path) -> None:
    def made() -> Iterator[np.ndarray]:
        yield np.zeros((5, 600, 600), "i2")
        raise SafelightError("E-VOLUME-DECODE")

    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        nifti.write(tmp_path / "v.nii.gz", made(), (600, 600, 10), "i2", affine(Rotation.identity()))
    assert not list(tmp_path.iterdir())


def test_an_axis_that_the_header_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="E-VOLUME-GEOMETRY"):
        nifti.write(tmp_path / "v.nii.gz", [], (1, 32768, 2), "u1", None)
    nifti.write(tmp_path / "v.nii.gz", [np.zeros((2, 32767, 1), "u1")], (1, 32767, 2), "u1", None)
    assert nibabel.load(tmp_path / "v.nii.gz").shape == (1, 32767, 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are given by Linux")
def test_the_bytes_are_the_same_on_one_core_and_on_two_and_for_blocks_of_any_size(tmp_path: Path) -> None:
    """On Linux a thread has cores of its own, and those that it starts inherit them."""
    slices = np.random.default_rng(8).normal(0, 20, (24, 256, 256)).astype(np.int16)
    cores = sorted(os.sched_getaffinity(0))

    def written(n: int, step: int) -> tuple[set[int], str]:
        os.sched_setaffinity(0, cores[:n])
        parts = (slices[place : place + step] for place in range(0, 24, step))
        return os.sched_getaffinity(0), nifti.write(tmp_path / f"{n}-{step}.nii.gz", parts, (256, 256, 24), np.int16, np.eye(4))

    digests = set()
    for n, step in ((1, 24), (2, 24), (2, 5), (1, 1)):
        with ThreadPoolExecutor(1) as pool:
            on, digest = pool.submit(written, n, step).result()
        assert len(on) == min(n, len(cores))
        digests |= {digest, sha256((tmp_path / f"{n}-{step}.nii.gz").read_bytes()).hexdigest()}
    assert len(digests) == 1
