"""Write the synthetic cohort: DICOM files, the hospital's CSVs, and the list of every identifier that was planted.

The same seed and number of patients give the same bytes with the same versions of numpy and pydicom, by any number of workers.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from importlib.resources import files
from io import BytesIO, StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from tasks.synthetic.headers import Acquisition, instance_header, series_header, slice_level
from tasks.synthetic.hiding_places import file_frame, hide
from tasks.synthetic.identity import Hospital, Patient, Scanner, Visit, hospitals, invent_patient, invent_visit
from tasks.synthetic.phantom import MEDIUM, SCANNER_NOISE_HU, SHARP_NOISE, THICK, THIN, Kernel, Protocol, chest
from tasks.synthetic.planting import Identifier
from tasks.synthetic.seeds import identity_seed, phantom_seed

DEFAULT_SEED = 20261124
FINDING = "nodule"

_T = TypeVar("_T")

_README = """SYNTHETIC DATA. Nobody in these files exists.

The chest CTs are phantoms drawn by a program, and every name, number, address and date was invented by it. They are for testing
software. Nothing about patients, disease or the worth of a diagnostic method can be learnt from them.

dicom/            the files, as a scanner's archive would hold them, with identifiers in every usual place
reference.csv     the reference standard: whether the phantom has a nodule, by accession number
demographics.csv  what the hospital's information system knows, by accession number
identifiers.json  every identifier that was planted: its kind, its value as text, and where. Values of digits only should be
                  looked for as whole words: eight digits of a date occur by chance in a long UID.
"""


@dataclass(frozen=True, slots=True)
class Study:
    """What the hospital knows about one study of the cohort, and where its files are."""

    accession: str
    study_uid: str
    patient_id: str
    issuer: str
    label: int
    slice_thickness_mm: float
    kernel: Kernel
    manufacturer: str
    sex: str
    age_years: int
    race: str
    ethnicity: str
    site: str
    instances: int
    folder: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """What was made: the studies in the order of their making, and all planted identifiers, sorted."""

    folder: Path
    studies: tuple[Study, ...]
    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """One patient: what all studies share, and the protocol, number of nodules and number in the cohort of each study."""

    seed: int
    number: int
    record: int
    age: int
    hospital: Hospital
    scanner: Scanner
    studies: tuple[tuple[int, Protocol, int], ...]


def make_cohort(
    folder: Path, *, seed: int = DEFAULT_SEED, patients: int = 96, progress: Callable[[], None] | None = None, workers: int = 1
) -> Cohort:
    """Write `folder/dicom`, `reference.csv`, `demographics.csv`, `identifiers.json` and `README.txt`.

    One patient in eight has a second study. Three slice thicknesses (2.5, 5 and 10 mm), two kernels and four scanners at three
    sites are spread over the patients; about 45 of 100 studies have a nodule, evenly over the thicknesses.

    Args:
        folder: made if it is not there; what an earlier cohort left in `folder/dicom` is removed.
        seed: another seed gives other people and other phantoms.
        patients: how many; 96 give 108 studies and about 4,000 instances.
        progress: called after each patient.
        workers: processes. They are started afresh, so that nothing of the caller's threads is inherited.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "dicom", ignore_errors=True)
    plans = _plan(seed, patients)
    made: dict[int, tuple[list[Study], set[Identifier]]] = {}
    if workers > 1:
        with ProcessPoolExecutor(min(workers, patients), mp_context=get_context("spawn")) as pool:
            running = {pool.submit(_make_patient, folder, plan): plan.number for plan in plans}
            for finished in as_completed(running):
                made[running[finished]] = finished.result()
                if progress:
                    progress()
    else:
        for plan in plans:
            made[plan.number] = _make_patient(folder, plan)
            if progress:
                progress()
    studies = tuple(study for number in sorted(made) for study in made[number][0])
    identifiers = tuple(sorted(set().union(*(found for _, found in made.values()))))
    _write_tables(folder, studies)
    (folder / "identifiers.json").write_text(
        json.dumps([asdict(entry) for entry in identifiers], ensure_ascii=False, indent=0) + "\n", "utf-8"
    )
    (folder / "README.txt").write_text(_README, "utf-8")
    return Cohort(folder, studies, identifiers)


