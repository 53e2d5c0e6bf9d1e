"""A list is read as it is written, zeros and spaces included; what is wrong with it is one sentence with a line, and no value."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import ConfigurationError
from tasks.pacs.asking.lists import StudyList, ambiguous, read_list

SECRET = "MRN-774411"


def csv_list(folder: Path, content: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_bytes(content.encode(encoding))
    return path


def values(made: StudyList) -> list[tuple[int, str, str]]:
    return [(row.line, row.value, row.issuer) for row in made.rows]


def test_a_csv_is_read_as_text(tmp_path: Path) -> None:
    made = read_list(csv_list(tmp_path, "AccessionNumber\n00123\n 0 1 \n=1+1\n1e5\n00123\n\n"))
    assert made.keyword == "AccessionNumber"
    assert values(made) == [(2, "00123", ""), (3, "0 1", ""), (4, "=1+1", ""), (5, "1e5", "")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_columns_are_no_matter_and_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["Name", "PatientID", "IssuerOfPatientID"], ["a", "0007", "HOSP A"], ["b", "患者", ""]]
    content = "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines)
    assert values(read_list(csv_list(tmp_path, content))) == [(2, "0007", "HOSP A"), (3, "患者", "")]


def test_line_numbers_are_those_of_the_file_where_cells_hold_line_breaks(tmp_path: Path) -> None:
    path = csv_list(tmp_path, 'note,PatientID\n"two\nlines",A\nx,\n')
    with pytest.raises(ConfigurationError, match=r"E-PULL-LIST-ROW.*line 4: PatientID is empty"):
        read_list(path)


def test_a_parquet_of_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    column = pa.array(["007", "7", None, "007"]).dictionary_encode()
    pq.write_table(pa.table({"PatientID": column, "IssuerOfPatientID": ["A", None, "B", "A"]}), path)
    with pytest.raises(ConfigurationError, match=r"E-PULL-LIST-ROW.*line 4"):
        read_list(path)
    pq.write_table(pa.table({"PatientID": column.take(pa.array([0, 1])), "other": [1, 2]}), path)
    assert values(read_list(path)) == [(2, "007", ""), (3, "7", "")]


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(5)])
def test_a_parquet_of_numbers_is_refused_since_zeros_are_lost(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"AccessionNumber": pa.array([7], kind)}), path)
    with pytest.raises(ConfigurationError, match="E-PULL-LIST-NUMBERS"):
        read_list(path)


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ("", "COLUMNS", ""), ("Name\nx\n", "COLUMNS", ""), ("AccessionNumber,PatientID\nA,B\n", "COLUMNS", ""),
        ("PatientID,PatientID\nA,B\n", "COLUMNS", ""), ("accessionnumber\nA\n", "COLUMNS", ""), ("PatientID\n", "ROW", "no rows"),
        (f"PatientID,x\n{SECRET}\n", "ROW", "line 2"), (f"PatientID\nA\n{SECRET}\\B\n", "ROW", "line 3"),
        (f"PatientID\n{SECRET}\x07\n", "ROW", "line 2"), (f"StudyInstanceUID\n1.2.{SECRET}\n", "ROW", "line 2"),
        (f'PatientID\n"{SECRET}\n', "FILE", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_without_a_value(tmp_path: Path, content: str, code: str, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_list(csv_list(tmp_path, content))
    assert caught.value.code == f"E-PULL-LIST-{code}"
    assert where in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["list.csv", "list.parquet"])
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="E-PULL-LIST-FILE"):
        read_list(tmp_path / name)
    (tmp_path / name).write_bytes(b"\xff\xfe\x00PAR")
    with pytest.raises(ConfigurationError, match="E-PULL-LIST-FILE"):
        read_list(tmp_path / name)


def test_rows_are_ambiguous_when_they_fit_more_than_one_patient() -> None:
    assert not ambiguous("PatientID", [("7", "A"), ("7", "")])
    assert ambiguous("PatientID", [("7", "A"), ("7", "B")])
    assert ambiguous("AccessionNumber", [("7", ""), ("8", "")])
    assert not ambiguous("StudyInstanceUID", [("7", "A"), ("8", "B")])
