"""A faster way is used when a report says that it is equivalent, for these weights and this device, and not otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tasks.errors import ConfigurationError
from tasks.inference.bundle import load
from tasks.inference.equivalence import (
    LIMITS,
    Differences,
    Limits,
    comparable,
    compare,
    dice,
    prepared,
    publish,
    require,
    unmatched,
)
from tasks.inference.execution import REFERENCE, Execution
from tasks.inference.protocol import Box
from tasks.inference.reader import open_reader
from tasks.lake import Lake
from tests.tasks.inference import made
from tests.tasks.inference.made import bundle, volume
from tests.tasks.inference.networks import segmenter

BF16, WHOLE = Execution(variant=("bf16",)), Execution(variant=("whole",))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    where = Lake.open(tmp_path / "lake")
    for study in range(3):
        made.publish(where, study, volume(study, voxels=made.chest_like(study, (40, 36, 28))))
    made.publish(where, 3, volume(9, Modality="MR"))
    return where


def report(lake: Lake, model: str, how: Execution, limits: Limits = LIMITS) -> Differences:
    opened = load(model)
    reference, seen = open_reader(opened, REFERENCE), []
    rows = comparable(lake, opened, 20)
    found = compare(reference, open_reader(opened, how), prepared(lake, reference, rows, seen.append), opened)
    assert len(seen) == found.n_inputs == 3
    publish(lake, opened, how, found, limits, [row["path"] for row in rows])
    return found


def test_a_way_without_a_report_is_refused_and_the_reference_needs_none(tmp_path: Path, lake: Lake) -> None:
    opened = load(bundle(tmp_path / "m"))
    require(lake, opened, REFERENCE)
    with pytest.raises(ConfigurationError, match="E-INFER-NOT-EQUIVALENT"):
        require(lake, opened, BF16)


def test_a_good_report_lets_its_way_through_for_these_weights_alone(tmp_path: Path, lake: Lake) -> None:
    model = bundle(tmp_path / "m")
    found = report(lake, model, BF16, Limits(score=0.05, decisions=3))
    assert 0 < found.score < 0.05
    require(lake, load(model), BF16)
    for how in (WHOLE, Execution(device="cuda", variant=("bf16",)), Execution(variant=("bf16", "channels_last"))):
        with pytest.raises(ConfigurationError, match="E-INFER-NOT-EQUIVALENT"):
            require(lake, load(model), how)
    with pytest.raises(ConfigurationError, match="E-INFER-NOT-EQUIVALENT"):
        require(lake, load(bundle(tmp_path / "other", intended_use="Another manifest.")), BF16)
    said = json.loads(lake.read("models/tiny/1.0.0/equivalence/bf16_cpu.json"))
    assert said["equivalent"] is True
    assert len(said["volumes"]) == 3


def test_showing_all_at_once_what_is_meant_for_tiles_is_found_to_differ(tmp_path: Path, lake: Lake) -> None:
    model = segmenter(tmp_path / "m")
    found = report(lake, model, WHOLE)
    assert found.disagreement > 0.01
    assert min(found.dice.values()) < 0.99
    with pytest.raises(ConfigurationError, match="E-INFER-NOT-EQUIVALENT"):
        require(lake, load(model), WHOLE)


def test_a_report_over_nothing_is_no_proof() -> None:
    assert not Differences().within(LIMITS)
    assert Differences(n_inputs=1).within(LIMITS)
    assert not Differences(n_inputs=1, boxes=1).within(LIMITS)
    assert not Differences(n_inputs=1, decisions=1).within(LIMITS)


def test_dice_is_the_f1_score() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 3, (8, 8, 8)).astype(np.uint8) for _ in range(2))
    for label in range(3):
        assert dice(one, other, label) == pytest.approx(f1_score(one.ravel() == label, other.ravel() == label))
    assert dice(one, other, 9) == 1.0
    assert dice(one, np.zeros_like(one), 2) == 0.0


def test_boxes_without_a_partner_are_counted_on_both_sides() -> None:
    def box(x: float, finding: str = "a") -> Box:
        return Box(finding, 0.5, (0, 0, x), (4, 4, x + 4))

    assert unmatched([box(0), box(10)], [box(10), box(0.5)]) == 0
    assert unmatched([box(0)], [box(3)]) == 2
    assert unmatched([box(0)], [box(0, "b")]) == 2
    assert unmatched([box(0), box(0.1)], [box(0)]) == 1
    assert unmatched([], []) == 0
