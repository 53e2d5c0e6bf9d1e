"""Every study with a released instance."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="studies",
    meaning="One row a study with at least one released instance.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column(
            "study_year",
            pa.int32(),
            "Year of the study; Safe Harbor allows nothing finer.",
            unit="a",
            nullable=True,
            minimum=1900,
        ),
        Column("PatientSex", pa.string(), "As the study states it.", nullable=True, allowed=("M", "F", "O")),
        Column(
            "age_years",
            pa.int32(),
            "Age at the study; null where unknown or over 89.",
            unit="a",
            nullable=True,
            minimum=0,
            maximum=89,
        ),
        Column("age_over_89", pa.bool_(), "Whether the age is over 89; null where unknown.", nullable=True),
        Column("PatientSize", pa.float64(), "As the study states it.", unit="m", nullable=True, minimum=0),
        Column("PatientWeight", pa.float64(), "As the study states it.", unit="kg", nullable=True, minimum=0),
        Column(
            "StudyDescription", pa.string(), "What de-identification left of it; null where its images differ.", nullable=True
        ),
        Column("modalities", pa.list_(pa.string()), "Modalities of its series, sorted."),
        Column("n_series", pa.int32(), "Series with released instances.", minimum=1),
        Column("n_instances", pa.int32(), "Released instances.", minimum=1),
        Column("n_volumes", pa.int32(), "Volumes and images with voxels as they were acquired.", minimum=0),
        Column("n_resampled", pa.int32(), "Volumes with voxels on another grid.", minimum=0),
        Column("n_quarantined", pa.int32(), "Parts of series that became no volume.", minimum=0),
    ),
    key=("StudyInstanceUID",),
)
