"""Only columns and values that a contract allows get through; what is refused is named by column and row, never by its value."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import cohort, reference
from tasks.deid.tables import Kind, read, suffix_of
from tasks.errors import ConfigurationError

LAKE = {"StudyInstanceUID": "2.25.1", "PatientID": "SL-AAAAAAAAAAAA"}


def of_csv(text: str, kind: Kind = "reference", key: Any = "AccessionNumber") -> list[tuple[str, dict[str, Any]]]:
    return [(entry.key, dict(entry.values)) for entry in read(text.encode(), ".csv", kind=kind, key=key)]


def of_parquet(table: pa.Table, kind: Kind = "reference", key: Any = "AccessionNumber") -> list[tuple[str, dict[str, Any]]]:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return [(entry.key, dict(entry.values)) for entry in read(sink.getvalue(), ".parquet", kind=kind, key=key)]


def cohort_row(**stated: str) -> dict[str, Any]:
    """One row of demographics, as it comes out."""
    text = io.StringIO()
    csv.writer(text).writerows([["AccessionNumber", *stated], ["A1", *stated.values()]])
    [(_, values)] = of_csv(text.getvalue(), "cohort")
    return values


def test_labels_are_read() -> None:
    text = "AccessionNumber,finding,label\n0017,nodule,1\n0018,nodule,false\n"
    assert of_csv(text) == [("0017", {"finding": "nodule", "label": 1}), ("0018", {"finding": "nodule", "label": 0})]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_as_spreadsheets_write_it_is_read(separator: str, newline: str, mark: str) -> None:
    lines = (("finding", "AccessionNumber", "label"), ("nodule", " 0017 ", "TRUE"), ("effusion", '"0018"', "0"))
    text = mark + newline.join(separator.join(line) for line in lines) + newline + newline
    assert of_csv(text) == [("0017", {"finding": "nodule", "label": 1}), ("0018", {"finding": "effusion", "label": 0})]


@pytest.mark.parametrize("text_type", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
@pytest.mark.parametrize("label", [pa.array([1, 0]), pa.array([True, False]), pa.array([1.0, 0.0]), pa.array(["1", "false"])])
def test_parquet_says_what_csv_says(text_type: pa.DataType, label: pa.Array) -> None:
    table = pa.table({
        "AccessionNumber": pa.array(["0017", "0018"]).cast(text_type), "finding": pa.array(["nodule", "nodule"]).cast(text_type),
        "label": label,
    })  # fmt: skip
    assert of_parquet(table) == of_csv("AccessionNumber,finding,label\n0017,nodule,1\n0018,nodule,0\n")


def test_what_pandas_writes_is_read() -> None:
    frame = pd.DataFrame({"PatientID": ["007", "008"], "age_years": [57.0, np.nan], "sex": pd.Categorical(["F", None])})
    sink = io.BytesIO()
    frame.to_parquet(sink)
    entries = read(sink.getvalue(), ".parquet", kind="cohort", key="PatientID")
    assert [(entry.key, dict(entry.values)["age_years"], dict(entry.values)["sex"]) for entry in entries] == [
        ("007", 57, "F"), ("008", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("numbers", [pa.array([17]), pa.array([17.0])])
def test_a_key_that_is_stored_as_a_number_is_refused(numbers: pa.Array) -> None:
    with pytest.raises(ConfigurationError, match=r"E-IMPORT-KEY.*leading zeros"):
        of_parquet(pa.table({"AccessionNumber": numbers, "finding": ["nodule"], "label": [1]}))


def test_identifying_columns_are_dropped() -> None:
    text = "AccessionNumber,PatientName,PatientID,PatientBirthDate,StudyDate,StudyInstanceUID,finding,label\n1,Doe^J,4711,19370412,x,1.2,nodule,1\n"
    [(key, values)] = of_csv(text)
    assert (key, set(values)) == ("1", {"finding", "label"})


@pytest.mark.parametrize("kind", ["reference", "cohort"])
@pytest.mark.parametrize("column", ["notes", "MRN", "Mustermann 4711", "age", "zip", "label_by", ""])
def test_a_column_that_is_not_on_the_list_is_refused(kind: Kind, column: str) -> None:
    text = f"AccessionNumber,finding,label,{column}\n1,nodule,1,Mustermann\n"
    with pytest.raises(ConfigurationError) as refused:
        of_csv(text if kind == "reference" else f"AccessionNumber,sex,{column}\n1,F,Mustermann\n", kind)
    assert refused.value.code == "E-IMPORT-COLUMN"
    assert "Mustermann" not in str(refused.value)
    assert "docs/import.md" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E-IMPORT-FILE"), ("\n\n", "E-IMPORT-FILE"), ("PatientID,finding,label\n4711,nodule,1\n", "E-IMPORT-KEY"),
        ("Mustermann,nodule,1\n", "E-IMPORT-KEY"), ("AccessionNumber,label\nMustermann,1\n", "E-IMPORT-COLUMN"),
        ("AccessionNumber,finding,label,label\nMustermann,nodule,1,0\n", "E-IMPORT-COLUMN"),
        ("AccessionNumber,finding,label\nMustermann,nodule\n", "E-IMPORT-FILE"),
        ("AccessionNumber,finding,label\nMustermann,nodule,1,Erika\n", "E-IMPORT-FILE"),
        ('AccessionNumber,finding,label\n"Mustermann,nodule,1\n', "E-IMPORT-FILE"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_one_sentence(text: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        of_csv(text)
    assert refused.value.code == code
    assert not {"Mustermann", "Erika", "4711"} & set(str(refused.value).replace(",", " ").split())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("content", [b"\xff\xfeA\0c\0", b"PAR1 cut \xff", bytes(range(256))])
def test_bytes_that_are_no_table_are_refused(content: bytes, suffix: str) -> None:
    with pytest.raises(ConfigurationError, match="E-IMPORT-FILE"):
        read(content, suffix, kind="reference", key="AccessionNumber")


def test_a_parquet_column_that_stands_twice_is_refused() -> None:
    table = pa.table(
        [pa.array(["1"]), pa.array(["nodule"]), pa.array([1]), pa.array([0])], ["AccessionNumber", "finding", "label", "label"]
    )
    with pytest.raises(ConfigurationError, match="E-IMPORT-COLUMN"):
        of_parquet(table)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sex", "Mustermann"), ("age_years", "-1"), ("age_years", "1937-04-12"), ("age_years", "1e2"), ("age_years", "083Y"), ("age_years", "0x1F"),
        ("age_band", "60-70"), ("race", "Mustermann"), ("ethnicity", "White"), ("site", "St. Barbara"), ("site", "Mustermann"), ("site", "ABC"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed_is_named_by_column_and_row(column: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"E-IMPORT-VALUE.*column {column}, row 1") as refused:
        cohort_row(**{column: value})
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "row", ["1,Nodule,1", "1,nodule in the left lung,1", "1,,1", "1,nodule,2", "1,nodule,", "1,nodule,yes", "1,nodule,0.5"]
)
def test_a_label_is_a_word_and_0_or_1(row: str) -> None:
    with pytest.raises(ConfigurationError, match="E-IMPORT-VALUE"):
        of_csv(f"AccessionNumber,finding,label\n{row}\n")


@pytest.mark.parametrize(
    ("age", "years", "band"),
    [
        ("0", 0, "0-17"), ("17", 17, "0-17"), ("17.9", 17, "0-17"),
        ("18", 18, "18-44"), ("44", 44, "18-44"), ("45", 45, "45-64"), ("64.99", 64, "45-64"),
        ("65", 65, "65-89"),
        ("89", 89, "65-89"), ("89.9", 89, "65-89"), ("90", None, "90+"), ("90+", None, "90+"), ("97", None, "90+"), ("112", None, "90+"),
        ("", None, None), ("NA", None, None),
    ],
)  # fmt: skip
def test_no_age_above_89_is_told(age: str, years: int | None, band: str | None) -> None:
    values = cohort_row(age_years=age)
    assert (values["age_years"], values["age_band"]) == (years, band)


def test_an_age_decides_its_band() -> None:
    assert cohort_row(age_years="97", age_band="65-89")["age_band"] == "90+"
    assert cohort_row(age_years="", age_band="65-89")["age_band"] == "65-89"


@pytest.mark.parametrize(
    ("column", "stated", "read_as"),
    [
        ("sex", "female", "F"), ("sex", "m", "M"), ("sex", "O", "O"), ("sex", "unknown", None), ("sex", "n/a", None),
        ("race", "caucasian", "White"),
        ("race", "Black", "Black or African American"), ("race", "ASIAN", "Asian"), ("race", "multiple", "More than one"), ("race", "", None),
        ("ethnicity", "Non-Hispanic", "Not Hispanic or Latino"), ("ethnicity", "declined", "Unknown"),
        ("site", "Site 3", "Site 3"), ("site", "B", "B"),
    ],
)  # fmt: skip
def test_a_hospitals_words_become_the_contracts(column: str, stated: str, read_as: str | None) -> None:
    assert cohort_row(**{column: stated})[column] == read_as


def unless_refused(text: str, *how: Any) -> list[tuple[str, dict[str, Any]]]:
    """The rows, or none where the table is refused for its values."""
    try:
        return of_csv(text, *how)
    except ConfigurationError as refused:
        if refused.code not in ("E-IMPORT-VALUE", "E-IMPORT-FILE"):
            raise
        return []


words = st.sampled_from(
    ["F", "male", "o", "U", "", "na", "57", "90+", "104", "65-89", "black", "White", "Hispanic", "declined", "Site 1", "x"]
)


@given(rows=st.lists(st.tuples(*[words] * 6), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_what_gets_through_keeps_the_lakes_contract(rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    header = ("sex", "age_years", "age_band", "race", "ethnicity", "site")
    csv.writer(text).writerows([("PatientID", *header), *(("p", *row) for row in rows)])
    for _, values in unless_refused(text.getvalue(), "cohort", "PatientID"):
        assert cohort.CONTRACT.validate([{**LAKE, **values}]).num_rows == 1


@given(finding=st.text(max_size=45), label=st.text(max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_label_that_gets_through_keeps_the_lakes_contract(finding: str, label: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("AccessionNumber", "finding", "label"), ("1", finding, label), ("1", "nodule", "1")])
    for _, values in unless_refused(text.getvalue()):
        assert reference.CONTRACT.validate([{**LAKE, **values}]).num_rows == 1


def test_only_csv_and_parquet_are_tables(tmp_path: Any) -> None:
    assert suffix_of(tmp_path / "a.CSV") == ".csv"
    for name in ("a.xlsx", "a", "a.csv.gz"):
        with pytest.raises(ConfigurationError, match="E-IMPORT-FILE"):
            suffix_of(tmp_path / name)
