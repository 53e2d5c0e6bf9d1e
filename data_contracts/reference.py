"""The reference standard: what each study truly shows."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="reference",
    meaning="The reference standard: whether a study shows a finding, as the hospital's labels say. Made by `safelight import`.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("finding", pa.string(), "The finding's name, a lower-case word.", pattern=r"[a-z][a-z0-9_]{0,39}"),
        Column("label", pa.int8(), "1 where the finding is present, 0 where it is absent.", minimum=0, maximum=1),
    ),
    key=("StudyInstanceUID", "finding"),
)
