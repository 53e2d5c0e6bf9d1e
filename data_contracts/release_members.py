"""Every volume of the lake at the time of a release: in which split it is, or why it was left out."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

NAME_PATTERN = r"[a-z][a-z0-9_-]{0,39}"
VERSION_PATTERN = r"(?:0|[1-9][0-9]{0,5})\.(?:0|[1-9][0-9]{0,5})\.(?:0|[1-9][0-9]{0,5})"

CONTRACT = Contract(
    name="release_members",
    meaning="One row a release and row of the table `volumes` at its time: the split it is in, or the reason why it was left out.",
    columns=(
        Column("release", pa.string(), "The release's name.", pattern=NAME_PATTERN),
        Column("version", pa.string(), "The release's version.", pattern=VERSION_PATTERN),
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("volume_index", pa.int32(), "Counts the parts of a series from 0.", minimum=0),
        Column("path", pa.string(), "Lake path of the NIfTI file.", nullable=True, pattern=r"volumes/.+\.nii\.gz"),
        Column("sha256", pa.string(), "SHA-256 of the NIfTI file; read again for those included.", nullable=True, pattern="[0-9a-f]{64}"),
        Column("included", pa.bool_(), "Whether the volume is in the release."),
        Column("split", pa.string(), "The split that it is in; null where it was left out.", nullable=True, pattern=r"[a-z][a-z0-9_]{0,39}"),
        Column("reason_code", pa.string(), "Why it was left out; empty where it is included.", pattern=r"|E-[A-Z-]+"),
    ),
    key=("release", "version", "SeriesInstanceUID", "volume_index"),
)  # fmt: skip
