"""Training is deterministic, learns where the nodules are, and describes what it made."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from tasks.errors import ConfigurationError
from tasks.inference import learning
from tasks.inference.bundle import load
from tasks.inference.learning import CROP, crop, loss, target
from tasks.inference.manifest import Input
from tasks.inference.networks import STRIDE, NoduleNet
from tasks.inference.phantoms import PROTOCOLS, TEST, TRAIN, TRAINED_ON, VALIDATE, Case, as_case, auc, cases
from tasks.inference.train import Recipe, calibrate, threshold_at, train
from tasks.synthetic.phantom import THIN, chest
from tasks.synthetic.seeds import COHORT, TRAINING, training_seed
from tests.tasks.inference.made import bundle, bytes_below, manifest

TINY = Recipe(threads=1, phantoms=2, steps=2, validation=6, test=6)
HOW = Input.model_validate(manifest()["input"])


@pytest.fixture(scope="module")
def case() -> Case:
    """A thin training case with nodules."""
    return next(one for one in cases(TRAIN, range(3), HOW) if one.label)


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle after a training of two steps."""
    folder = tmp_path_factory.mktemp("bundle")
    bundle(folder, intended_use="Words of a person: with a colon.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "CROPS", 2)
        train(folder, TINY)
    return folder


def test_training_again_gives_the_same_bytes_and_no_new_version(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "CROPS", 2)
    shutil.copytree(trained, tmp_path / "again")
    lines: list[str] = []
    train(tmp_path / "again", TINY, lines.append)
    assert bytes_below(tmp_path / "again") == bytes_below(trained)
    assert any(line.startswith("step 2 of 2: mean loss") for line in lines)


def test_a_training_writes_what_it_found_and_keeps_what_a_person_wrote(trained: Path) -> None:
    made = load(trained).manifest  # the weights are those that the manifest names, and all of it is valid
    assert made.version == "1.0.1"
    assert made.intended_use == "Words of a person: with a colon."
    assert made.training["phantoms"] == 2
    assert {f"test_auc_{name}" for name in PROTOCOLS} <= set(made.training)
    assert [point.name for point in made.findings[0].operating_points] == ["screening", "specific"]
    assert "no phantom of a cohort" in made.findings[0].operating_point.source
    assert made.findings[0].operating_points[0].threshold <= made.findings[0].operating_points[1].threshold
    assert made.profile.mean[0] < made.profile.mean[1] < 0.5
    assert 0 < made.profile.content_share[0] < made.profile.content_share[1] < 1


def test_a_network_of_another_kind_is_not_trained(tmp_path: Path) -> None:
    bundle(tmp_path / "m", weights={"architecture": {"network": "torch.nn:ReLU", "arguments": {}}})
    with pytest.raises(ConfigurationError, match="E-INFER-TRAINING"):
        train(tmp_path / "m", TINY)
    with pytest.raises(ConfigurationError, match="E-INFER-MODEL-MISSING"):
        train(tmp_path / "nowhere", TINY)


def test_no_phantom_serves_two_purposes_and_none_is_of_a_cohort() -> None:
    assert len({TRAIN, VALIDATE, TEST}) == 3
    made = [next(cases(purpose, range(1), HOW)) for purpose in (TRAIN, VALIDATE, TEST)]
    assert len({one.volume.voxels.tobytes() for one in made}) == 3
    assert training_seed(TRAIN, 0).spawn_key[0] == TRAINING != COHORT


def test_cases_cover_what_they_say() -> None:
    tuned = list(cases(VALIDATE, range(18), HOW))
    assert [one.protocol for one in tuned[:3]] == list(PROTOCOLS)
    assert sum(one.label for one in tuned) == 9
    assert {one.protocol for one in cases(TRAIN, range(3), HOW)} == set(TRAINED_ON)


def test_nodules_are_where_the_case_says(case: Case) -> None:
    """The oracle is the phantom without its nodules: the difference of the two inputs shows where they are."""
    phantom = chest(training_seed(9, 0), protocol=THIN, nodules=2)
    healthy = as_case("thin", chest(training_seed(9, 0), protocol=THIN, nodules=0), HOW)
    diseased = as_case("thin", phantom, HOW)
    difference = np.abs(diseased.prepared.voxels - healthy.prepared.voxels)
    places = np.indices(difference.shape).reshape(3, -1).T
    for center, radius in zip(diseased.centers, diseased.radii, strict=True):
        near = np.linalg.norm((places - center) * 2.5, axis=1) < radius + 4
        weight = difference.reshape(-1)[near]
        found = (places[near] * weight[:, None]).sum(axis=0) / weight.sum()
        np.testing.assert_allclose(found, center, atol=0.3)


def test_the_target_is_hot_in_nodules_and_undecided_around_them(case: Case) -> None:
    wanted = target(case, np.array(HOW.spacing_mm))
    for center in case.centers:
        nearest = tuple(np.rint(center / STRIDE).astype(int))
        assert wanted[nearest] == 1
    hot, undecided = (wanted == 1).sum(), np.isnan(wanted).sum()
    assert 0 < hot < undecided < 0.05 * wanted.size


def test_a_mirrored_crop_keeps_input_and_target_aligned(case: Case) -> None:
    """Where the target is every second voxel of the input, so is its crop of the input's crop."""
    wanted = case.prepared.voxels[::STRIDE, ::STRIDE, ::STRIDE]
    for seed in range(20):
        image, heat = crop(case, wanted, case.centers[0], np.random.default_rng(seed))
        assert image.shape == CROP
        np.testing.assert_array_equal(image[::STRIDE, ::STRIDE, ::STRIDE], heat)


def test_the_loss_asks_nothing_of_undecided_places() -> None:
    heat = torch.randn(2, 1, 8, 8, 8, requires_grad=True)
    wanted = torch.zeros(2, 1, 8, 8, 8)
    wanted[0, 0, 3:6, 3:6, 3:6] = torch.nan
    wanted[0, 0, 4, 4, 4] = 1
    torch.autograd.backward(loss(heat, wanted))
    assert heat.grad is not None
    assert (heat.grad[torch.isnan(wanted)] == 0).all()
    assert heat.grad[0, 0, 4, 4, 4] < 0
    assert (heat.grad[wanted == 0] >= 0).all()


def test_learning_lowers_the_loss(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "CROPS", 2)
    torch.manual_seed(3)
    network = NoduleNet(4)
    losses: list[float] = []
    learning.learn(network, [case], HOW.spacing_mm, seed=1, steps=60, rate=1e-2, report=lambda _step, value: losses.append(value))
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])
    assert not network.training


