"""Networks read volumes: a version that is nearly the running one passes and is promoted, one whose scores are turned round is not."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load as tensors_of
from safetensors.torch import save

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.predictions import CONTRACT as PREDICTIONS
from data_contracts.reference import CONTRACT as STANDARD
from tasks.changes.assessment import Assessment, assess, versions
from tasks.changes.plan import ChangePlan
from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan
from tasks.guard import ErrorLog
from tasks.inference import registry
from tasks.inference.command import read_lake
from tasks.inference.execution import REFERENCE
from tasks.lake import Lake
from tasks.pools import InlinePool
from tests.tasks.changes.made import change_plan, cohort, evaluation, rows
from tests.tasks.evaluation.cohorts import patient
from tests.tasks.inference.made import bundle, chest_like, publish, volume

N = 40


def trained_anew(folder: Path, number: str, noise: float, turned: bool) -> str:
    """The bundle `tiny` with noise on all its weights, as a share of each tensor's spread; and with low scores where there were high ones."""
    bundle(folder, version=number)
    rng = np.random.default_rng(3)  # numpy's, for torch's numbers are not the same on all processors
    content = tensors_of((folder / "weights.safetensors").read_bytes())
    drawn = {name: torch.tensor(rng.standard_normal(each.shape), dtype=each.dtype) for name, each in content.items()}
    blurred = {name: each + noise * each.std(correction=0) * drawn[name] for name, each in content.items()}
    blurred["scale"] = content["scale"] * (-1 if turned else 1)
    (folder / "weights.safetensors").write_bytes(save(blurred))
    said = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8"))
    said["weights"]["sha256"] = sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Plan]:
    """Volumes that three versions have read. The truth is what the running one says of most: it is a good model by construction."""
    root = tmp_path_factory.mktemp("real")
    lake, studies = Lake.open(root / "lake"), cohort(N)
    rng = np.random.default_rng(6)
    for place, study in enumerate(studies):
        key = study["StudyInstanceUID"].removeprefix("2.25.")
        calm = chest_like(place)  # more noise, another score: scores lie thousands of float32's steps apart, on any processor
        voxels = (calm + rng.normal(0, 10 * (place + 1), calm.shape)).astype(np.int16)
        publish(lake, int(key), volume(int(f"{key}1"), voxels=voxels, PatientID=patient(place)))
    models = [
        bundle(root / "running"),
        trained_anew(root / "near", "1.1.0", 0.005, False),
        trained_anew(root / "turned", "1.2.0", 0.0, True),
    ]
    for model in models:
        assert read_lake(lake, model, REFERENCE, InlinePool(), ErrorLog(root / "errors.jsonl")).studies["done"] == N
    registry.promote(lake, "tiny", "1.0.0")
    said = {
        row["StudyInstanceUID"]: row["score"] for row in lake.table(PREDICTIONS).to_pylist() if row["model_version"] == "1.0.0"
    }
    cut = float(np.median(list(said.values())))
    for place, study in enumerate(studies):
        high = said[study["StudyInstanceUID"]] >= cut
        study |= {"PatientID": patient(place), "label": int(high != (place % 7 == 0))}
    for contract in (COHORT, STANDARD):
        with lake.publication("test", contract.name, "") as publication:
            publication.write_table(contract, rows(contract, studies))
            publication.commit()
    return lake, evaluation(model="tiny", threshold=cut)


def plan() -> ChangePlan:
    return change_plan(
        model="tiny",
        modification_protocol__data_management__minimum_patients=N,
        modification_protocol__performance_evaluation__limits=[{"metric": "auc", "at_least": 0.6}, {"metric": "auc", "margin": 0.1}],
    )  # fmt: skip


def decided(world: tuple[Lake, Plan], number: str) -> Assessment:
    return assess(world[0], plan(), world[1], *versions(world[0], plan(), None, f"tiny@{number}"))


def test_a_version_that_is_nearly_the_running_one_passes_and_is_promoted(world: tuple[Lake, Plan]) -> None:
    made, lake = decided(world, "1.1.0"), world[0]
    assert [(each.field, each.kind, each.permitted) for each in made.verdict.changes] == [("weights.sha256", "weights", True)]
    assert made.verdict.passed, [each for each in made.verdict.limits if not each.passed]
    assert made.results.provenance.weights_sha256 == made.verdict.candidate.weights_sha256 != made.verdict.running.weights_sha256
    made.keep(lake)
    assert registry.promote(lake, "tiny", "1.1.0").by == "verdict"
    assert registry.promote(lake, "tiny", "1.0.0").by == "rollback"


def test_a_version_whose_scores_are_turned_round_fails_and_is_not_promoted(world: tuple[Lake, Plan]) -> None:
    made = decided(world, "1.2.0")
    assert [(each.about, each.metric) for each in made.verdict.limits if not each.passed] == [
        ("performance", "auc"),
        ("non_inferiority", "auc"),
    ]
    made.keep(world[0])
    with pytest.raises(ConfigurationError, match="E-CHANGE-VERDICT"):
        registry.promote(world[0], "tiny", "1.2.0")
