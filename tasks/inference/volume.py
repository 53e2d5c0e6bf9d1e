"""Reads a lake's volume: checked against its published SHA-256 and inflated in one pass over the file, into one array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip_lib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import Grid, shape_of
from tasks.imaging.padding import marked
from tasks.inference.manifest import Input, Range

_HEADER = 352
#: Bytes that are read, and that are inflated, at a time: a file that claims little may inflate to much.
_CHUNK, _PART = 1 << 20, 1 << 22


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as NIfTI holds it.

    Args:
        voxels: (i, j, k), in the unit of the table `volumes`: HU in CT.
        affine_ras: (4, 4), from voxel to RAS millimetres.
        padding: the lowest and highest value that marks voxels outside of the image, where there are such.
    """

    voxels: NDArray[Any]
    affine_ras: NDArray[np.float64]
    padding: Range | None = None

    @property
    def grid(self) -> Grid:
        """Where the voxels are."""
        return Grid(shape_of(self.voxels), self.affine_ras)


def read_volume(path: Path, padding: Range | None = None, published_sha256: str | None = None) -> Volume:
    """Read a .nii.gz file of three axes.

    Args:
        path: of the file.
        padding: `padding_range` of the table `volumes`.
        published_sha256: that the file must have; None reads any.

    Returns:
        whole numbers as stored, or float32 where the file says a slope or an intercept.

    Raises:
        SafelightError: E-INFER-STALE where the file is another one, or no such file.
    """
    digest = sha256()
    try:
        header, stored = _inflated(path, digest)
    except (igzip_lib.IsalError, EOFError, OSError, HeaderDataError, ValueError):  # type: ignore[misc] # a class, whatever its stub says
        raise SafelightError("E-INFER-STALE", "a volume that cannot be read") from None
    if published_sha256 is not None and digest.hexdigest() != published_sha256:
        raise SafelightError("E-INFER-STALE", "not the published bytes")
    slope, inter = header.get_slope_inter()
    voxels = stored.reshape(header.get_data_shape(), order="F")
    if slope is not None and (slope, inter) != (1.0, 0.0):
        voxels = voxels.astype(np.float32)
        voxels *= np.float32(slope)
        voxels += np.float32(inter)
    return Volume(voxels, np.asarray(header.get_best_affine(), np.float64), padding)


def tidy(values: NDArray[np.float32], stored: NDArray[Any], padding: Range | None, how: Input) -> None:
    """Replace what is marked as padding among the stored values, and lay the floor, in place."""
    if padding is not None:
        values[marked(stored, padding)] = how.padding
    if how.floor is not None:
        np.maximum(values, np.float32(how.floor), out=values)


def _inflated(path: Path, digest: Any) -> tuple[Any, NDArray[Any]]:
    """The header and the voxels, flat, as they lie in the file; every byte of the file has gone through `digest`."""
    head, header, target, filled = b"", None, bytearray(), 0
    for part in _parts(path, digest):
        voxels = part
        if header is None:
            head += part
            if len(head) < _HEADER:
                continue
            header = nibabel.Nifti1Header.from_fileobj(_Bytes(head[:_HEADER]))
            voxels = head[int(header["vox_offset"]) :]
            target = bytearray(int(np.prod(header.get_data_shape(), dtype=np.int64)) * header.get_data_dtype().itemsize)
        end = filled + len(voxels)
        if end > len(target):
            raise ValueError("more voxels than the header says")
        target[filled:end] = voxels
        filled = end
    if header is None or filled < len(target):
        raise EOFError
    return header, np.frombuffer(target, header.get_data_dtype())


def _parts(path: Path, digest: Any) -> Iterator[bytes]:
    """A gzip member's content, some bytes at a time; what comes after it is read too. EOFError where it breaks off."""
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            while not stream.eof:
                yield stream.decompress(chunk, _PART)
                chunk = b""
                if stream.needs_input:
                    break
    if not stream.eof:
        raise EOFError


class _Bytes:
    """Bytes as the file that nibabel reads a header from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        """The next bytes."""
        part, self._content = self._content[:size], self._content[size:]
        return part
