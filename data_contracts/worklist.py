"""In which order studies should be read, by what the models gave, without saying what that was."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="worklist",
    meaning="One row a worklist and study that was due: its place, and why, or why no model of the list has read it. No finding is named.",
    columns=(
        Column("worklist", pa.string(), "The list's name.", pattern=r"[a-z][a-z0-9_-]{0,39}"),
        Column("rank", pa.int32(), "Its place in the list, from 1.", minimum=1),
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column(
            "status", pa.string(), "Whether the models of the list have read it: all, some, none for good, or not yet.",
            allowed=("read", "partly_read", "not_read", "waiting"),
        ),
        Column(
            "priority", pa.float64(), "Higher is sooner. In a calibrated list the middle of the band's probabilities; otherwise the score on a scale "
            "on which its operating point is 0.5. Null where nothing has a score.", nullable=True, minimum=0, maximum=1,
        ),
        Column("band", pa.string(), "The probability band's name; `not calibrated` where the score has none; null without a score.", nullable=True),
        Column("probability_low", pa.float64(), "The least that the share of positives in this band may be.", nullable=True, minimum=0, maximum=1),
        Column("probability_high", pa.float64(), "The most that it may be.", nullable=True, minimum=0, maximum=1),
        Column("reason_code", pa.string(), "Why a model of the list did not read it; empty where all did, or where it waits."),
    ),
    key=("worklist", "StudyInstanceUID"),
)  # fmt: skip
