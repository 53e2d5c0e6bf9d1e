"""Only what is surely clean and without contradiction is used; every file has an end, and other series do not suffer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from data_contracts import instances, series, studies, volumes
from tasks.lake import Lake
from tasks.stage import Outcome
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import PATIENT, SERIES, STUDY, instance, positions, save

OTHER = "2.25.201"


def slices(start: int = 0, **change) -> list[Dataset]:
    placed = positions(4, np.array([0, 0, 2.0]))
    return [instance(position, number=start + number, **change) for number, position in enumerate(placed)]


def both() -> list[Dataset]:
    """Two series of four slices."""
    return [*slices(), *slices(100, SeriesInstanceUID=OTHER)]


def run(folder: Path, tmp_path: Path) -> tuple[Outcome, Lake]:
    scan.cache_clear()
    lake = Lake.open(tmp_path / "lake")
    return VolumesStage(lake, folder).run(STUDY, "", "f"), lake


def ends(outcome: Outcome) -> dict[tuple[str, str], int]:
    return {(count.outcome, count.reason_code): count.n for count in outcome.tally}


def unmarked(dataset: Dataset) -> None:
    dataset.PatientIdentityRemoved = "NO"


def mark_gone(dataset: Dataset) -> None:
    del dataset.PatientIdentityRemoved


def foreign_patient(dataset: Dataset) -> None:
    dataset.PatientID = "12345"


def foreign_instance(dataset: Dataset) -> None:
    dataset.SOPInstanceUID = "1.2.840.1"


def no_patient(dataset: Dataset) -> None:
    del dataset.PatientID


@pytest.mark.parametrize(("spoil", "reason"), [
    (unmarked, "E-VOLUME-IDENTIFIED"), (mark_gone, "E-VOLUME-IDENTIFIED"), (foreign_patient, "E-VOLUME-FOREIGN-KEYS"),
    (foreign_instance, "E-VOLUME-FOREIGN-KEYS"), (no_patient, "E-VOLUME-FOREIGN-KEYS"),
])  # fmt: skip
def test_an_instance_that_is_not_surely_clean_has_no_row_and_its_series_no_volume(
    spoil: Callable[[Dataset], None], reason: str, tmp_path: Path
) -> None:
    made = both()
    spoil(made[3])  # the last slice: the other three would make a volume that looks right
    outcome, lake = run(save(tmp_path / "dicom", made), tmp_path)
    assert ends(outcome) == {("converted", ""): 4, ("quarantined", reason): 3, ("rejected", reason): 1}
    rows = {row["SeriesInstanceUID"]: row for row in lake.table(volumes.CONTRACT).to_pylist()}
    assert (rows[SERIES]["status"], rows[SERIES]["reason_code"], rows[OTHER]["status"]) == ("quarantined", reason, "converted")
    assert rows[SERIES]["regularly_spaced_3d_volume"] is True
    assert lake.table(instances.CONTRACT).num_rows == 7
    assert b"12345" not in b"".join(lake.read(name) for name in lake.files(""))


def test_a_series_of_a_foreign_key_is_rejected_and_the_rest_of_the_study_is_not(tmp_path: Path) -> None:
    made = both()
    for dataset in made[:4]:
        dataset.SeriesInstanceUID = "1.2.3"
    outcome, lake = run(save(tmp_path / "dicom", made), tmp_path)
    assert ends(outcome) == {("converted", ""): 4, ("rejected", "E-VOLUME-FOREIGN-KEYS"): 4}
    assert lake.table(series.CONTRACT)["SeriesInstanceUID"].to_pylist() == [OTHER]


def test_a_second_copy_of_a_file_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    outcome, lake = run(save(tmp_path / "dicom", [*slices(), *slices()[:1]]), tmp_path)
    assert ends(outcome) == {("converted", ""): 4, ("duplicate", ""): 1}
    assert lake.table(volumes.CONTRACT)["n_slices"].to_pylist() == [4]


@pytest.mark.parametrize("reverse", [False, True])
def test_two_contents_under_one_key_refuse_the_series_whatever_the_files_are_called(reverse: bool, tmp_path: Path) -> None:
    twin = slices()[0]
    twin.RescaleIntercept = -1000
    made = [*slices(), twin]
    outcome, lake = run(save(tmp_path / "dicom", made[::-1] if reverse else made), tmp_path)
    assert ends(outcome) == {("quarantined", "E-VOLUME-CONFLICT"): 4, ("rejected", "E-VOLUME-CONFLICT"): 1}
    assert lake.table(instances.CONTRACT).num_rows == 4


def test_two_patients_in_one_study_have_no_volumes(tmp_path: Path) -> None:
    made = both()
    for dataset in made[4:]:
        dataset.PatientID = "SL-MNOPQRSTUVWX"
    outcome, lake = run(save(tmp_path / "dicom", made), tmp_path)
    assert ends(outcome) == {("quarantined", "E-VOLUME-CONFLICT"): 8}
    assert lake.table(studies.CONTRACT).num_rows == 1
    assert not [name for name in lake.files("") if name.startswith("volumes/")]


def test_tables_say_what_the_headers_say_and_null_where_they_do_not(tmp_path: Path) -> None:
    made = slices(Manufacturer="Acme ", ConvolutionKernel=["B30", "S"], KVP="120", FrameOfReferenceUID="2.25.7")
    del made[0].PatientAge
    made[0].InstanceNumber = None
    report = instance(
        np.zeros(3), number=500, SeriesInstanceUID=OTHER, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR"
    )
    for keyword in ("Rows", "Columns", "PixelData", "ImagePositionPatient", "PixelSpacing", "SliceThickness"):
        delattr(report, keyword)
    outcome, lake = run(save(tmp_path / "dicom", [*made, report]), tmp_path)
    assert ends(outcome) == {("converted", ""): 4, ("quarantined", "E-VOLUME-SOP-CLASS"): 1}
    first, last = lake.table(series.CONTRACT).to_pylist()
    assert (first["Manufacturer"], first["ConvolutionKernel"], first["KVP"], first["n_volumes"]) == ("Acme", "B30\\S", 120.0, 1)
    assert (last["Modality"], last["SliceThickness"], last["n_volumes"]) == ("SR", None, 0)
    study = lake.table(studies.CONTRACT).to_pylist()[0]
    assert (study["study_year"], study["age_years"], study["age_over_89"], study["PatientSex"]) == (2025, 61, False, "F")
    assert (study["modalities"], study["n_series"], study["n_instances"]) == (["CT", "SR"], 2, 5)
    rows = {row["SOPInstanceUID"]: row for row in lake.table(instances.CONTRACT).to_pylist()}
    assert rows["2.25.9000"]["InstanceNumber"] is None
    assert [rows[f"2.25.{9000 + number}"]["slice_index"] for number in range(4)] == [0, 1, 2, 3]
    assert (rows["2.25.9500"]["Rows"], rows["2.25.9500"]["slice_index"]) == (None, None)
    volume = lake.table(volumes.CONTRACT).to_pylist()[0]
    assert volume["path"] == f"volumes/{PATIENT}/{STUDY}/{SERIES}_0.nii.gz"
    assert volume["sha256"] == lake.manifest("volumes", STUDY).files[volume["path"]]
    assert volume["source_instances"] == [f"2.25.{9000 + number}" for number in range(4)]
    assert (volume["n_columns"], volume["n_rows"], volume["n_slices"]) == (5, 6, 4)
    assert volume["row_spacing_mm"] == pytest.approx(0.8)
    assert volume["column_spacing_mm"] == pytest.approx(0.5)
    assert volume["slice_spacing_mm"] == pytest.approx(2.0)


@pytest.mark.filterwarnings("ignore")
def test_ages_over_89_have_no_number_and_unreadable_values_are_null(tmp_path: Path) -> None:
    made = slices()
    for dataset in made:
        dataset.PatientAge, dataset.PatientSex, dataset.StudyDate = "093Y", "X", ""
        dataset.add_new("KVP", "DS", "120")
        dataset["KVP"]._value = "much"
        dataset.PatientWeight, dataset.PatientSize = "-1", "0"
    _, lake = run(save(tmp_path / "dicom", made), tmp_path)
    study = lake.table(studies.CONTRACT).to_pylist()[0]
    assert (study["age_years"], study["age_over_89"], study["PatientSex"], study["study_year"]) == (None, True, None, None)
    assert (study["PatientWeight"], study["PatientSize"]) == (None, None)
    assert lake.table(series.CONTRACT)["KVP"].to_pylist() == [None]
