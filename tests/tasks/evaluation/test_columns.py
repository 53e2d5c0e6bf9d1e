"""Every table of the results is the same as CSV and as Parquet, with types that do not depend on the values."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluation.analysis import analyse
from tasks.evaluation.columns import Rows, arrow_of
from tasks.evaluation.output import files, tables
from tasks.evaluation.results import Results
from tests.tasks.evaluation.cohorts import plan
from tests.tasks.evaluation.cohorts import tables as cohort
from tests.tasks.evaluation.endpoints.made import evaluated


def whole() -> Results:
    return evaluated(
        prevalences=[0.1], calibration={}, net_benefit=[0.2], strata=[0.3], goals=[{"metric": "auc", "at_least": 0.5}],
        operating_points=[{"name": "low", "threshold": 0.3}],
    )  # fmt: skip


@pytest.fixture(scope="module")
def results() -> Results:
    return whole()


def said(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def test_csv_and_parquet_say_the_same(results):
    made, filled = files(results), set()
    for name in tables(results):
        header, *rows = csv.reader(io.StringIO(made[f"{name}.csv"].decode()))
        table = pq.read_table(pa.BufferReader(made[f"{name}.parquet"]))
        assert table.column_names == header
        assert [[said(value) for value in row.values()] for row in table.to_pylist()] == rows, name
        filled.update([name] if rows else [])
    assert set(tables(results)) - filled == {
        "accountability", "excluded", "versions", "reclassified", "detection", "time_to_result", "failures",
    }  # fmt: skip


def test_types_are_declared_and_not_guessed(results):
    empty = analyse(*cohort(4), plan(minimum_cases=50))
    for name, table in tables(empty).items():
        assert arrow_of(table).schema == tables(results)[name].schema(), name
        assert not any(pa.types.is_null(field.type) for field in table.schema())
    types = {field.name: field.type for field in tables(results)["performance"].schema()}
    assert (types["patients"], types["suppressed"], types["auc"], types["auc_method"]) == (
        pa.int64(),
        pa.bool_(),
        pa.float64(),
        pa.string(),
    )


def test_the_same_results_give_the_same_bytes(results):
    assert files(results) == files(whole())


def test_a_column_without_a_type_is_refused():
    with pytest.raises(LookupError, match="the column wrong has no type"):
        Rows(("wrong",), ()).schema()
