"""Every series' volume, or why there is none."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="volumes",
    meaning="One row a volume that a series became, or one row for a series that was refused, with the reason. No series is without a row.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("volume_index", pa.int32(), "Counts the volumes of a series from 0.", minimum=0),
        Column("status", pa.string(), "What became of the series.", allowed=("converted", "refused")),
        Column("reason_code", pa.string(), "Why it was refused; empty where it was converted."),
        Column("path", pa.string(), "Lake path of the NIfTI file.", nullable=True, pattern=r"volumes/.+\.nii\.gz"),
        Column("sha256", pa.string(), "SHA-256 of the NIfTI file.", nullable=True, pattern="[0-9a-f]{64}"),
        Column("Modality", pa.string(), "As the series states it.", nullable=True),
        Column("BodyPartExamined", pa.string(), "As the series states it.", nullable=True),
        Column("Manufacturer", pa.string(), "As the series states it.", nullable=True),
        Column("ManufacturerModelName", pa.string(), "As the series states it.", nullable=True),
        Column("ConvolutionKernel", pa.string(), "As the series states it.", nullable=True),
        Column("KVP", pa.float64(), "Tube voltage.", unit="kV", nullable=True),
        Column("SliceThickness", pa.float64(), "As the series states it.", unit="mm", nullable=True, minimum=0),
        Column("n_instances", pa.int32(), "Instances of the series.", minimum=1),
        Column("n_columns", pa.int32(), "Voxels along the first array axis (DICOM columns).", nullable=True, minimum=1),
        Column("n_rows", pa.int32(), "Voxels along the second array axis (DICOM rows).", nullable=True, minimum=1),
        Column("n_slices", pa.int32(), "Voxels along the third array axis (slices).", nullable=True, minimum=1),
        Column("column_spacing_mm", pa.float64(), "Distance of neighbours along the first axis.", unit="mm", nullable=True, minimum=0),
        Column("row_spacing_mm", pa.float64(), "Distance of neighbours along the second axis.", unit="mm", nullable=True, minimum=0),
        Column("slice_spacing_mm", pa.float64(), "Distance of neighbours along the third axis.", unit="mm", nullable=True, minimum=0),
        Column("affine", pa.list_(pa.float64()), "Row-major 4×4: voxel (column, row, slice) → RAS millimetres.", nullable=True),
        Column(
            "max_position_error_mm", pa.float64(),
            "The certificate: largest distance, over all slices and corners, between the affine and what DICOM says.",
            unit="mm", nullable=True, minimum=0, maximum=0.1,
        ),
        Column("dtype", pa.string(), "Type of the stored voxels.", nullable=True, allowed=("int16", "int32", "float32")),
        Column("units", pa.string(), "What a voxel's value means.", nullable=True, allowed=("HU", "unspecified")),
        Column("lossy", pa.bool_(), "Whether the pixels had been compressed with loss.", nullable=True),
        Column("padding_range", pa.list_(pa.float64()), "Lowest and highest voxel value that marks pixels outside of the image.", nullable=True),
        Column("single_orientation", pa.bool_(), "Whether all slices have one orientation.", nullable=True),
        Column("consistent_image_dimensions", pa.bool_(), "Whether all slices have one matrix.", nullable=True),
        Column("consistent_pixel_spacing", pa.bool_(), "Whether all slices have one pixel spacing.", nullable=True),
        Column("unique_slice_positions", pa.bool_(), "Whether no two slices stand at one position along the normal.", nullable=True),
        Column("uniform_slice_spacing", pa.bool_(), "Whether neighbouring slices are equally far apart.", nullable=True),
        Column("regularly_spaced_3d_volume", pa.bool_(), "Whether one affine describes all slices within 0.1 mm.", nullable=True),
        Column("source_instances", pa.list_(pa.string()), "SOPInstanceUIDs of the series, in slice order where it was converted."),
    ),
    key=("SeriesInstanceUID", "volume_index"),
)  # fmt: skip
