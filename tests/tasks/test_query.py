"""SQL over the lake's tables, and over nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from data_contracts.document import contracts
from data_contracts.reference import CONTRACT
from tasks.cli import app
from tasks.compact.writing import compact
from tasks.errors import SafelightError
from tasks.idc import VIEWS
from tasks.lake import Lake
from tasks.query import as_csv, ask
from tests.tasks.volumes.phantom import mr, pet, run, stack


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
    assert set(ask(lake, "SHOW TABLES")["name"].to_pylist()) == {contract.name for contract in contracts()} | set(VIEWS)
    assert ask(lake, "SELECT count(*) AS n FROM volumes")["n"].to_pylist() == [0]


def test_the_answer_is_drawn_or_printed_as_csv(lake: Path) -> None:
    sql = "SELECT label, count(*) AS n FROM reference GROUP BY 1 ORDER BY 1"
    arguments = ["query", "--lake", str(lake), sql]
    assert CliRunner().invoke(app, [*arguments, "--csv"]).output == '"label","n"\n0,3\n1,4\n'
    assert "2 rows" in CliRunner().invoke(app, arguments).output


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET enable_external_access = true",
        "SELECT 1; COPY (SELECT 1) TO '/tmp/x.csv'",
        "PREPARE p AS COPY (SELECT 1) TO '/tmp/x.csv'",
    ],
)
def test_files_outside_the_lake_cannot_be_read_or_written(lake: Path, sql: str) -> None:
    with pytest.raises(SafelightError, match="E-QUERY"):
        ask(lake, sql)


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO '{}'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}'", "COPY reference TO '{}'"])
def test_the_large_files_that_are_read_cannot_be_written(sql: str, lake: Path) -> None:
    compact(Lake(str(lake)), CONTRACT)
    [file] = (lake / "compact" / "reference").glob("*.parquet")
    before = file.read_bytes()
    assert ask(lake, "SELECT count(*) AS n FROM reference")["n"].to_pylist() == [7]
    with pytest.raises(SafelightError, match="E-QUERY"):
        ask(lake, sql.format(file))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "DESCRIBE reference",
        "SUMMARIZE reference",
        "EXPLAIN SELECT 1",
        "PIVOT reference ON label USING count(*)",
        "FROM reference",
    ],
)
def test_every_kind_of_question_may_be_asked(sql: str, lake: Path) -> None:
    assert ask(lake, sql).num_rows > 0


def test_wrong_sql_is_one_sentence_and_exit_code_1(lake: Path) -> None:
    ended = CliRunner().invoke(app, ["query", "--lake", str(lake), "SELEKT 1"])
    assert ended.exit_code == 1
    assert "E-QUERY" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


# ---- IDC's tables -------------------------------------------------------------------------------------------------------

#: Columns and types of IDC's tables, as `idc-index-data` 25.0.5 has them in its schemas (BigQuery's types, written as DuckDB's).
TEXT, REAL, WHOLE, FLAG, TEXTS, REALS = "VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR[]", "DOUBLE[]"
IDC: dict[str, dict[str, str]] = {
    "index": {
        "PatientID": TEXT, "SeriesInstanceUID": TEXT, "StudyInstanceUID": TEXT, "PatientAge": TEXT, "PatientSex": TEXT, "StudyDate": TEXT,
        "StudyDescription": TEXT, "BodyPartExamined": TEXT, "Modality": TEXT, "SOPClassUID": TEXT, "sop_class_name": TEXT,
        "TransferSyntaxUID": TEXT, "transfer_syntax_name": TEXT, "PhotometricInterpretation": TEXT, "PixelRepresentation": TEXT,
        "Manufacturer": TEXT, "ManufacturerModelName": TEXT, "SeriesDate": TEXT, "SeriesDescription": TEXT, "SeriesNumber": TEXT,
        "instanceCount": WHOLE, "series_size_MB": REAL,
    },
    "volume_geometry_index": {
        "SeriesInstanceUID": TEXT, "single_orientation": FLAG, "orthogonal_orientation": FLAG, "unique_slice_positions": FLAG,
        "consistent_in_plane_row": FLAG, "consistent_in_plane_col": FLAG, "consistent_pixel_spacing": FLAG,
        "consistent_image_dimensions": FLAG, "uniform_slice_spacing": FLAG, "obliquity_degrees": REAL, "regularly_spaced_3d_volume": FLAG,
        "origin_patient": REALS, "ImageOrientationPatient": REALS, "slice_spacing_mm": REAL,
    },
    "ct_index": {
        "SeriesInstanceUID": TEXT, "ImageType": TEXTS, "PixelSpacing_row_mm": REAL, "PixelSpacing_col_mm": REAL, "Rows": WHOLE,
        "Columns": WHOLE, "SliceThickness": REAL, "KVP": REAL, "ScanOptions": TEXTS, "ConvolutionKernel": TEXTS,
        "GantryDetectorTilt": REAL, "XRayTubeCurrent_min": REAL, "XRayTubeCurrent_max": REAL, "FilterType": TEXT, "Exposure_min": REAL,
        "Exposure_max": REAL, "ExposureTime_min": REAL, "ExposureTime_max": REAL, "DataCollectionDiameter": REAL,
        "ReconstructionDiameter": REAL, "SpiralPitchFactor": REAL,
    },
    "mr_index": {
        "SeriesInstanceUID": TEXT, "MagneticFieldStrength": REAL, "ScanningSequence": TEXTS, "SequenceVariant": TEXTS,
        "MRAcquisitionType": TEXT, "EchoTime": REALS, "RepetitionTime": REAL, "EchoTrainLength": WHOLE, "FlipAngle": REAL,
        "PixelBandwidth": REAL, "ImagingFrequency": REAL, "ImagedNucleus": TEXT, "PixelSpacing_row_mm": REAL,
        "PixelSpacing_col_mm": REAL, "Rows": WHOLE, "Columns": WHOLE, "SliceThickness": REAL, "InversionTime": REAL,
        "ReceiveCoilName": TEXT, "SequenceName": TEXT, "DiffusionBValue": REALS, "NumberOfTemporalPositions": WHOLE,
    },
    "pt_index": {
        "SeriesInstanceUID": TEXT, "SeriesType": TEXT, "Units": TEXT, "DecayCorrection": TEXT, "CorrectedImage": TEXTS,
        "RandomsCorrectionMethod": TEXT, "ReconstructionMethod": TEXT, "ActualFrameDuration": REALS, "ScatterCorrectionMethod": TEXT,
        "AttenuationCorrectionMethod": TEXT, "RadionuclideCodeMeaning": TEXT, "RadionuclideTotalDose": REAL, "Radiopharmaceutical": TEXT,
        "PixelSpacing_row_mm": REAL, "PixelSpacing_col_mm": REAL, "Rows": WHOLE, "Columns": WHOLE, "SliceThickness": REAL,
        "NumberOfSlices": WHOLE, "NumberOfTimeSlices": WHOLE,
    },
    "contrast_index": {
        "SeriesInstanceUID": TEXT, "ContrastBolusAgent": TEXTS, "ContrastBolusIngredient": TEXTS, "ContrastBolusRoute": TEXTS,
    },
}  # fmt: skip
#: Of a Python type that DuckDB returns, those that a type of IDC may be stored as.
ALIKE = {TEXT: {"VARCHAR"}, REAL: {"DOUBLE"}, WHOLE: {"BIGINT", "INTEGER"}, FLAG: {"BOOLEAN"}, TEXTS: {TEXTS}, REALS: {REALS}}
#: Written for IDC: thin axial CT that makes a volume as it is, with its kernel, and where it begins.
THIN_CT = """
SELECT i.Modality, i.instanceCount, g.slice_spacing_mm, g.origin_patient[3] AS bottom, list_contains(c.ConvolutionKernel, 'B30f') AS soft
FROM index i
JOIN volume_geometry_index g USING (SeriesInstanceUID)
JOIN ct_index c USING (SeriesInstanceUID)
WHERE regularly_spaced_3d_volume AND obliquity_degrees < 1 AND slice_spacing_mm <= 2.5 AND i.sop_class_name = 'CT Image Storage'
ORDER BY i.instanceCount DESC
"""
#: Written for IDC: what would have to be resampled, by kind.
TILTED = """
SELECT Modality, count(*) AS n_series FROM volume_geometry_index JOIN idc_index USING (SeriesInstanceUID)
WHERE single_orientation AND unique_slice_positions AND uniform_slice_spacing AND NOT (consistent_in_plane_row AND consistent_in_plane_col)
GROUP BY Modality
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    kinds: list[Any] = [
        stack(5, ConvolutionKernel="B30f", KVP=120), stack(4, step=np.array([0, 0.5, 2.0])), stack(3, step=np.array([0, 0, 5.0])),
        mr(3, ScanningSequence=["SE", "IR"], EchoTime=90), pet(3, SeriesType=["STATIC", "IMAGE"], CorrectedImage=["ATTN", "DECY"]),
    ]  # fmt: skip
    for number, slices in enumerate(kinds):
        for each in slices:
            each.SeriesInstanceUID = f"2.25.{300 + number}"
            each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"{each.SOPInstanceUID}{number}"
    run(folder, [each for slices in kinds for each in slices])
    return folder / "lake"


