"""Made-up patients: names that no vocabulary of the field has, and numbers of every kind that identifies somebody."""

from __future__ import annotations

import random
from dataclasses import dataclass

FAMILIES = ("Zwiebelturm", "Blaubeere", "Kastanienhof", "Quittenbaum", "Oconnorsen", "Fernandezzo", "Wojciechowska", "Tangerloh")
GIVEN = ("Ottokarine", "Hannelorius", "Marisolita", "Bartholomea", "Ludowika", "Sigismunda", "Perpetuana", "Eleonorius")
STAFF = ("Quacksalber", "Kniebeuge", "Blindschleiche", "Haselnusser", "Pfefferminz", "Stolperstein")
PLACES = ("Kleinkleckersdorf", "Hinterwaldau", "Posemuckelheim", "Grossdumpfingen")
HOUSES = ("Barbarastift Nordklinik", "Lukasspital Westheim", "Marienberghaus")


@dataclass(frozen=True, slots=True)
class Person:
    """A patient and those around them. Dates are YYYYMMDD."""

    family: str
    given: str
    patient_id: str
    issuer: str
    born: str
    age: int
    sex: str
    height: str
    weight: str
    phone: str
    email: str
    address: str
    town: str
    insurance: str
    referrer: str
    operator: str
    institution: str
    station: str
    serial: str

    @property
    def name(self) -> str:
        """The name as PN writes it."""
        return f"{self.family}^{self.given}"

    @property
    def spoken(self) -> str:
        """The name as people write it."""
        return f"{self.given} {self.family}"


def person(number: int, seed: int) -> Person:
    """The patient of this number. The last of every five is over 89."""
    chance = random.Random(f"{seed}/{number}")

    def digits(count: int) -> str:
        return str(chance.randrange(10 ** (count - 1), 10**count))

    age = 93 if number % 5 == 4 else chance.randrange(20, 88)
    return Person(
        family=FAMILIES[number % len(FAMILIES)], given=GIVEN[number % len(GIVEN)], patient_id=f"MRN{digits(8)}", issuer="HOSPITALISSUER",
        born=f"{2021 - age - 1}{chance.randrange(2, 13):02d}{chance.randrange(2, 28):02d}", age=age, sex=chance.choice("FM"),
        height=f"1.{chance.randrange(50, 95)}", weight=f"{chance.randrange(45, 120)}.5", phone=f"555-{digits(3)}-{digits(4)}",
        email=f"box{digits(5)}@postfach.example", address=f"{digits(3)} Lindenstrassenweg", town=chance.choice(PLACES),
        insurance=f"INS{digits(9)}", referrer=f"{chance.choice(STAFF)}^Aloisius", operator=f"{chance.choice(STAFF)}^Wilhelmina",
        institution=chance.choice(HOUSES), station=f"STATIONX{digits(3)}", serial=f"SN{digits(7)}",
    )  # fmt: skip
