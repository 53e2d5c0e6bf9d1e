"""Every structure that a model outlined."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="segments",
    meaning="One row a finding that was segmented in a volume, also where no voxel is of it. The label map is a file on the volume's own grid.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The volume's series.", pattern=UID_PATTERN),
        Column("volume_path", pa.string(), "Lake path of the volume.", pattern=r"volumes/.+\.nii\.gz"),
        Column("model_name", pa.string(), "The model."),
        Column("model_version", pa.string(), "Its version."),
        Column("finding", pa.string(), "What was outlined."),
        Column("label", pa.int32(), "Its value in the label map; 0 is background.", minimum=1, maximum=255),
        Column("path", pa.string(), "Lake path of the label map: uint8, of the volume's shape and affine.", pattern=r"segmentations/.+\.nii\.gz"),
        Column("sha256", pa.string(), "SHA-256 of that file.", pattern="[0-9a-f]{64}"),
        Column("n_voxels", pa.int64(), "Voxels of the volume with this label.", minimum=0),
        Column("volume_ml", pa.float64(), "Their volume.", unit="ml", minimum=0),
        Column(
            "center_lps_mm", pa.list_(pa.float64()), "Their centroid in DICOM's patient frame (left, posterior, superior); null without a voxel.",
            unit="mm", nullable=True,
        ),
    ),
    key=("StudyInstanceUID", "volume_path", "model_name", "model_version", "finding"),
)  # fmt: skip
