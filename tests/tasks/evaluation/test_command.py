"""`safelight evaluate` works on plain files of any kind, gives the same bytes each time, and says what is wrong in one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from pyarrow import csv as arrow_csv
from typer.testing import CliRunner

from data_contracts.metrics import CONTRACT as METRICS
from tasks.evaluation import results as schema
from tasks.evaluation.command import evaluate
from tests.tasks.evaluation.cohorts import changed, plan, tables

TABLES = (
    "performance", "differences", "baseline", "accountability", "excluded", "roc", "goals", "heterogeneity", "predictive",
    "operating_points", "calibration", "calibration_curve", "net_benefit", "strata", "versions", "reclassified", "detection",
    "segmentation", "agreement", "repeatability", "density", "reader_study", "reader_figures", "reader_means", "reader_differences", "given",
    "failures", "standardized_differences", "time_to_result",
    "operating_points", "calibration", "calibration_curve", "net_benefit", "strata", "versions", "reclassified", "detection", "roc_band",
)  # fmt: skip


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(evaluate)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def laid_out(folder: Path, suffix: str = ".csv", given: tuple[pa.Table, ...] | None = None) -> list[object]:
    """The three tables and the plan as files, as the command's options."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments: list[object] = []
    for name, table in zip(("predictions", "reference", "cohort"), given or tables(), strict=True):
        path = folder / f"{name}{suffix}"
        if suffix == ".csv":
            arrow_csv.write_csv(table, path)
        elif suffix == ".parquet":
            pq.write_table(table, path)
        else:
            path.mkdir()
            for part in range(3):
                pq.write_table(table.slice(part * 100, 100), path / f"part-{part}.parquet")
        arguments += [f"--{name}", path]
    (folder / "test.yaml").write_text(json.dumps(plan().model_dump(mode="json")))
    return [*arguments, "--plan", folder / "test.yaml"]


def test_csv_parquet_and_folders_of_parts_give_the_same_bytes(tmp_path, run):
    made = []
    for suffix in (".csv", ".parquet", ""):
        out = tmp_path / f"out{suffix}"
        ended = run(*laid_out(tmp_path / f"in{suffix}", suffix), "--out", out)
        assert ended.exit_code == 0, ended.output
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert set(made[0]) == {
        "results.json", "openings.json", "metrics.parquet", *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")),
    }  # fmt: skip
    assert made[0] == made[1] == made[2]
    METRICS.validate(pq.read_table(tmp_path / "out.csv" / "metrics.parquet"))


def test_doing_it_again_gives_the_same_bytes(tmp_path, run):
    arguments = [*laid_out(tmp_path), "--out", tmp_path / "out"]
    run(*arguments)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    run(*arguments)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_it_ends_with_counts_limitations_and_where_to_look(tmp_path, run):
    ended = run(*laid_out(tmp_path), "--out", tmp_path / "out")
    first, *others = ended.output.splitlines()
    assert first.startswith("evaluate: 300 studies of ")
    assert "AUC 0." in first
    assert any("slice_thickness = thick" in line for line in others)
    assert others[-1] == f"Look here: {tmp_path / 'out' / 'results.json'}"


def test_cases_that_were_not_read_end_it_with_1(tmp_path, run):
    predictions, reference, cohort = tables()
    given = (changed(predictions, "score", {0: None}), reference, cohort)
    ended = run(*laid_out(tmp_path, given=given), "--out", tmp_path / "out")
    assert ended.exit_code == 1
    assert "did not read 1 of 300 studies" in ended.output


def test_the_written_results_are_read_back_whole(tmp_path, run):
    run(*laid_out(tmp_path), "--out", tmp_path / "out")
    results = schema.read(tmp_path / "out" / "results.json")
    assert results.overall().studies == 300
    with (tmp_path / "out" / "performance.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["level"] for row in rows] == [*(row.level for row in results.performance), "worst case"]
    assert float(rows[0]["auc"]) == results.overall().auc.estimate
    assert int(rows[0]["tp"]) == results.overall().counts.tp


def test_a_suppressed_level_is_empty_in_the_tables_not_zero(tmp_path, run):
    predictions, reference, cohort = tables()
    given = (predictions, reference, changed(cohort, "sex", {0: "F2"}))
    arguments = laid_out(tmp_path, given=given)
    subgroups = [{"attribute": "sex", "levels": ["F", "M", "F2", "X"]}]
    (tmp_path / "test.yaml").write_text(json.dumps(plan(subgroups=subgroups).model_dump(mode="json")))
    run(*arguments, "--out", tmp_path / "out")
    for name in ("performance", "baseline"):
        with (tmp_path / "out" / f"{name}.csv").open() as stream:
            rows = {row["level"]: row for row in csv.DictReader(stream)}
        nulls = {row["level"]: row for row in pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pylist()}
        assert (nulls["F2"]["suppressed"], nulls["F2"]["studies"], nulls["X"]["studies"]) == (True, None, 0)
        assert (rows["F2"]["suppressed"], rows["F2"]["studies"], rows["F2"]["positives"]) == ("true", "", "")
        assert (rows["X"]["suppressed"], rows["X"]["studies"]) == ("false", "0")


def refused(ended) -> str:
    """The one sentence on stderr of a command that could not start."""
    assert ended.exit_code == 2, ended.output
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_not_there_is_named(tmp_path, run, suffix):
    arguments = laid_out(tmp_path)
    arguments[3] = tmp_path / f"absent{suffix}"
    said = refused(run(*arguments, "--out", tmp_path / "out"))
    assert said.startswith(f"E-EVAL-FILE: A table for the evaluation can't be read (reference: {arguments[3]} is not there)")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content"), [("r.parquet", b"PAR1 no"), ("r.csv", b"a,b\n1\n"), ("r.txt", b"x"), ("r.csv", b"")]
)
def test_a_file_that_is_no_table_is_refused(tmp_path, run, name, content):
    arguments = laid_out(tmp_path)
    arguments[3] = tmp_path / name
    arguments[3].write_bytes(content)
    assert "E-EVAL-FILE" in refused(run(*arguments, "--out", tmp_path / "out"))