def real_files(folder: Path) -> int:
    """Copy the real DICOM files that pydicom's wheel carries (CT, MR, ultrasound, SR, RT, ECG, broken ones) into `folder/real`.

    Nothing is downloaded: only files that the installation holds are taken. Some state no UIDs, or are cut short: an archive
    can't list those, which is part of what they are for. Returns how many were copied.
    """
    target = folder / "real"
    target.mkdir(parents=True, exist_ok=True)
    found = sorted(
        (entry for entry in files("pydicom").joinpath("data", "test_files").iterdir() if entry.name.endswith(".dcm")),
        key=lambda entry: entry.name,
    )
    for entry in found:
        (target / entry.name).write_bytes(entry.read_bytes())
    return len(found)


def _plan(seed: int, patients: int) -> list[_Plan]:
    """Spread protocols, scanners, labels and ages evenly over the patients, in an order that the seed shuffles."""
    rng = np.random.Generator(np.random.PCG64(identity_seed(seed)))
    twice = set(rng.permutation(patients)[: round(patients / 8)].tolist())
    places = [(hospital, scanner) for hospital in hospitals() for scanner in hospital.scanners]
    thicknesses = _spread(rng, (THIN, MEDIUM, THICK), patients)
    where = _spread(rng, places, patients)
    kernels: list[Kernel] = _spread(rng, ("smooth", "sharp"), patients)
    ages = rng.permutation(np.linspace(24, 88, patients).astype(int))
    over_89 = set(rng.permutation(patients)[: max(1, round(patients / 12))].tolist())
    # Labels are spread within each thickness, so that the thickness alone says nothing about the label.
    positive: dict[float, list[bool]] = {}
    for protocol in (THIN, MEDIUM, THICK):
        labels = (True, False, False, True, False, True, False, False, True)
        positive[protocol.slice_thickness_mm] = _spread(rng, labels, thicknesses.count(protocol))
    plans, number = [], 0
    for patient in range(patients):
        hospital, scanner = where[patient]
        has_nodule = positive[thicknesses[patient].slice_thickness_mm].pop()
        nodules = 1 + patient % 2 if has_nodule else 0
        protocol = replace(thicknesses[patient], kernel=kernels[patient])
        # Half the second studies of healthy patients find a nodule that was not there before.
        later = nodules or number % 2
        studies = [(number, _at(protocol, scanner), nodules)]
        if patient in twice:
            studies.append((number + 1, _at(protocol, scanner), later))
        number += len(studies)
        age = int(rng.integers(91, 98)) if patient in over_89 else int(ages[patient])  # 090Y is how all over 89 are released
        # Now and then another hospital has given the same PatientID to the patient before: only the issuer tells them apart.
        same = patient % 16 == 15 and where[patient - 1][0] != hospital
        plans.append(_Plan(seed, patient, patient - same, age, hospital, scanner, tuple(studies)))
    return plans


def _at(protocol: Protocol, scanner: Scanner) -> Protocol:
    """The protocol with this scanner's noise; the sharp kernel has more."""
    base = SCANNER_NOISE_HU[protocol.slice_thickness_mm]
    return replace(protocol, noise_hu=base * scanner.noise * (SHARP_NOISE if protocol.kernel == "sharp" else 1.0))


def _spread(rng: np.random.Generator, among: Sequence[_T], count: int) -> list[_T]:
    """So many values, each as often as any other of the sequence (give or take one), in random order."""
    return [among[int(index) % len(among)] for index in rng.permutation(count)]


