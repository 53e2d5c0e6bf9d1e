"""Invented people, visits and hospitals: the identifiers that the synthetic cohort plants.

Everything is drawn from a seeded generator and from the name lists in `configs/synthetic/`. Names, places and numbers are made
up and peculiar, so that a search for one of them finds a leak and not an ordinary word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import numpy as np

from tasks.declarations import shipped

UID_ROOT = "1.2.826.0.1.3680043.8.498"
"""The root that pydicom lends to whoever writes files with it; serial number, time and counters follow, as vendors do it."""

RACES = ("White", "Black or African American", "Asian", "American Indian or Alaska Native", "Unknown")
"""As the hospital's CSV says it, in the words of the US Office of Management and Budget (1997)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, with DICOM's component groups (PS3.5 6.2)."""

    family: str
    given: str
    middle: str = ""
    prefix: str = ""
    suffix: str = ""
    ideographic: str = ""
    phonetic: str = ""

    @property
    def dicom(self) -> str:
        """The value of a PN element."""
        alphabetic = "^".join((self.family, self.given, self.middle, self.prefix, self.suffix)).rstrip("^")
        return "=".join((alphabetic, self.ideographic, self.phonetic)).rstrip("=")

    @property
    def spoken(self) -> str:
        """As people write it: given name, family name."""
        return f"{self.given} {self.family}"

    def parts(self) -> list[str]:
        """Every component that could show on its own, without titles."""
        groups = [*self.ideographic.split("^"), *self.phonetic.split("^")]
        return [part for part in (self.family, self.given, self.middle, *groups) if part]


@dataclass(frozen=True, slots=True)
class Scanner:
    """A CT scanner, as `configs/synthetic/hospitals.yaml` declares it."""

    manufacturer: str
    model: str
    serial: str
    station: str
    noise: float
    kernels: dict[str, str]
    private_creator: str
    private_group: int
    implicit: bool


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital; `site` is the code its CSV uses."""

    site: str
    name: str
    address: str
    department: str
    issuer: str
    aet: str
    domain: str
    scanners: tuple[Scanner, ...]


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented patient. `charset` is the SpecificCharacterSet that the names need."""

    number: int
    name: Name
    birth_name: str
    mother: Name
    relative: Name
    charset: tuple[str, ...]
    patient_id: str
    issuer: str
    national_id: str
    insurance_id: str
    insurer: str
    born: date
    birth_time: str
    sex: str
    race: str
    ethnicity: str
    height_m: float
    weight_kg: float
    address: str
    town: str
    phone: str
    mobile: str
    email: str
    religion: str
    occupation: str

    def age(self, on: date) -> int:
        """Completed years on a day."""
        return on.year - self.born.year - ((on.month, on.day) < (self.born.month, self.born.day))


@dataclass(frozen=True, slots=True)
class Visit:
    """One study of a patient: its numbers, its times and its staff."""

    number: int
    accession: str
    study_id: str
    admission_id: str
    placer_order: str
    begun: datetime
    referrer: Name
    performer: Name
    reader: Name
    operator: Name
    referrer_phone: str
    station_uid: str
    study_uid: str
    series_uid: str
    frame_uid: str
    order_uid: str
    room: str

    def instance_uid(self, number: int) -> str:
        """SOPInstanceUID of an instance, counted from 1."""
        return f"{self.series_uid}.{number}"


@cache
def _names() -> dict[str, Any]:
    loaded: dict[str, Any] = shipped("synthetic", "names.yaml")
    return loaded


@cache
def hospitals() -> tuple[Hospital, ...]:
    """The hospitals of the cohort."""
    declared = shipped("synthetic", "hospitals.yaml")
    return tuple(
        Hospital(**{**entry, "scanners": tuple(Scanner(**scanner) for scanner in entry["scanners"])}) for entry in declared
    )


def _not_on_new_year(day: date) -> date:
    """The first of January is how a released year is written, so as a planted identifier it would prove nothing."""
    return day + timedelta(days=1) if (day.month, day.day) == (1, 1) else day


def invent_patient(rng: np.random.Generator, number: int, hospital: Hospital, *, age: int, record: int) -> Patient:
    """A patient of about this age on 1 June 2026, the `number`th of the cohort (which makes the identifiers unique).

    `record` makes the PatientID: two hospitals may have given the same one to two people, told apart only by the issuer.
    """
    names = _names()
    script = _script(number)
    sex = "O" if number % 31 == 30 else ("F", "M")[int(rng.random() < 0.5)]
    name, charset = _patient_name(rng, number, script, sex)
    mother, _ = _patient_name(rng, number + 11, script, "F")
    relative, _ = _patient_name(rng, number + 17, script, "M")
    staff = names["staff"]
    serial = int(rng.integers(10**6))
    # Multiplying by a number that is coprime to the modulus keeps them unique and looking unrelated.
    national = f"{(number * 7_654_321 + 1_234_567) % 10**9:09d}"
    handle = f"{_pick(rng, staff['given'])}.{_pick(rng, staff['family'])}{number}".lower()
    return Patient(
        number=number,
        name=name,
        birth_name=mother.family if script != "japanese" else mother.family.upper(),
        mother=mother,
        relative=relative,
        charset=charset,
        patient_id=f"00{(record * 104_729 + 48_611) % 10**6:06d}",
        issuer=hospital.issuer,
        national_id=f"{national[:3]}-{national[3:5]}-{national[5:]}",
        insurance_id=f"XQZ{serial:06d}-{number:02d}",
        insurer=_pick(rng, names["insurers"]),
        born=_not_on_new_year(date(2026, 6, 1) - timedelta(days=int(age * 365.25) + int(rng.integers(20, 340)))),
        birth_time=f"{int(rng.integers(24)):02d}{int(rng.integers(60)):02d}{int(rng.integers(60)):02d}.{int(rng.integers(10**6)):06d}",
        sex=sex,
        race=RACES[int(rng.choice(len(RACES), p=(0.46, 0.24, 0.20, 0.05, 0.05)))],
        ethnicity="Hispanic or Latino" if rng.random() < 0.22 else "Not Hispanic or Latino",
        height_m=round(1.5 + 0.4 * float(rng.random()), 2),
        weight_kg=round(50 + 55 * float(rng.random()), 1),
        address=f"{int(rng.integers(2, 190))} {_pick(rng, names['streets'])}",
        town=_pick(rng, names["towns"]),
        phone=f"+1-555-{int(rng.integers(100, 1000))}-{int(rng.integers(10000)):04d}",
        mobile=f"(555) {int(rng.integers(100, 1000))} {int(rng.integers(10000)):04d}",
        email=f"{handle}@post.example",
        religion=_pick(rng, names["religions"]),
        occupation=_pick(rng, names["occupations"]),
    )


def invent_visit(
    rng: np.random.Generator, patient: Patient, number: int, hospital: Hospital, scanner: Scanner, *, day: date
) -> Visit:
    """The visit on a day, the `number`th of the whole cohort."""
    begun = datetime.combine(day, datetime.min.time()) + timedelta(seconds=int(rng.integers(7 * 3600, 19 * 3600)))
    begun += timedelta(microseconds=int(rng.integers(1, 10**6)))
    serial = "".join(character for character in scanner.serial if character.isdigit()).lstrip("0")
    base = f"{UID_ROOT}.{serial}.{begun:%Y%m%d%H%M%S}"
    hospital_digit = hospitals().index(hospital) + 1
    return Visit(
        number=number,
        accession=f"00{hospital_digit}{(number * 77_711 + 5_003) % 10**6:06d}",
        study_id=f"S{(number * 31_337 + 90_001) % 10**6:06d}",
        admission_id=f"ADM-{(number * 13_331 + 70_003) % 10**6:06d}",
        placer_order=f"PLC{(number * 24_593 + 11_003) % 10**7:07d}",
        begun=begun,
        referrer=_staff(rng, "Dr."),
        performer=_staff(rng, "Dr."),
        reader=_staff(rng, "Prof."),
        operator=_staff(rng),
        referrer_phone=f"+1-555-{int(rng.integers(100, 1000))}-{int(rng.integers(10000)):04d}",
        station_uid=f"{UID_ROOT}.{serial}.1",
        study_uid=f"{base}.{number + 1}",
        series_uid=f"{base}.{number + 1}.2",
        frame_uid=f"{base}.{number + 1}.9",
        order_uid=f"{base}.{patient.number + 1}.{number + 1}.7",
        room=f"{_pick(rng, ('Gullwing', 'Oakapple', 'Saltmarsh'))} Ward {int(rng.integers(100, 999))}B",
    )


def _script(number: int) -> str:
    """Which writing a patient's name needs: three in ten UTF-8, one in ten Japanese, else Latin-1."""
    return {1: "unicode", 4: "unicode", 7: "unicode", 5: "japanese"}.get(number % 10, "latin")


