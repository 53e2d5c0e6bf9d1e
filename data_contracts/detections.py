"""Every box that a model drew."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="detections",
    meaning="One row a box. A volume that was read without a box has none here, and a score of 0 in `predictions`.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The volume's series.", pattern=UID_PATTERN),
        Column("volume_path", pa.string(), "Lake path of the volume.", pattern=r"volumes/.+\.nii\.gz"),
        Column("model_name", pa.string(), "The model."),
        Column("model_version", pa.string(), "Its version."),
        Column("finding", pa.string(), "What the box is around."),
        Column("detection_index", pa.int32(), "Counts the boxes of a finding from 0, the highest score first.", minimum=0),
        Column("score", pa.float64(), "The box's score.", minimum=0, maximum=1),
        Column("voxel_start", pa.list_(pa.int32()), "First voxel (i, j, k) of the volume within the box."),
        Column("voxel_stop", pa.list_(pa.int32()), "First voxel (i, j, k) beyond it."),
        Column("center_lps_mm", pa.list_(pa.float64()), "Its centre in DICOM's patient frame: towards left, posterior, superior.", unit="mm"),
        Column("extent_mm", pa.list_(pa.float64()), "Its edges' lengths along the volume's axes (i, j, k).", unit="mm"),
        Column("SOPInstanceUID", pa.string(), "The image through its centre.", nullable=True, pattern=UID_PATTERN),
        Column("frame_number", pa.int32(), "The frame of it, from 1.", nullable=True, minimum=1),
    ),
    key=("StudyInstanceUID", "volume_path", "model_name", "model_version", "finding", "detection_index"),
)  # fmt: skip
