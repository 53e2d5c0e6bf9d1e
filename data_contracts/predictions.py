"""What each model version said of each study, and of which volumes it said nothing, and why."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

_SHA256 = "[0-9a-f]{64}"

CONTRACT = Contract(
    name="predictions",
    meaning=(
        "One row a volume, model version and finding: its score, or why it was not read. A version reads at most one volume of a study; "
        "a study without any volume has rows without a series."
    ),
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The volume's series; null where the study has no volume.", nullable=True, pattern=UID_PATTERN),
        Column("volume_path", pa.string(), "Lake path of the volume.", nullable=True, pattern=r"volumes/.+\.nii\.gz"),
        Column("model_name", pa.string(), "The model."),
        Column("model_version", pa.string(), "Its version."),
        Column("finding", pa.string(), "What the score is about."),
        Column(
            "kind", pa.string(), "What the model gives for it; tables `detections` and `segments` hold the rest.",
            allowed=("classification", "detection", "segmentation"),
        ),
        Column(
            "score", pa.float64(), "Of a detection the highest box's, 0 without one; null where the model did not read, and of segmentations.",
            nullable=True, minimum=0, maximum=1,
        ),
        Column("status", pa.string(), "Whether the model read the volume.", allowed=("read", "not_read")),
        Column("reason_code", pa.string(), "Why not; empty where it did."),
        Column("weights_sha256", pa.string(), "SHA-256 of the weights.", pattern=_SHA256),
        Column("manifest_sha256", pa.string(), "SHA-256 of the model's manifest.", pattern=_SHA256),
        Column("preprocessing_sha256", pa.string(), "SHA-256 of the settings and revision of the way from volume to input.", pattern=_SHA256),
        Column("code_sha256", pa.string(), "SHA-256 of the code that read it and of its packages' versions.", pattern=_SHA256),
        Column("variant", pa.string(), "How the network was run: `reference`, or the faster ways that the site opted for, joined by `+`."),
        Column("device", pa.string(), "Where: `cpu` or `cuda`."),
        Column("input_mean", pa.float64(), "Mean of the input after preprocessing; null where none was made.", nullable=True),
        Column("input_std", pa.float64(), "Standard deviation of the input after preprocessing.", nullable=True, minimum=0),
        Column("input_min", pa.float64(), "Least value of the input.", nullable=True),
        Column("input_max", pa.float64(), "Largest value of the input.", nullable=True),
        Column("input_p01", pa.float64(), "First percentile of the input.", nullable=True),
        Column("input_p50", pa.float64(), "Median of the input.", nullable=True),
        Column("input_p99", pa.float64(), "99th percentile of the input.", nullable=True),
        Column(
            "input_content_share", pa.float64(), "Share of the volume's voxels with the values that the manifest expects (of lung, say).",
            nullable=True, minimum=0, maximum=1,
        ),
    ),
    key=("StudyInstanceUID", "SeriesInstanceUID", "volume_path", "model_name", "model_version", "finding"),
)  # fmt: skip