def _patient_name(rng: np.random.Generator, number: int, script: str, sex: str) -> tuple[Name, tuple[str, ...]]:
    """A name in a script, and the SpecificCharacterSet (PS3.3 C.12.1.1.2) that it needs."""
    names = _names()
    given_key = "given_f" if sex == "F" else "given_m"
    if script == "japanese":
        family = names["japanese"][number // 10 % len(names["japanese"])]
        given = _pick(rng, names["japanese_" + given_key])
        return Name(
            family["family"],
            given["given"],
            ideographic=f"{family['kanji']}^{given['kanji']}",
            phonetic=f"{family['kana']}^{given['kana']}",
        ), ("", "ISO 2022 IR 87")
    pool = names[script]
    family_name = pool["family"][number % len(pool["family"])]
    full = number % 4 == 0
    return Name(
        family_name,
        _pick(rng, pool[given_key]),
        middle=_pick(rng, names["middle"]) if full else "",
        prefix="Dame" if full and sex == "F" else "",
        suffix="III" if full and sex == "M" else "",
    ), ("ISO_IR 100",) if script == "latin" else ("ISO_IR 192",)


def _staff(rng: np.random.Generator, prefix: str = "") -> Name:
    staff = _names()["staff"]
    return Name(_pick(rng, staff["family"]), _pick(rng, staff["given"]), prefix=prefix)


def _pick(rng: np.random.Generator, among: Sequence[_T]) -> _T:
    return among[int(rng.integers(len(among)))]