def test_the_score_keeps_the_order_of_the_hottest_places_and_sees_any_size() -> None:
    network = NoduleNet(4).eval()
    network.scale.fill_(0.5)
    for shape in ((3, 4, 5), (16, 17, 18), (1, 1, 1)):
        volumes = torch.rand(4, 1, *shape)
        with torch.inference_mode():
            assert network(volumes).argsort().tolist() == network.hottest(volumes).argsort().tolist()
            alone = torch.cat([network(volume[None]) for volume in volumes])
            torch.testing.assert_close(network(volumes), alone)


def test_auc_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    scores = np.round(rng.normal(labels, 1.0), 1)
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_calibration_agrees_with_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 4000).astype(float)
    logits = rng.normal(3 * labels - 4, 2.0)
    scale, offset = calibrate(logits, labels)
    oracle = LogisticRegression(C=1e9).fit(logits[:, None], labels)
    assert scale == pytest.approx(oracle.coef_[0, 0], rel=0.02)
    assert offset == pytest.approx(oracle.intercept_[0], rel=0.02)


def test_calibration_survives_perfect_separation_and_never_turns_the_order_around() -> None:
    labels = np.array([0.0, 0, 0, 1, 1, 1])
    scale, offset = calibrate(np.array([-5.0, -4, -3, 3, 4, 5]), labels)
    assert np.isfinite([scale, offset]).all()
    assert calibrate(np.array([5.0, 4, 3, -3, -4, -5]), labels)[0] > 0


@pytest.mark.parametrize("wanted", [0.5, 0.7, 0.9, 1.0])
def test_the_threshold_has_the_sensitivity_and_the_next_higher_has_not(wanted: float) -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(300) < 0.4).astype(float)
    scores = np.round(rng.beta(2, 2, 300), 4)
    chosen = threshold_at(wanted, scores, labels)
    false_positive, sensitivity, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    reached = thresholds[np.argmax(sensitivity >= wanted)]
    assert false_positive.size
    assert chosen <= reached < chosen + 1.01e-4
