"""Writes a volume as .nii.gz: the same volume gives the same bytes, and the header holds nothing but geometry and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

#: Scanner anatomical coordinates (NIFTI_XFORM_SCANNER_ANAT).
_SCANNER = 1


def write(path: Path, voxels: NDArray[Any], affine_ras: NDArray[np.float64]) -> None:
    """Write voxels (column, row, slice) with their affine to RAS millimetres, as single-file NIfTI-1 in gzip.

    The gzip header carries no time and no file name.
    """
    image = nibabel.Nifti1Image(voxels, affine_ras)
    image.header.set_data_dtype(voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"Safelight"
    image.set_sform(affine_ras, code=_SCANNER)
    image.set_qform(affine_ras, code=_SCANNER, strip_shears=True)
    content = igzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
    path.write_bytes(content)