def test_an_empty_folder_is_no_table(tmp_path, run):
    arguments = laid_out(tmp_path)
    arguments[3] = tmp_path / "nothing"
    arguments[3].mkdir()
    assert "no .parquet file below" in refused(run(*arguments, "--out", tmp_path / "out"))


def test_a_score_in_a_csv_that_is_no_number_names_the_column_and_not_the_value(tmp_path, run):
    arguments = laid_out(tmp_path)
    path = arguments[1]
    lines = path.read_text().replace('"nodule",', '"nodule",SECRET', 1)
    path.write_text(lines)
    said = refused(run(*arguments, "--out", tmp_path / "out"))
    assert "predictions: score can't be read as numbers" in said
    assert "SECRET" not in said


def test_numbers_as_keys_keep_their_leading_zeros(tmp_path, run):
    predictions, reference, cohort = tables()
    keys = pa.array([f"{i:06d}" for i in range(300)])
    given = tuple(table.set_column(0, "StudyInstanceUID", keys) for table in (predictions, reference, cohort))
    assert run(*laid_out(tmp_path, given=given), "--out", tmp_path / "out").exit_code == 0
    assert schema.read(tmp_path / "out" / "results.json").overall().studies == 300


def test_a_plan_that_says_nonsense_ends_it_with_2(tmp_path, run):
    arguments = laid_out(tmp_path)
    (tmp_path / "test.yaml").write_text("title: 1")
    assert "E-EVAL-PLAN" in refused(run(*arguments, "--out", tmp_path / "out"))


def test_a_folder_that_cannot_be_written_ends_it_with_2(tmp_path, run):
    (tmp_path / "out").write_text("a file")
    ended = run(*laid_out(tmp_path), "--out", tmp_path / "out")
    assert "E-EVAL-OUTPUT" in refused(ended)


def test_a_plan_changed_after_the_reference_was_opened_is_called_so(tmp_path, run):
    arguments = laid_out(tmp_path)
    first = run(*arguments, "--out", tmp_path / "out")
    assert "not the one under which" not in first.output
    history = schema.read(tmp_path / "out" / "results.json").plan_history
    assert (history.changed, len(history.openings)) == (False, 1)
    (tmp_path / "test.yaml").write_text(json.dumps(plan(threshold=0.2).model_dump(mode="json")))
    second = run(*arguments, "--out", tmp_path / "out")
    assert "not the one under which the reference standard was first opened" in second.output
    history = schema.read(tmp_path / "out" / "results.json").plan_history
    assert (history.changed, len(history.openings)) == (True, 2)
    (tmp_path / "test.yaml").write_text(json.dumps(plan().model_dump(mode="json")))
    run(*arguments, "--out", tmp_path / "out")
    assert schema.read(tmp_path / "out" / "results.json").plan_history.changed is False


@pytest.mark.parametrize("content", ["[]", "{", '{"nodule m": 5}', '{"nodule m": [1]}'])
def test_a_register_that_is_none_ends_it_with_2(tmp_path, run, content):
    (tmp_path / "register.json").write_text(content)
    ended = run(*laid_out(tmp_path), "--out", tmp_path / "out", "--register", tmp_path / "register.json")
    assert "E-EVAL-REGISTER" in refused(ended)


def test_role_and_year_are_noted_and_nothing_else_of_them(tmp_path, run):
    arguments = [*laid_out(tmp_path), "--out", tmp_path / "out"]
    run(*arguments, "--role", "statistics", "--year", 2026)
    made = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["provenance"]
    assert (made["role"], made["year"]) == ("statistics", 2026)
    assert run(*arguments, "--role", "Dr. Somebody").exit_code == 2
    assert run(*arguments, "--year", 20261126).exit_code == 2
