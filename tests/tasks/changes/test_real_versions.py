"""Real weights read real volumes: a version that is nearly the running one passes and is promoted, one whose weights were ruined is not."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load as tensors_of
from safetensors.torch import save

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.reference import CONTRACT as STANDARD
from tasks.changes.assessment import Assessment, assess, versions
from tasks.changes.plan import ChangePlan
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog
from tasks.inference import registry
from tasks.inference.bundle import load
from tasks.inference.command import read_lake
from tasks.inference.execution import REFERENCE
from tasks.inference.phantoms import PROTOCOLS, as_volume
from tasks.lake import Lake
from tasks.pools import InlinePool
from tasks.synthetic.phantom import chest
from tasks.synthetic.seeds import phantom_seed
from tests.tasks.changes.made import change_plan, cohort, evaluation, rows
from tests.tasks.evaluation.cohorts import patient
from tests.tasks.inference.made import publish

N = 36
NAME = "demo_nodule"


def trained_anew(folder: Path, number: str, noise: float) -> str:
    """The demo's bundle with noise on all its weights, as a share of each tensor's spread."""
    shutil.copytree(load(NAME).folder, folder)
    torch.manual_seed(3)
    content = tensors_of((folder / "weights.safetensors").read_bytes())
    blurred = {name: each + noise * each.std(correction=0) * torch.randn_like(each) for name, each in content.items()}
    (folder / "weights.safetensors").write_bytes(save(blurred))
    said = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8"))
    said["version"] = number
    said["weights"]["sha256"] = sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Phantoms, half of them with nodules, that three versions have read; the shipped one under its bare name."""
    root = tmp_path_factory.mktemp("real")
    lake, studies = Lake.open(root / "lake"), cohort(N)
    for place, study in enumerate(studies):
        label = place % 2
        made = chest(phantom_seed(77, 500 + place), protocol=PROTOCOLS["medium"], nodules=2 * label)
        shown = as_volume(made)
        study |= {"PatientID": patient(place), "label": label, "sex": "F" if place % 4 < 2 else "M"}
        key = study["StudyInstanceUID"].removeprefix("2.25.")
        publish(
            lake, int(key), {"series": f"{key}1", "voxels": shown.voxels, "affine": shown.affine_ras, "PatientID": patient(place)}
        )
    for contract in (COHORT, STANDARD):
        with lake.publication("test", contract.name, "") as publication:
            publication.write_table(contract, rows(contract, studies))
            publication.commit()
    for model in (NAME, trained_anew(root / "near", "1.1.0", 0.01), trained_anew(root / "ruined", "1.2.0", 2.0)):
        summary = read_lake(lake, model, REFERENCE, InlinePool(), ErrorLog(root / "errors.jsonl"))
        assert summary.studies["done"] == N
    return lake


def plan() -> ChangePlan:
    return change_plan(
        modification_protocol__data_management__minimum_patients=30,
        modification_protocol__performance_evaluation__limits=[
            {"metric": "auc", "at_least": 0.5}, {"metric": "auc", "margin": 0.1}, {"metric": "sensitivity", "margin": 0.3},
        ],
    )  # fmt: skip


def decided(lake: Lake, number: str) -> Assessment:
    return assess(lake, plan(), evaluation(), *versions(lake, plan(), None, f"{NAME}@{number}"))


def test_a_version_that_is_nearly_the_running_one_passes_and_is_promoted(lake: Lake) -> None:
    made = decided(lake, "1.1.0")
    assert [(each.field, each.kind, each.permitted) for each in made.verdict.changes] == [("weights.sha256", "weights", True)]
    assert made.verdict.passed, made.verdict.limits
    assert made.results.provenance.weights_sha256 == made.verdict.candidate.weights_sha256 != made.verdict.running.weights_sha256
    made.keep(lake)
    assert registry.promote(lake, NAME, "1.1.0").by == "verdict"
    assert registry.promote(lake, NAME, "1.0.1").by == "rollback"


def test_a_version_whose_weights_were_ruined_fails_and_is_not_promoted(lake: Lake) -> None:
    made = decided(lake, "1.2.0")
    assert not made.verdict.passed
    assert any(each.about != "data" and not each.passed for each in made.verdict.limits)
    made.keep(lake)
    with pytest.raises(ConfigurationError, match="E-CHANGE-VERDICT"):
        registry.promote(lake, NAME, "1.2.0")
