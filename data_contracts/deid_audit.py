"""Which rule of de-identification did what to which attribute."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="deid_audit",
    meaning="What de-identification did to which attribute of a study's released instances, under which rule, how often. Never a value.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("profile", pa.string(), "The profile that was applied.", pattern=r"[a-z][a-z0-9_]*"),
        Column("edition", pa.string(), "The edition of PS3.15 Table E.1-1 that was applied.", pattern=r"[a-z0-9_]+"),
        Column("tag", pa.string(), "The attribute's tag.", pattern=r"\([0-9A-F]{4},[0-9A-F]{4}\)"),
        Column("keyword", pa.string(), "The attribute's keyword; empty for private and unknown ones.", pattern=r"[A-Za-z0-9]*"),
        Column("rule", pa.string(), "The rule that decided.", pattern=r"[A-Za-z0-9][A-Za-z0-9 .-]*"),
        Column(
            "action",
            pa.string(),
            "What was done.",
            allowed=("remove", "empty", "dummy", "uid", "patient", "year", "shift", "retain", "keep", "clean", "recurse"),
        ),
        Column("n", pa.int64(), "To how many elements, at all depths, in all released instances.", minimum=1),
    ),
    key=("StudyInstanceUID", "tag", "rule", "action"),
)
