"""The classic and the enhanced form of one acquisition give the same voxels at the same places; a rescale of each frame's own is applied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import EnhancedMRImageStorage, RLELossless
from scipy.spatial.transform import Rotation

from tests.tasks.volumes.phantom import enhanced, mr, offsets, run, stack

OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
SAME = ("n_columns", "n_rows", "n_slices", "affine", "dtype", "units", "scl_slope", "value_min", "value_max", "sha256")


@settings(max_examples=6)
@given(order=st.permutations(range(6)), compressed=st.booleans())
def test_both_forms_are_equal_to_the_byte(order: list[int], compressed: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("forms")
    slices = stack(orientation=OBLIQUE[:2].ravel(), step=2.5 * OBLIQUE[2])
    made = enhanced([slices[k] for k in order])
    if compressed:
        made.compress(RLELossless, generate_instance_uid=False)
    [classic], [multi] = run(folder / "a", slices).rows, run(folder / "b", [made]).rows
    assert {name: classic[name] for name in SAME} == {name: multi[name] for name in SAME}
    assert multi["source_frames"] == [order.index(k) + 1 for k in range(6)]
    assert multi["n_instances"] == 1


def test_a_time_of_both_forms_is_equal_voxel_by_voxel(tmp_path: Path) -> None:
    slices = [each for k in (1, 2, 3) for each in mr(4, first=10 * k, plus=1000 * k, TemporalPositionIdentifier=k)]
    one, two = run(tmp_path / "a", slices), run(tmp_path / "b", [enhanced(slices[::-1], EnhancedMRImageStorage)])
    first, second = (np.asarray(ran.image(ran.rows[0]).dataobj) for ran in (one, two))
    assert first.shape == (5, 6, 4, 3)
    assert np.array_equal(first, second)
    assert one.rows[0]["fourth_axis_values"] == [1.0, 2.0, 3.0]
    assert offsets(two, two.rows[0]) == [1000, 2000, 3000]
