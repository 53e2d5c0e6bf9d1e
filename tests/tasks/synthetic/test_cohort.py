"""The cohort as a whole: the same bytes for the same seed, tables that fit the files, and a spread that an evaluation can use."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from tasks.synthetic.cohort import Cohort, _plan, make_cohort, real_files
from tasks.synthetic.identity import hospitals
from tasks.synthetic.phantom import THICK


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def test_the_same_seed_gives_the_same_bytes_by_any_number_of_workers(tmp_path: Path) -> None:
    for name, seed, workers in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        make_cohort(tmp_path / name, seed=seed, patients=3, workers=workers)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_an_earlier_cohort_in_the_folder_is_replaced(tmp_path: Path) -> None:
    make_cohort(tmp_path / "a", seed=1, patients=2)
    make_cohort(tmp_path / "b", seed=1, patients=1)
    make_cohort(tmp_path / "a", seed=1, patients=1)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_progress_is_told_after_each_patient(tmp_path: Path) -> None:
    seen: list[int] = []
    make_cohort(tmp_path, patients=2, progress=lambda: seen.append(1))
    assert len(seen) == 2


def test_the_tables_are_keyed_by_the_accession_numbers_of_the_files(cohort: Cohort) -> None:
    headers = {study.folder: pydicom.dcmread(cohort.folder / study.folder / "i0001.dcm") for study in cohort.studies}
    accessions = [header.AccessionNumber for header in headers.values()]
    assert len(set(accessions)) == len(accessions)
    assert all(accession.startswith("00") for accession in accessions)
    reference, demographics = rows(cohort.folder / "reference.csv"), rows(cohort.folder / "demographics.csv")
    assert list(reference[0]) == ["AccessionNumber", "finding", "label"]
    assert list(demographics[0]) == ["AccessionNumber", "sex", "age_years", "race", "ethnicity", "site"]
    assert [row["AccessionNumber"] for row in reference] == [row["AccessionNumber"] for row in demographics] == accessions
    for row, header in zip(demographics, headers.values(), strict=True):
        assert row["sex"] == header.PatientSex
        assert f"{int(row['age_years']):03d}Y" == header.PatientAge
        assert int(header.StudyDate[:4]) - int(header.PatientBirthDate[:4]) - int(row["age_years"]) in {0, 1}


def test_the_full_cohort_is_spread_for_subgroups() -> None:
    plans = _plan(20261124, 64)
    studies = [(plan, protocol, nodules) for plan in plans for _, protocol, nodules in plan.studies]
    assert len(plans) == 64
    assert len(studies) == 72
    assert [number for plan in plans for number, _, _ in plan.studies] == list(range(72))
    assert sum(protocol.slices for _, protocol, _ in studies) <= 3000
    assert 0.40 < sum(nodules > 0 for _, _, nodules in studies) / 72 < 0.53
    thickness = Counter(protocol.slice_thickness_mm for _, protocol, _ in studies)
    assert set(thickness) == {2.5, 5.0, 10.0}
    assert min(thickness.values()) >= 20
    for value in thickness:
        labels = [nodules > 0 for _, protocol, nodules in studies if protocol.slice_thickness_mm == value]
        assert 0.35 < sum(labels) / len(labels) < 0.6, value
    assert len({plan.scanner.serial for plan in plans}) == sum(len(hospital.scanners) for hospital in hospitals())
    assert len({protocol.kernel for _, protocol, _ in studies}) == 2
    assert sum(plan.age > 89 for plan in plans) >= 4
    assert all(protocol.slices == THICK.slices for _, protocol, _ in studies if protocol.slice_thickness_mm == 10)


def test_only_the_issuer_tells_two_patients_with_the_same_number_apart() -> None:
    keys = [(plan.hospital.issuer, plan.record) for plan in _plan(20261124, 64)]
    assert len(set(keys)) == 64
    assert len({record for _, record in keys}) < 64


def test_a_second_study_is_the_same_patient_later(cohort: Cohort) -> None:
    again = [study for study in cohort.studies if study.folder.endswith("s2")]
    assert again
    for study in again:
        first = next(other for other in cohort.studies if other.folder == study.folder.replace("s2", "s1"))
        assert (first.patient_id, first.issuer, first.sex) == (study.patient_id, study.issuer, study.sex)
        assert first.study_uid != study.study_uid
        assert first.label <= study.label, "nodules stay"


def test_real_files_are_copied_from_the_installation_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no download")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    count = real_files(tmp_path)
    copied = {path.name for path in (tmp_path / "real").iterdir()}
    assert count == len(copied) > 60
    assert {"CT_small.dcm", "MR_small.dcm", "rtdose.dcm", "test-SR.dcm", "waveform_ecg.dcm", "MR_truncated.dcm"} <= copied
