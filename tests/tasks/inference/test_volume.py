"""A volume's file is read as nibabel reads it, and one that was cut, changed or swollen is not."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tasks.errors import SafelightError
from tasks.inference.volume import read_volume
from tasks.volumes.nifti import write
from tests.tasks.inference.made import chest_like, lps


def written(path: Path, slope: float = 1.0, inter: float = 0.0) -> str:
    voxels = chest_like(3, (40, 30, 20))
    return write(
        path, (voxels[:, :, k].T[None] for k in range(20)), voxels.shape, voxels.dtype, lps((1, 2, 3)), slope=slope, inter=inter
    )


@pytest.mark.parametrize(("slope", "inter"), [(1.0, 0.0), (0.5, 10.0), (1.0, -1024.0)])
def test_a_file_gives_what_nibabel_gives(tmp_path: Path, slope: float, inter: float) -> None:
    path = tmp_path / "v.nii.gz"
    digest = written(path, slope, inter)
    volume, image = read_volume(path, published_sha256=digest), nibabel.load(path)
    np.testing.assert_array_equal(volume.voxels, np.asarray(image.dataobj))
    np.testing.assert_array_equal(volume.affine_ras, image.affine)
    assert volume.voxels.dtype == (np.int16 if slope == 1 and inter == 0 else np.float32)


def test_what_was_cut_changed_or_swollen_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    digest = written(path)
    good = path.read_bytes()
    plain = gzip.decompress(good)
    broken = {
        "cut": good[:-9], "head alone": gzip.compress(plain[:300]), "empty": b"", "not gzip": b"x" * 1000, "longer": gzip.compress(plain + b"\0"),
        "shorter": gzip.compress(plain[:-1]), "a changed byte": good[:500] + bytes([good[500] ^ 1]) + good[501:],
        "not nifti": gzip.compress(b"\0" * len(plain)),
    }  # fmt: skip
    for content in broken.values():
        path.write_bytes(content)
        for said in (None, sha256(content).hexdigest()):
            with pytest.raises(SafelightError, match="E-INFER-STALE"):
                read_volume(path, published_sha256=said)
    for content in (good + b"\0", gzip.compress(plain, mtime=1)):
        path.write_bytes(content)
        with pytest.raises(SafelightError, match="E-INFER-STALE"):
            read_volume(path, published_sha256=digest)
    with pytest.raises(SafelightError, match="E-INFER-STALE"):
        read_volume(tmp_path / "nowhere.nii.gz")


def test_a_file_of_few_bytes_that_holds_many_is_inflated_in_small_parts(tmp_path: Path) -> None:
    plane = np.zeros((1, 512, 512), np.int16)
    digest = write(tmp_path / "v.nii.gz", (plane for _ in range(200)), (512, 512, 200), np.int16, lps())
    assert (tmp_path / "v.nii.gz").stat().st_size < 1_000_000
    assert not read_volume(tmp_path / "v.nii.gz", published_sha256=digest).voxels.any()