def _make_patient(folder: Path, plan: _Plan) -> tuple[list[Study], set[Identifier]]:
    """Write one patient's studies; a plain function of the plan, so that any process can do it."""
    rng = np.random.Generator(np.random.PCG64(identity_seed(plan.seed, plan.number)))
    patient = invent_patient(rng, plan.number, plan.hospital, age=plan.age, record=plan.record)
    identifiers: set[Identifier] = set()
    studies = []
    day = date(2026, 1, 5) + timedelta(days=int(rng.integers(120)))
    for scan, (number, protocol, nodules) in enumerate(plan.studies):
        visit = invent_visit(rng, patient, number, plan.hospital, plan.scanner, day=day + timedelta(days=91 * scan))
        corner = -(protocol.matrix - 1) / 2 * protocol.pixel_spacing_mm
        first = (corner, corner, -round(200 + 80 * float(rng.random()), 1))
        acquisition = Acquisition(patient, visit, plan.hospital, plan.scanner, protocol, first)
        place = f"dicom/p{plan.number:04d}/s{scan + 1}"
        _write_study(folder / place, acquisition, _volume(plan, protocol, nodules, scan), identifiers)
        studies.append(_known(patient, visit, acquisition, nodules, place))
    return studies, identifiers


def _volume(plan: _Plan, protocol: Protocol, nodules: int, scan: int) -> NDArray[np.int16]:
    return chest(phantom_seed(plan.seed, plan.number), protocol=protocol, nodules=nodules, scan=scan).volume


def _known(patient: Patient, visit: Visit, acquisition: Acquisition, nodules: int, place: str) -> Study:
    return Study(
        accession=visit.accession,
        study_uid=visit.study_uid,
        patient_id=patient.patient_id,
        issuer=patient.issuer,
        label=int(nodules > 0),
        slice_thickness_mm=acquisition.protocol.slice_thickness_mm,
        kernel=acquisition.protocol.kernel,
        manufacturer=acquisition.scanner.manufacturer,
        sex=patient.sex,
        age_years=patient.age(visit.begun.date()),
        race=patient.race,
        ethnicity=patient.ethnicity,
        site=acquisition.hospital.site,
        instances=acquisition.protocol.slices,
        folder=place,
    )


def _write_study(folder: Path, acquisition: Acquisition, volume: NDArray[np.int16], identifiers: set[Identifier]) -> None:
    folder.mkdir(parents=True)
    template = series_header(acquisition, identifiers)
    hide(template, acquisition, identifiers)
    frame = file_frame(acquisition, identifiers)
    encoded = instance_header(template, acquisition, 0, volume[slice_level(acquisition, 0)], identifiers)
    frame.update(encoded)
    frame.file_meta.MediaStorageSOPInstanceUID = encoded.SOPInstanceUID
    buffer = BytesIO()
    frame.save_as(buffer, enforce_file_format=True)
    # Read back, the elements stay encoded until they are touched, so what does not change is encoded once for the series.
    frame = dcmread(BytesIO(buffer.getvalue()))
    for index in range(len(volume)):
        instance_header(frame, acquisition, index, volume[slice_level(acquisition, index)], identifiers)
        frame.file_meta.MediaStorageSOPInstanceUID = frame.SOPInstanceUID
        frame.save_as(folder / f"i{index + 1:04d}.dcm", enforce_file_format=True)


def _write_tables(folder: Path, studies: Iterable[Study]) -> None:
    reference = [("AccessionNumber", "finding", "label")]
    demographics = [("AccessionNumber", "sex", "age_years", "race", "ethnicity", "site")]
    for study in studies:
        reference.append((study.accession, FINDING, str(study.label)))
        demographics.append((study.accession, study.sex, str(study.age_years), study.race, study.ethnicity, study.site))
    for name, rows in (("reference.csv", reference), ("demographics.csv", demographics)):
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        (folder / name).write_text(text.getvalue(), "utf-8")
