"""The files of the cohort: sorted geometry, pixels that give the phantom's HU, and the word SYNTHETIC wherever it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import Dataset

from tasks.synthetic.cohort import Cohort, Study


def read(cohort: Cohort, study: Study) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted((cohort.folder / study.folder).iterdir())]


def test_a_series_is_one_evenly_spaced_stack(cohort: Cohort) -> None:
    for study in cohort.studies:
        instances = read(cohort, study)
        assert len(instances) == study.instances
        assert {tuple(instance.ImageOrientationPatient) for instance in instances} == {(1, 0, 0, 0, 1, 0)}
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID", "AccessionNumber"):
            assert len({instance[keyword].value for instance in instances}) == 1, keyword
        assert len({instance.SOPInstanceUID for instance in instances}) == study.instances
        heights = sorted(float(instance.ImagePositionPatient[2]) for instance in instances)
        assert np.allclose(np.diff(heights), study.slice_thickness_mm)
        assert [instance.InstanceNumber for instance in instances] == list(range(1, study.instances + 1))


def test_some_scanners_count_downwards_and_some_upwards(cohort: Cohort) -> None:
    directions = set()
    for study in cohort.studies:
        first, second = read(cohort, study)[:2]
        directions.add(first.ImagePositionPatient[2] < second.ImagePositionPatient[2])
    assert directions == {True, False}


def test_another_library_reads_the_stack_with_its_geometry(cohort: Cohort) -> None:
    study = min(cohort.studies, key=lambda entry: entry.instances)
    reader = SimpleITK.ImageSeriesReader()
    folder = cohort.folder / study.folder
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    assert np.allclose(image.GetSpacing(), (2.5, 2.5, study.slice_thickness_mm))
    assert np.allclose(image.GetDirection(), np.eye(3).ravel())
    volume = SimpleITK.GetArrayFromImage(image)
    air = float(np.median(volume[:, :6, :6]))  # the noise of the low-dose protocol is clipped at -1024, which moves the mean
    assert abs(air + 1000) < 15, "stored values are rescaled to HU"
    # z grows towards the head: there is less lung at the diaphragm than above it, whichever way the scanner counts.
    aerated = [(np.abs(level + 855) < 100)[30:100, 20:108].sum() for level in volume]
    assert aerated[0] < aerated[len(volume) // 2]


def test_it_is_called_synthetic_wherever_it_shows(cohort: Cohort) -> None:
    for study in cohort.studies:
        instance = read(cohort, study)[0]
        for keyword in (
            "Manufacturer",
            "ManufacturerModelName",
            "SeriesDescription",
            "ImageComments",
            "PatientComments",
            "ProtocolName",
        ):
            assert "SYNTHETIC" in instance[keyword].value, keyword
        assert instance.file_meta.ImplementationVersionName == "SYNTHETIC"
    assert "SYNTHETIC" in (cohort.folder / "README.txt").read_text("utf-8")


def test_file_names_are_neutral(cohort: Cohort) -> None:
    names = [path.relative_to(cohort.folder).as_posix() for path in Path(cohort.folder / "dicom").rglob("*")]
    for identifier in cohort.identifiers:
        assert not any(identifier.value in name for name in names), identifier


def test_names_come_in_three_character_sets(cohort: Cohort) -> None:
    sets = {str(read(cohort, study)[0].SpecificCharacterSet) for study in cohort.studies}
    assert {"ISO_IR 100", "ISO_IR 192"} <= sets
    assert any("ISO 2022 IR 87" in entry for entry in sets)
