"""The benchmark of tables runs, on few rows; how fast it is, is not asserted."""

from __future__ import annotations

import re

import pyarrow.compute as pc
import pytest

from benchmarks import lake_tables
from data_contracts.series import CONTRACT


def test_it_asks_the_same_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    lake_tables.main(["--rows", "400", "--parts", "20", "--repeat", "1"])
    said = capsys.readouterr().out
    counts = re.findall(r"manufacturer × reason .* (\d+) rows", said)
    assert len(counts) == 3
    assert counts[0] == counts[1]
    assert "20 parts, 100 rows, 1 files" in said
    assert "1 parts, 400 rows, 1 files" in said


def test_its_rows_keep_the_contract_and_their_keys_are_unique() -> None:
    rows = lake_tables.series(lake_tables.made_up(3000))
    assert CONTRACT.validate(rows).num_rows == 3000
    assert pc.count_distinct(rows["StudyInstanceUID"]).as_py() == 600
