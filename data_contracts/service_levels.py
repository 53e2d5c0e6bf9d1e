"""Whether results came as soon as they were needed."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="service_levels",
    meaning="One row a study, model and finding that has a service level. Durations only: no time of day or date is in the lake.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("model_name", pa.string(), "The model."),
        Column("model_version", pa.string(), "Its present version; a result of an earlier one counts too."),
        Column("finding", pa.string(), "What the result is about."),
        Column("target", pa.string(), "The service level: `15 min`, or `by 07:00`.", pattern=r"[0-9]+ min|by [0-2][0-9]:[0-5][0-9]"),
        Column(
            "target_minutes", pa.float64(), "From the study being complete to when the result is late; null for an hour.",
            unit="min", nullable=True, minimum=1,
        ),
        Column("minutes", pa.float64(), "From the study being complete to its first result; null without one.", unit="min", nullable=True, minimum=0),
        Column("reached", pa.bool_(), "Whether the result came in time; null where there is none, or none was owed.", nullable=True),
        Column(
            "state", pa.string(), "`pending`: there is still time; `overdue`: there is none left; `not_read`: the model will not read it, by the "
            "reason; `backfill`: it was complete before the model began to read.",
            allowed=("reached", "missed", "pending", "overdue", "not_read", "backfill"),
        ),
        Column("reason_code", pa.string(), "Why it was not read, or what failed; empty otherwise."),
    ),
    key=("StudyInstanceUID", "model_name", "finding"),
)  # fmt: skip