@pytest.mark.parametrize("sql", [THIN_CT, TILTED])
def test_a_query_that_was_written_for_idcs_index_is_valid_there(sql: str) -> None:
    with duckdb.connect() as connection:
        for name, columns in (*IDC.items(), ("idc_index", IDC["index"])):
            connection.execute(f'CREATE TABLE "{name}" ({", ".join(f"{column} {kind}" for column, kind in columns.items())})')
        assert connection.sql(sql).fetchall() == []


def test_a_query_that_was_written_for_idcs_index_runs_here_unchanged(filled: Path) -> None:
    assert ask(filled, THIN_CT).to_pylist() == [
        {"Modality": "CT", "instanceCount": 5, "slice_spacing_mm": 2.0, "bottom": 5.0, "soft": True}
    ]
    assert ask(filled, TILTED).to_pylist() == [{"Modality": "CT", "n_series": 1}]
    assert ask(filled, "SELECT count(*) AS n FROM volume_geometry_index")["n"].to_pylist() == [5]


@pytest.mark.parametrize("table", IDC)
def test_each_table_has_idcs_columns_and_nothing_else(table: str, filled: Path) -> None:
    told = {row["column_name"]: row["column_type"] for row in ask(filled, f'DESCRIBE "{table}"').to_pylist()}
    assert set(told) == set(IDC[table])
    assert {name for name, kind in told.items() if kind not in ALIKE[IDC[table][name]]} == set()


