"""Writes a volume as .nii.gz: the same volume gives the same bytes, and the header holds nothing but geometry and type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, product
from math import prod
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import DTypeLike, NDArray

from tasks.errors import SafelightError
from tasks.volumes.gzipping import gzipped

#: NIfTI-1's colour (DT_RGB24, code 128): three bytes a voxel.
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])

#: Codes of NIfTI-1's xform_code: not given, and scanner anatomical coordinates (NIFTI_XFORM_SCANNER_ANAT).
_UNKNOWN, _SCANNER = 0, 1
#: A qform is only given where every reader's reconstruction of it puts each voxel within this distance of the sform.
MAX_QFORM_ERROR_MM = 0.02
#: The header of 348 bytes, and four that say that no extension follows; dimensions are 16-bit numbers with a sign.
_OFFSET, _LONGEST = 352, 32767
#: Readers take a rotation for a half turn where a² is below one of these: never, as the reference reader (nifti1_io.c,
#: nifti_quatern_to_mat44), or as nibabel (three float32 epsilons, which refuses the file where a² is as far below zero).
_HALF_TURNS = (0.0, 1e-7, 3 * float(np.finfo(np.float32).eps))

Floats = NDArray[np.float64]


def write(
    path: Path,
    blocks: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: DTypeLike,
    affine_ras: Floats | None,
    *,
    slope: float = 1.0,
    inter: float = 0.0,
    spacing: tuple[float, float] | None = None,
    time_step: float | None = None,
) -> str:
    """Write a volume while its slices come in, as single-file NIfTI-1 in gzip; return its SHA-256. What could not be finished is removed.

    Args:
        blocks: slices in the file's order, some at a time: (n, rows, columns), or (n, rows, columns, 3) for colour, in C order, which is
            NIfTI's (the first index, the column, runs fastest). They must not change once they are handed over.
        shape: (columns, rows), (columns, rows, slices) or (columns, rows, slices, volumes).
        dtype: of the blocks; `RGB` for colour.
        affine_ras: (4, 4), voxel (column, row, slice) → RAS millimetres; None for what has no place in space, such as a projection.
        slope, inter: value = voxel × slope + inter, as float32; only written where they are not 1 and 0.
        spacing: distance of rows, then of columns, in millimetres, where there is no affine. Unknown is 1 in an unknown unit.
        time_step: between volumes, in seconds.

    Raises:
        ValueError: the blocks do not fill the shape exactly, or are of another type.
        SafelightError: E-VOLUME-GEOMETRY where an axis is longer than NIfTI-1 can say (32767).
    """
    dtype = np.dtype(dtype).newbyteorder("<")
    header = header_of(shape, dtype, affine_ras, slope=slope, inter=inter, spacing=spacing, time_step=time_step)
    digest = sha256()
    try:
        with path.open("wb", buffering=0) as stream:
            for piece in gzipped(chain([header], _voxels(blocks, shape, dtype))):
                digest.update(piece)
                stream.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _voxels(blocks: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[memoryview]:
    """The blocks' bytes, held to the shape."""
    columns, rows, *others = shape
    plane = (rows, columns, 3) if dtype == RGB else (rows, columns)
    kind = np.dtype(np.uint8) if dtype == RGB else dtype
    left = prod(others)
    for block in blocks:
        if block.shape[1:] != plane or block.dtype.newbyteorder("<") != kind:
            raise ValueError(f"a block is {block.dtype} {block.shape[1:]}, the file {kind} {plane}")
        left -= len(block)
        if left < 0:
            break
        if len(block):
            yield memoryview(np.ascontiguousarray(block, kind).data).cast("B")
    if left:
        raise ValueError(f"{abs(left)} slices too {'few' if left > 0 else 'many'} for {shape}")


def header_of(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    affine_ras: Floats | None,
    *,
    slope: float = 1.0,
    inter: float = 0.0,
    spacing: tuple[float, float] | None = None,
    time_step: float | None = None,
) -> bytes:
    """The 352 bytes before the voxels, for `write`'s arguments.

    The sform is the affine. The qform says the same by a quaternion, or is marked as not given where it cannot: its fourth
    component is not stored, and recomputing it from float32 within 0.1° of a half turn (nearly, not quite, axial stacks) can turn
    the volume by so much that its far corners are 0.6 mm off.

    Raises:
        SafelightError: E-VOLUME-GEOMETRY.
    """
    if max(shape) > _LONGEST:
        raise SafelightError("E-VOLUME-GEOMETRY", f"NIfTI-1 has no axis of {max(shape)}")
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["descrip"] = b"Safelight"
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["vox_offset"] = _OFFSET
    header["magic"] = b"n+1"
    in_plane = (1.0, 1.0) if spacing is None else spacing
    header["pixdim"][1:5] = [in_plane[1], in_plane[0], 1.0, 1.0 if time_step is None else time_step]
    in_space = affine_ras is not None or spacing is not None
    header.set_xyzt_units("mm" if in_space else None, None if time_step is None else "sec")
    if affine_ras is not None:
        header.set_sform(affine_ras, code=_SCANNER)
        header.set_qform(affine_ras, code=_SCANNER, strip_shears=True)
        quaternion, error = best_quaternion(header, affine_ras)
        for name, component in zip(("quatern_b", "quatern_c", "quatern_d"), quaternion, strict=True):
            header[name] = component
        if error > MAX_QFORM_ERROR_MM:
            header["qform_code"] = _UNKNOWN
    return bytes(header.binaryblock).ljust(_OFFSET, b"\0")


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
