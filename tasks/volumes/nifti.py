"""Writes a volume as .nii.gz: the same volume gives the same bytes, and the header holds nothing but geometry and type."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import file_digest
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip_threaded
from numpy.typing import NDArray

#: Three bytes a voxel, NIfTI's RGB24.
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
#: isal's fastest level that still has tables of its own for each block, its threads, and the bytes of a block.
_LEVEL, _THREADS, _BLOCK = 1, 2, 1 << 20
#: Codes of NIfTI-1's xform_code: not given, and scanner anatomical coordinates (NIFTI_XFORM_SCANNER_ANAT).
_UNKNOWN, _SCANNER = 0, 1
#: A qform is only given where every reader's reconstruction of it puts each voxel within this distance of the sform.
MAX_QFORM_ERROR_MM = 0.02
#: Readers take a rotation for a half turn where a² is below one of these: never, as the reference reader (nifti1_io.c,
#: nifti_quatern_to_mat44), or as nibabel (three float32 epsilons, which refuses the file where a² is as far below zero).
_HALF_TURNS = (0.0, 1e-7, 3 * float(np.finfo(np.float32).eps))

Floats = NDArray[np.float64]


def write(
    path: Path, blocks: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any], affine_ras: Floats | None, *,
    slope: float = 1.0, inter: float = 0.0, spacing: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """Write voxels as single-file NIfTI-1 in gzip, block by block, and return the file's SHA-256.

    The sform is the affine. The qform says the same by a quaternion, or is marked as not given where it cannot: its fourth
    component is not stored, and recomputing it from float32 within 0.1° of a half turn (nearly, not quite, axial stacks) can turn
    the volume by so much that its far corners are 0.6 mm off. The gzip header carries no time and no file name, and its blocks are cut
    by their size alone: the same voxels give the same bytes, whatever the number of threads.

    Args:
        blocks: (n, rows, columns), or (n, rows, columns, 3) for RGB, in the order of the slices, the fourth axis slowest.
        shape: (columns, rows[, slices[, volumes]]).
        dtype: of the voxels; `RGB` for colour.
        affine_ras: (4, 4), voxel → RAS millimetres; None for an image that has no place in the patient: no form is given then.
        slope, inter: a value is voxel × slope + inter.
        spacing: of such an image, distance of rows, then of columns, in mm.

    Raises:
        ValueError: the blocks are not as many voxels as the shape says.
    """
    header = _header(shape, dtype, affine_ras, spacing)
    header["scl_slope"], header["scl_inter"] = slope, inter
    left = int(np.prod(shape)) * dtype.itemsize
    with path.open("w+b") as file:
        with igzip_threaded.open(file, "wb", compresslevel=_LEVEL, threads=_THREADS, block_size=_BLOCK) as stream:  # type: ignore[no-untyped-call]
            stream.write(header.binaryblock + b"\0\0\0\0")  # no extensions
            for block in blocks:
                left -= block.nbytes
                stream.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)
        file.seek(0)
        hashed = file_digest(file, "sha256").hexdigest()
    if left:
        raise ValueError("the blocks are not as many voxels as the shape says")
    return hashed


def _header(shape: tuple[int, ...], dtype: np.dtype[Any], affine_ras: Floats | None, spacing: tuple[float, float] | None) -> Any:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header["descrip"] = b"Safelight"
    header["magic"], header["vox_offset"] = b"n+1", 352
    if affine_ras is None:
        if spacing is not None:
            header.set_xyzt_units("mm")
            header.set_zooms((spacing[1], spacing[0], *[1.0] * (len(shape) - 2)))
        return header
    header.set_xyzt_units("mm")
    header.set_sform(affine_ras, code=_SCANNER)
    header.set_qform(affine_ras, code=_SCANNER, strip_shears=True)
    quaternion, error = best_quaternion(header, affine_ras)
    for name, component in zip(("quatern_b", "quatern_c", "quatern_d"), quaternion, strict=True):
        header[name] = component
    if error > MAX_QFORM_ERROR_MM:
        header["qform_code"] = _UNKNOWN
    return header


def best_quaternion(header: Any, affine: Floats) -> tuple[NDArray[np.float32], float]:
    """The float32 components b, c, d, among those next to the rounded ones, from which readers recompute the affine best.

    Args:
        header: a NIfTI-1 header whose qform has been set.
        affine: (4, 4), voxel → millimetres, that it should say.

    Returns:
        the components, and the largest distance of a corner voxel from where `affine` puts it, in mm, over all ways
        in which readers recompute the fourth component.
    """
    rounded = np.array([header["quatern_b"], header["quatern_c"], header["quatern_d"]], np.float32)
    spacing = np.asarray(header["pixdim"][1:4], np.float64) * [1, 1, float(header["pixdim"][0])]
    offset = np.array([float(header[f"qoffset_{axis}"]) for axis in "xyz"])
    shape = np.asarray(header["dim"][1:4], np.float64)
    corners = np.array(list(product(*[(0.0, n - 1) for n in shape])))
    wanted = corners @ affine[:3, :3].T + affine[:3, 3]
    near = np.array(list(product(range(-2, 3), repeat=3)), np.float32)
    candidates = (rounded + near * np.spacing(np.abs(rounded))).astype(np.float32)
    candidates = candidates[np.argsort(np.abs(near).sum(axis=1), kind="stable")]
    candidates = candidates[1.0 - (candidates.astype(np.float64) ** 2).sum(axis=1) >= -0.9 * _HALF_TURNS[-1]]
    errors = np.max([
        np.linalg.norm((corners * spacing) @ rotation.transpose(0, 2, 1) + offset - wanted, axis=2).max(axis=1)
        for rotation in (_rotations(candidates, half_turn) for half_turn in _HALF_TURNS)
    ], axis=0)  # fmt: skip
    best = int(np.argmin(errors))
    return candidates[best], float(errors[best])


def _rotations(quaternions: NDArray[np.float32], half_turn: float) -> Floats:
    """(n, 3, 3) rotation matrices of (n, 3) quaternion components b, c, d, as a reader makes them (nifti1.h, method 2)."""
    b, c, d = quaternions.astype(np.float64).T
    square = 1.0 - (b * b + c * c + d * d)
    turned = square < half_turn
    a = np.sqrt(np.where(turned, 0.0, np.maximum(square, 0.0)))
    length = np.where(turned, np.sqrt(b * b + c * c + d * d), 1.0)
    b, c, d = b / length, c / length, d / length
    return np.stack([
        np.stack([a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)], axis=-1),
        np.stack([2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)], axis=-1),
        np.stack([2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b], axis=-1),
    ], axis=-2)  # fmt: skip
