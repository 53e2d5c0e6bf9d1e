"""The generated set: several patients with several studies each, in ten modalities, written as files with their answer key. Seeded."""

from __future__ import annotations

import random
from pathlib import Path

from pydicom import config, uid

from tests.scoring.answers import Answers, Sheet
from tests.scoring.headers import Series, Visit, begin
from tests.scoring.modalities import FILLS
from tests.scoring.persons import Person, person
from tests.scoring.reports import sr

PATIENTS = 5
MODALITIES = ("CT", "MR", "PT", "CR", "DX", "MG", "US", "SC", "XA", "SR")
#: What a study of each kind holds: modality, SOP class, body part, clean words, image type, instances.
_STUDIES: tuple[tuple[tuple[str, str, str, str, tuple[str, ...], int], ...], ...] = (
    (
        ("CT", uid.CTImageStorage, "CHEST", "CT CHEST W CONTRAST", ("ORIGINAL", "PRIMARY", "AXIAL"), 6),
        ("PT", uid.PositronEmissionTomographyImageStorage, "CHEST", "PET CHEST", ("ORIGINAL", "PRIMARY"), 5),
        ("SC", uid.SecondaryCaptureImageStorage, "CHEST", "CT CHEST", ("DERIVED", "SECONDARY"), 1),
        ("SR", uid.EnhancedSRStorage, "CHEST", "CT CHEST", (), 1),
    ),
    (
        ("MR", uid.MRImageStorage, "ABDOMEN", "MR ABDOMEN WITHOUT CONTRAST", ("ORIGINAL", "PRIMARY", "DIFFUSION"), 5),
        ("US", uid.UltrasoundImageStorage, "LIVER", "US ABDOMEN LIVER", ("ORIGINAL", "PRIMARY"), 1),
        ("CR", uid.ComputedRadiographyImageStorage, "CHEST", "CHEST PA", ("ORIGINAL", "PRIMARY"), 1),
    ),
    (
        ("DX", uid.DigitalXRayImageStorageForPresentation, "CHEST", "CHEST PA", ("ORIGINAL", "PRIMARY"), 1),
        ("MG", uid.DigitalMammographyXRayImageStorageForPresentation, "BREAST", "BREAST SCREENING", ("ORIGINAL", "PRIMARY"), 2),
        ("XA", uid.XRayAngiographicImageStorage, "HEART", "HEART", ("ORIGINAL", "PRIMARY", "SINGLE PLANE"), 1),
    ),
)


def make(folder: Path, seed: int = 20, patients: int = PATIENTS) -> Answers:
    """Write the set below a folder (one file an instance, in folders by study) and return its key."""
    answers = Answers()
    chance = random.Random(seed)
    with config.disable_value_validation():
        for number in range(patients):
            who = person(number, seed)
            for kind, contents in enumerate(_STUDIES):
                visit = _visit(who, 100 * (number + 1) + kind, chance)
                place = folder / f"study{visit.number}"
                place.mkdir(parents=True)
                for count, content in enumerate(contents, start=1):
                    _write(place, answers, visit, count, content, patient=number)
    return answers


def _visit(who: Person, number: int, chance: random.Random) -> Visit:
    date = f"{chance.choice((2019, 2020, 2021))}{chance.randrange(2, 13):02d}{chance.randrange(2, 28):02d}"
    time = f"{chance.randrange(10, 23)}{chance.randrange(10, 59)}{chance.randrange(10, 59)}"
    return Visit(who, number, date, time, f"ACC{chance.randrange(10**7, 10**8)}", f"ST{chance.randrange(10**5, 10**6)}")


def _write(
    place: Path,
    answers: Answers,
    visit: Visit,
    count: int,
    content: tuple[str, str, str, str, tuple[str, ...], int],
    *,
    patient: int,
) -> None:
    modality, sop_class, body_part, words, image_type, instances = content
    series = Series(visit, count, modality, sop_class, body_part, words, image_type)
    for number in range(1, instances + 1):
        sheet = begin(answers, series, number)
        if modality == "SR":
            sr(sheet, series, (uid.CTImageStorage, tuple(visit.uid(1, image) for image in (1, 2))))
        else:
            FILLS[modality](sheet, series, number, 1000 * visit.number + number, _text(modality, visit, patient, number))
        sheet.close()
        _save(sheet, place / f"{modality}{number:03d}.dcm", compressed=modality == "MR" and patient % 2 == 1)


def _save(sheet: Sheet, path: Path, *, compressed: bool) -> None:
    if compressed:
        sheet.dataset.compress(uid.RLELossless, generate_instance_uid=False)
    sheet.dataset.save_as(path, enforce_file_format=True)


def _text(modality: str, visit: Visit, patient: int, number: int) -> str:
    """What is burned into a frame: always into captures and ultrasound, into other images of some patients."""
    burned = (
        modality in ("SC", "US")
        or (modality in ("XA", "CR", "DX") and patient % 2 == 0)
        or (modality == "MG" and patient % 2 == 1)
        or (modality == "CT" and patient == 2 and number == 3)
    )
    if not burned:
        return ""
    return visit.person.family[:9].upper() if modality == "CT" else f"{visit.person.family.upper()} {visit.person.patient_id}"
