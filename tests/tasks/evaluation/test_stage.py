"""The evaluation of a lake: published once for each state of its inputs, through contracts, with balanced counts."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.contract import Contract
from data_contracts.metrics import CONTRACT as METRICS
from data_contracts.predictions import CONTRACT as PREDICTIONS
from data_contracts.reference import CONTRACT as REFERENCE
from data_contracts.volumes import CONTRACT as VOLUMES
from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation import results as schema
from tasks.evaluation import task
from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import THICK, THIN
from tasks.evaluation.output import tables as tables_of
from tasks.evaluation.stage import evaluate_lake
from tasks.guard import ErrorLog
from tasks.inference.policy import InferenceSettings
from tasks.lake import Lake
from tasks.ledger import Ledger
from tests.tasks.evaluation.cohorts import columns, plan, tables

N = 120
SUBGROUPS = [
    {"attribute": "sex", "levels": ["F", "M"]},
    {"attribute": "race", "levels": ["White", "Asian"]},
    {"attribute": "Manufacturer", "levels": ["V", "W"]},
    {"attribute": "slice_thickness", "levels": [THIN, THICK]},
]


def rows(contract: Contract, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with just the contract's columns, null where nothing was said."""
    names = [column.name for column in contract.columns]
    return [{name: row.get(name) for name in names} for row in made]


@pytest.fixture
def lake(tmp_path):
    """A lake with the tables that earlier stages would have written."""
    lake, made = Lake.open(tmp_path / "lake"), columns(N)
    studies = [
        {
            "StudyInstanceUID": str(made["study"][i]), "PatientID": str(made["patient"][i]), "SeriesInstanceUID": f"2.25.{5000 + i}",
            "sex": made["sex"][i], "race": None if i % 4 == 0 else "White", "age_band": "45-64", "site": "Site 1",
            "finding": "nodule", "label": int(made["label"][i]), "score": float(made["score"][i]), "status": "read", "reason_code": "",
            "model_name": "m", "model_version": "1.0", "weights_sha256": "ab" * 32, "preprocessing_sha256": "cd" * 32,
            "manifest_sha256": "ef" * 32, "code_sha256": "01" * 32, "kind": "classification", "variant": "reference", "device": "cpu",
            "SliceThickness": float(made["SliceThickness"][i]), "Manufacturer": "V" if i % 2 else "W", "ConvolutionKernel": "K",
            "volume_index": 0, "n_instances": 1, "n_frames": 1, "n_duplicates": 0, "split_by": [], "source_instances": [], "source_frames": [],
        }
        for i in range(N)
    ]  # fmt: skip
    for contract in (PREDICTIONS, REFERENCE, COHORT):
        put(lake, contract, rows(contract, studies))
    put(lake, VOLUMES, rows(VOLUMES, [{**study, "status": "converted", "kind": None} for study in studies]))
    return lake


def put(lake: Lake, contract: Contract, made: list[dict[str, Any]] | pa.Table) -> None:
    with lake.publication("test", contract.name, "") as publication:
        publication.write_table(contract, made)
        publication.commit()


def content(lake: Lake) -> dict[str, str]:
    return {path: hashlib.sha256(lake.read(path)).hexdigest() for path in lake.files("")}


def test_results_tables_and_metrics_are_published_together(lake):
    manifest = evaluate_lake(lake, plan(subgroups=SUBGROUPS), [])
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    assert set(manifest.files) == {
        *(f"results/{name}.{ending}" for name in tables_of(results) for ending in ("csv", "parquet")),
        "results/results.json", "tables/metrics/test.parquet",
    }  # fmt: skip
    metrics = lake.table(METRICS)
    assert metrics.num_rows == 8 * (len(results.performance) + 1)
    METRICS.validate(metrics)
    (overall,) = [row for row in metrics.to_pylist() if (row["attribute"], row["level"], row["metric"]) == ("", "", "auc")]
    assert overall["estimate"] == results.overall().auc.estimate


def test_the_lakes_numbers_are_those_of_the_same_tables_from_files(lake):
    evaluate_lake(lake, plan(), [])
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    assert results.performance == analyse(*tables(N), plan()).performance


def test_acquisition_comes_from_the_series_that_was_read(lake):
    evaluate_lake(lake, plan(subgroups=SUBGROUPS), [])
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    found = {(row.attribute, row.level): row.studies for row in results.performance}
    assert found["Manufacturer", "V"] == found["Manufacturer", "W"] == N // 2
    assert found["slice_thickness", THICK] == int((columns(N)["SliceThickness"] > 3).sum())
    assert found["race", "not stated"] == N // 4


