"""The loops that reading is held against say what it says: figures of others would mean nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import reading
from tasks.inference.execution import REFERENCE
from tasks.inference.reader import ManifestReader, open_reader
from tasks.inference.volume import read_volume
from tests.tasks.inference.made import lps, nifti


@pytest.mark.filterwarnings("ignore:NvImgCodec")
def test_the_loops_give_the_same_labels(tmp_path: Path) -> None:
    voxels = reading.scan(1, 40)[100:400:2, 100:420:2]
    nifti(tmp_path / "v.nii.gz", voxels, lps((1.4, 1.4, 5.0)))
    reader = open_reader(reading.model(tmp_path / "m"), REFERENCE)
    assert isinstance(reader, ManifestReader)
    prepared = reader.prepare(read_volume(tmp_path / "v.nii.gz"))
    ours = reader.finish(reader.infer(prepared), prepared).labels
    assert ours is not None
    turned = ours[::-1, ::-1]  # LPS as RAS
    assert len(np.unique(turned)) > 1
    for loop in (reading.naive, reading.monais):
        labels = loop(tmp_path / "v.nii.gz", reader.network)
        assert labels.shape == turned.shape
        assert np.mean(labels == turned) > 0.95, loop.__name__