def test_words_of_several_values_are_told_as_idc_tells_them(filled: Path) -> None:
    assert ask(filled, "SELECT ScanningSequence, EchoTime FROM mr_index").to_pylist() == [
        {"ScanningSequence": ["SE", "IR"], "EchoTime": [90.0]}
    ]
    assert ask(filled, "SELECT SeriesType, CorrectedImage FROM pt_index").to_pylist() == [
        {"SeriesType": "STATIC/IMAGE", "CorrectedImage": ["ATTN", "DECY"]}
    ]
    [row] = ask(filled, "SELECT DISTINCT PatientAge, StudyDate, PixelRepresentation FROM index").to_pylist()
    assert row == {"PatientAge": "061Y", "StudyDate": "2025", "PixelRepresentation": "1"}


def test_lists_are_joined_in_csv(filled: Path) -> None:
    answer = ask(filled, "SELECT n_instances, mixed, CorrectedImage FROM series ORDER BY Modality DESC, n_instances LIMIT 1")
    assert as_csv(answer) == '"n_instances","mixed","CorrectedImage"\n3,"","ATTN\\DECY"\n'
    answer = ask(filled, "SELECT CorrectedImage FROM pt_index")
    assert as_csv(answer) == '"CorrectedImage"\n"ATTN\\DECY"\n'
