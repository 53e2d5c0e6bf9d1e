"""Who was studied: what subgroups are made of."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

#: Bands of age in years at the time of the study.
AGE_BANDS = ("0-17", "18-44", "45-64", "65-89", "90+")
#: The categories of the US Office of Management and Budget (Statistical Policy Directive 15, 1997 and 2024).
RACES = (
    "American Indian or Alaska Native", "Asian", "Black or African American", "Hispanic or Latino", "Middle Eastern or North African",
    "Native Hawaiian or Other Pacific Islander", "White", "More than one", "Other", "Unknown",
)  # fmt: skip
ETHNICITIES = ("Hispanic or Latino", "Not Hispanic or Latino", "Unknown")
SITE_PATTERN = r"[A-Z]{1,2}[0-9]{0,3}|(?i:site|center|centre|hospital)[ _-]?(?:[0-9]{1,3}|[A-Z])"

CONTRACT = Contract(
    name="cohort",
    meaning="A study's demographics for subgroups, as the hospital's table says. Made by `safelight import`; ages as Safe Harbor allows.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("sex", pa.string(), "The patient's sex; null where it is not stated.", nullable=True, allowed=("F", "M", "O")),
        Column("age_years", pa.int16(), "Age in whole years; null from 90 on, and where it is not stated.", unit="a", nullable=True,
               minimum=0, maximum=89),
        Column("age_band", pa.string(), "The age's band; 90+ for all who are older than 89.", nullable=True, allowed=AGE_BANDS),
        Column("race", pa.string(), "The patient's race, as the hospital's table says.", nullable=True, allowed=RACES),
        Column("ethnicity", pa.string(), "The patient's ethnicity, as the hospital's table says.", nullable=True, allowed=ETHNICITIES),
        Column("site", pa.string(), "The hospital's code for the site; no name.", nullable=True, pattern=SITE_PATTERN),
    ),
    key=("StudyInstanceUID",),
)  # fmt: skip