def test_volumes_of_one_series_that_disagree_are_not_stated(lake):
    made = lake.table(VOLUMES).to_pylist()
    second = [{**row, "volume_index": 1, "Manufacturer": "Z"} for row in made[:7]]
    put(lake, VOLUMES, made + second)
    evaluate_lake(lake, plan(subgroups=SUBGROUPS), [])
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    (unstated,) = [row for row in results.performance if (row.attribute, row.level) == ("Manufacturer", "not stated")]
    assert unstated.studies == 7
    assert results.overall().studies == N


def test_without_change_nothing_is_done(lake):
    assert evaluate_lake(lake, plan(), []) is not None
    before = content(lake)
    assert evaluate_lake(lake, plan(), []) is None
    assert content(lake) == before


def test_any_change_of_inputs_plan_or_accountability_is_a_reason_to_do_it_again(lake):
    evaluate_lake(lake, plan(), [])
    assert evaluate_lake(lake, plan(confidence=0.9), []) is not None
    end = {"stage": "pull", "outcome": "pulled", "reason_code": "", "unit": "instance", "n": 1}
    assert evaluate_lake(lake, plan(confidence=0.9), [end]) is not None
    labels = lake.table(REFERENCE).to_pylist()
    put(lake, REFERENCE, [{**labels[0], "label": 1 - labels[0]["label"]}, *labels[1:]])
    assert evaluate_lake(lake, plan(confidence=0.9), [end]) is not None
    assert evaluate_lake(lake, plan(confidence=0.9), [end]) is None


def test_the_same_lake_gives_the_same_bytes(lake, tmp_path):
    evaluate_lake(lake, plan(), [])
    before = content(lake)
    for path in lake.files("results") + lake.files("tables/metrics") + lake.files("manifests/evaluate"):
        (lake.root / path).unlink()
    evaluate_lake(lake, plan(), [])
    assert content(lake) == before


def test_the_tally_accounts_for_every_study(lake):
    labels = lake.table(REFERENCE).slice(10)
    put(lake, REFERENCE, labels)
    manifest = evaluate_lake(lake, plan(), [])
    assert {(count.outcome, count.reason_code, count.n) for count in manifest.tally} == {
        ("analysed", "", N - 10), ("excluded", "E-EVAL-NO-REFERENCE", 10),
    }  # fmt: skip
    assert manifest.passed == N - 10


def test_a_lake_without_predictions_gives_results_without_numbers(tmp_path):
    lake = Lake.open(tmp_path / "empty")
    manifest = evaluate_lake(lake, plan(), [])
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    assert manifest.passed == 0
    assert results.overall().auc.reason == "no cases"


def test_a_failed_evaluation_publishes_nothing(lake):
    before = content(lake)
    with pytest.raises(SafelightError):
        evaluate_lake(lake, plan(finding="effusion"), [])
    assert content(lake) == before


def test_a_threshold_from_a_manifest_that_is_not_there_is_refused(lake):
    with pytest.raises(ConfigurationError, match="E-EVAL-THRESHOLD"):
        evaluate_lake(lake, plan(threshold="manifest"), [])


def test_readings_of_other_models_and_versions_are_not_in_the_flow_of_cases(lake):
    ends = [
        {"stage": f"infer:{reader}", "outcome": "read", "reason_code": "", "unit": "study", "n": n}
        for reader, n in (("m@1.0", 3), ("m@0.9", 5), ("other@1.0", 7))
    ]
    evaluate_lake(lake, plan(model="m@1.0"), ends)
    results = schema.Results.model_validate_json(lake.read("results/results.json"))
    assert [(row.stage, row.n) for row in results.accountability] == [("infer", 3)]


def test_going_back_to_an_earlier_plan_makes_its_results_again(lake):
    evaluate_lake(lake, plan(name="a"), [])
    first = lake.read("results/results.json")
    evaluate_lake(lake, plan(name="b", confidence=0.9), [])
    assert evaluate_lake(lake, plan(name="a"), []) is not None
    assert lake.read("results/results.json") == first


def test_the_night_notes_the_plan_in_the_ledger_before_it_evaluates(lake, tmp_path, monkeypatch):
    (tmp_path / "plan.yaml").write_text(json.dumps(plan(name="night").model_dump(mode="json")))
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    evaluation, inference = SimpleNamespace(plan=tmp_path / "plan.yaml"), InferenceSettings(models=("m",))
    settings = SimpleNamespace(evaluation=evaluation, inference=inference)
    site = SimpleNamespace(settings=settings, lake=lake, ledger=ledger, errors=ErrorLog(tmp_path / "errors.jsonl"))
    monkeypatch.setattr(task, "open_site", lambda _: site)

    def history():
        assert task.measure.fn("site.yaml")
        return schema.Results.model_validate_json(lake.read("results/results.json")).plan_history

    assert history().changed is False
    assert task.measure.fn("site.yaml") is False  # nothing has changed since
    (tmp_path / "plan.yaml").write_text(json.dumps(plan(name="night", threshold=0.3).model_dump(mode="json")))
    changed = history()
    assert (changed.changed, len(changed.openings)) == (True, 2)
