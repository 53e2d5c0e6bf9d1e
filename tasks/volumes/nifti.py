"""Writes a volume as .nii.gz: the same volume gives the same bytes, and the header holds nothing but geometry and type."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

#: Codes of NIfTI-1's xform_code: not given, and scanner anatomical coordinates (NIFTI_XFORM_SCANNER_ANAT).
_UNKNOWN, _SCANNER = 0, 1
#: A qform is only given where every reader's reconstruction of it puts each voxel within this distance of the sform.
MAX_QFORM_ERROR_MM = 0.02
#: Readers take a rotation for a half turn where a² is below one of these: never, as the reference reader (nifti1_io.c,
#: nifti_quatern_to_mat44), or as nibabel (three float32 epsilons, which refuses the file where a² is as far below zero).
_HALF_TURNS = (0.0, 1e-7, 3 * float(np.finfo(np.float32).eps))

Floats = NDArray[np.float64]


def write(
    path: Path,
    blocks: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    affine_ras: Floats | None,
    *,
    slope: float = 1.0,
    inter: float = 0.0,
    spacing: tuple[float, float] | None = None,
) -> str:
    """Stand-in."""
    data = np.concatenate(list(blocks))
    if dtype.fields:
        data = np.ascontiguousarray(data).view(dtype)[..., 0]
    voxels = np.asarray(data, dtype).ravel().reshape(shape, order="F")
    image = nibabel.Nifti1Image(voxels, affine_ras)
    image.header.set_data_dtype(voxels.dtype)
    image.header["descrip"] = b"Safelight"
    if affine_ras is None:
        image.header.set_sform(None, 0)
        image.header.set_qform(None, 0)
        if spacing is not None:
            image.header.set_zooms((spacing[1], spacing[0], *[1.0] * (len(shape) - 2)))
            image.header.set_xyzt_units("mm")
    else:
        image.header.set_xyzt_units("mm")
        image.set_sform(affine_ras, code=_SCANNER)
        image.set_qform(affine_ras, code=_SCANNER, strip_shears=True)
        quaternion, error = best_quaternion(image.header, affine_ras)
        for name, component in zip(("quatern_b", "quatern_c", "quatern_d"), quaternion, strict=True):
            image.header[name] = component
        if error > MAX_QFORM_ERROR_MM:
            image.header["qform_code"] = _UNKNOWN
    content = bytearray(image.to_bytes())
    import struct

    content[112:120] = struct.pack("<ff", slope, inter)
    packed = igzip.compress(bytes(content), compresslevel=1, mtime=0)
    path.write_bytes(packed)
    return sha256(packed).hexdigest()


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
