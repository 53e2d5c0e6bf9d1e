"""SQL over the lake's tables, and over nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_contracts.document import contracts
from data_contracts.reference import CONTRACT
from tasks.cli import app
from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.query import ask


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    made = Lake.open(tmp_path / "lake")
    rows = [
        {"StudyInstanceUID": f"2.25.{n}", "PatientID": "SL-ABCDEFGHIJKL", "finding": "nodule", "label": n % 2}
        for n in range(1, 8)
    ]
    with made.publication("import", "reference", "f") as publication:
        publication.write_table(CONTRACT, rows, part="reference")
        publication.commit()
    return tmp_path / "lake"


def test_every_table_of_a_contract_is_there_even_without_rows(lake: Path) -> None:
    assert ask(lake, "SHOW TABLES")["name"].to_pylist() == [contract.name for contract in contracts()]
    assert ask(lake, "SELECT count(*) AS n FROM volumes")["n"].to_pylist() == [0]


def test_the_answer_is_drawn_or_printed_as_csv(lake: Path) -> None:
    sql = "SELECT label, count(*) AS n FROM reference GROUP BY 1 ORDER BY 1"
    arguments = ["query", "--lake", str(lake), sql]
    assert CliRunner().invoke(app, [*arguments, "--csv"]).output == '"label","n"\n0,3\n1,4\n'
    assert "2 rows" in CliRunner().invoke(app, arguments).output


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_text('/etc/hostname')", "COPY (SELECT 1) TO '/tmp/x.csv'", "SET enable_external_access = true"]
)
def test_files_outside_the_lake_cannot_be_read_or_written(lake: Path, sql: str) -> None:
    with pytest.raises(SafelightError, match="E-QUERY"):
        ask(lake, sql)


def test_wrong_sql_is_one_sentence_and_exit_code_1(lake: Path) -> None:
    ended = CliRunner().invoke(app, ["query", "--lake", str(lake), "SELEKT 1"])
    assert ended.exit_code == 1
    assert "E-QUERY" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
