"""Where every study and instance of the night went."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="accountability",
    meaning="Study × stage × outcome: how many units of a study met which end in each stage. The counts balance.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column(
            "stage",
            pa.string(),
            "The stage of the night; `infer:MODEL@VERSION` for a model's reading, `return:MODEL@VERSION` for what was sent of it.",
        ),
        Column("outcome", pa.string(), "What became of the units, in the stage's own word."),
        Column("reason_code", pa.string(), "Why; empty where nothing needs a reason."),
        Column("unit", pa.string(), "What is counted.", allowed=("study", "series", "instance", "volume", "object")),
        Column("n", pa.int64(), "How many.", minimum=0),
    ),
    key=("StudyInstanceUID", "stage", "outcome", "reason_code", "unit"),
)
