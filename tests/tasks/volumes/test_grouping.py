"""Whatever stacks are thrown into one series come out whole, each as it was, in any order of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from tests.tasks.volumes.phantom import instance, offsets, run

KERNELS = ["B30f", "B70f", "Br40"]


@st.composite
def stacks(draw: st.DrawFn) -> list[dict]:
    """Up to four stacks with kernels, echoes, angles and steps of their own; no two alike in all of what tells stacks apart."""
    made = st.fixed_dictionaries({
        "kernel": st.sampled_from(KERNELS), "echo": st.sampled_from([2.0, 4.0]), "turn": st.sampled_from([0, 30, 90]),
        "step": st.sampled_from([0.7, 2.0, 5.0]), "n": st.integers(2, 6), "shift": st.sampled_from([0.0, 0.35, 1.0]),
    })  # fmt: skip
    return draw(st.lists(made, min_size=1, max_size=4, unique_by=lambda each: (each["kernel"], each["echo"], each["turn"])))


def slices_of(each: dict, number: int) -> list[Dataset]:
    turned = Rotation.from_euler("x", each["turn"], degrees=True).as_matrix()
    found = []
    for k in range(each["n"]):
        position = turned[:, 2] * (each["shift"] + k * each["step"])
        made = instance(
            position, turned[:, :2].T.ravel(), number=100 * number + k, ConvolutionKernel=each["kernel"], EchoTime=each["echo"]
        )
        found.append(made)
    return found


@settings(max_examples=12)
@given(said=stacks(), seed=st.integers(0, 999))
def test_each_stack_comes_out_whole(said: Sequence[dict], seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("stacks")
    slices = [each for number, one in enumerate(said) for each in slices_of(one, number)]
    shuffled = [slices[k] for k in np.random.default_rng(seed).permutation(len(slices))]
    ran = run(folder, shuffled)
    assert sorted(row["n_slices"] for row in ran.rows) == sorted(each["n"] for each in said)
    keys = {frozenset(row["source_instances"]) for row in ran.rows}
    assert keys == {frozenset(f"2.25.{9000 + 100 * number + k}" for k in range(each["n"])) for number, each in enumerate(said)}
    for row in ran.rows:
        assert offsets(ran, row) == [-1024]
    paths = [row["path"] for row in ran.rows]
    again = run(folder / "again", slices)
    assert [row["path"] for row in again.rows] == paths
    assert [row["sha256"] for row in again.rows] == [row["sha256"] for row in ran.rows]


def test_files_of_any_name_give_the_same_lake(tmp_path: Path) -> None:
    slices = [*slices_of({"kernel": "B30f", "echo": 2.0, "turn": 0, "step": 2.0, "n": 4, "shift": 0.0}, 0)]
    one, two = run(tmp_path / "a", slices), run(tmp_path / "b", slices[::-1])
    assert one.lake.files("") == two.lake.files("")
    assert all(one.lake.read(name) == two.lake.read(name) for name in one.lake.files("volumes") + one.lake.files("tables"))
