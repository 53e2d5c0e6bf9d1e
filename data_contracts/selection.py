"""Which series of the planned studies were chosen to be pulled, and by which rule."""

import pyarrow as pa

from data_contracts.contract import UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="selection",
    meaning="One row a series of a planned study, where a selection of series was configured or a person reviewed the plan.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("Modality", pa.string(), "As the PACS lists it, if it is a term of the standard.", nullable=True),
        Column("n_instances", pa.int32(), "Instances, as the PACS counts them.", minimum=0),
        Column("chosen", pa.bool_(), "Whether the series is pulled."),
        Column(
            "rule",
            pa.string(),
            "The rule that decided; `no_rule` where none fits, `reviewed` where a person did.",
            pattern=r"[a-z][a-z0-9_]{0,39}",
        ),
        Column("assumed", pa.string(), "Attributes that the rule asks for and the PACS did not give.", pattern=r"[A-Za-z ]*"),
        Column(
            "reason_code", pa.string(), "Why nothing of the study is pulled; empty where something is.", pattern=r"|E-[A-Z-]+"
        ),
        Column("selection", pa.string(), "The selection's name, or `reviewed`.", pattern=r"[a-z][a-z0-9_]{0,39}"),
        Column(
            "selection_sha256",
            pa.string(),
            "SHA-256 of the selection's file, or of the reviewed plan's.",
            pattern=r"[0-9a-f]{64}",
        ),
    ),
    key=("StudyInstanceUID", "SeriesInstanceUID"),
)
