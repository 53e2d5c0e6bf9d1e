"""Every volume or image that a series became, and every part of a series that became none, with the reason."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="volumes",
    meaning=(
        "One row a volume or image that a series became, and one row a part of a series that was quarantined, with the reason. "
        "No series and no frame is without a row."
    ),
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("volume_index", pa.int32(), "Counts the parts of a series from 0.", minimum=0),
        Column(
            "status", pa.string(), "What became of this part of the series: voxels as they were acquired, voxels on another grid, or none.",
            allowed=("converted", "resampled", "quarantined"),
        ),
        Column("reason_code", pa.string(), "Why it was quarantined or resampled; empty where it was converted."),
        Column(
            "kind", pa.string(), "A stack in space, several of them at one place, a single image or several of a projection; null where unknown.",
            nullable=True, allowed=("3d", "4d", "2d"),
        ),
        Column("path", pa.string(), "Lake path of the NIfTI file.", nullable=True, pattern=r"volumes/.+\.nii\.gz"),
        Column("sha256", pa.string(), "SHA-256 of the NIfTI file.", nullable=True, pattern="[0-9a-f]{64}"),
        Column(
            "preview_path", pa.string(), "Lake path of its picture: three middle planes, or the image.",
            nullable=True, pattern=r"previews/.+\.webp",
        ),
        Column("Modality", pa.string(), "As the series states it.", nullable=True),
        Column("BodyPartExamined", pa.string(), "As the series states it.", nullable=True),
        Column("Manufacturer", pa.string(), "As the series states it.", nullable=True),
        Column("ManufacturerModelName", pa.string(), "As the series states it.", nullable=True),
        Column("ImageType", pa.string(), "Image type or frame type of its frames, values joined by a backslash.", nullable=True),
        Column("ConvolutionKernel", pa.string(), "As its frames state it.", nullable=True),
        Column("KVP", pa.float64(), "Tube voltage.", unit="kV", nullable=True),
        Column("SliceThickness", pa.float64(), "As its frames state it.", unit="mm", nullable=True, minimum=0),
        Column("EchoTime", pa.float64(), "As its frames state it.", unit="ms", nullable=True),
        Column("DiffusionBValue", pa.float64(), "As its frames state it.", unit="s/mm2", nullable=True),
        Column("split_by", pa.list_(pa.string()), "By what it was told from the other parts of its series, as DICOM keywords."),
        Column("fourth_axis", pa.string(), "What runs along the fourth axis, as a DICOM keyword.", nullable=True),
        Column("fourth_axis_values", pa.list_(pa.float64()), "Its values, in the order of the fourth axis.", nullable=True),
        Column("n_instances", pa.int32(), "Instances that this part is of.", minimum=1),
        Column("n_frames", pa.int32(), "Frames of this part, duplicates among them.", minimum=1),
        Column("n_duplicates", pa.int32(), "Frames left out because another has the same position and the same pixels.", minimum=0),
        Column("n_columns", pa.int32(), "Voxels along the first array axis (DICOM columns).", nullable=True, minimum=1),
        Column("n_rows", pa.int32(), "Voxels along the second array axis (DICOM rows).", nullable=True, minimum=1),
        Column("n_slices", pa.int32(), "Voxels along the third array axis (slices).", nullable=True, minimum=1),
        Column("n_volumes", pa.int32(), "Voxels along the fourth array axis; 1 where there is none.", nullable=True, minimum=1),
        Column(
            "column_spacing_mm", pa.float64(), "Distance of neighbours along the first axis.",
            unit="mm", nullable=True, minimum=0,
        ),
        Column(
            "row_spacing_mm", pa.float64(), "Distance of neighbours along the second axis.",
            unit="mm", nullable=True, minimum=0,
        ),
        Column(
            "slice_spacing_mm", pa.float64(), "Distance of neighbours along the third axis.",
            unit="mm", nullable=True, minimum=0,
        ),
        Column(
            "spacing_source", pa.string(), "Where the spacing within an image is from; null where none is known.",
            nullable=True, allowed=("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SequenceOfUltrasoundRegions"),
        ),
        Column(
            "affine", pa.list_(pa.float64()), "Row-major 4×4: voxel (column, row, slice) → RAS millimetres; null for projections.",
            nullable=True,
        ),
        Column(
            "max_position_error_mm", pa.float64(),
            "The certificate: largest distance, over all slices and corners, between the affine and what DICOM says; null for resampled grids.",
            unit="mm", nullable=True, minimum=0, maximum=0.1,
        ),
        Column("is_sheared", pa.bool_(), "Whether the slice axis leans from the normal, as by gantry tilt.", nullable=True),
        Column("shear_deg", pa.float64(), "By how much it leans.", unit="deg", nullable=True, minimum=0, maximum=90),
        Column(
            "resampled_from", pa.int32(), "`volume_index` of the archive form that these voxels were computed from.",
            nullable=True, minimum=0,
        ),
        Column(
            "missing_positions_mm", pa.list_(pa.float64()), "Positions along the normal at which a slice is missing.",
            nullable=True,
        ),
        Column(
            "dtype", pa.string(), "Type of the stored voxels.", nullable=True,
            allowed=("uint8", "int16", "uint16", "int32", "float32", "rgb24"),
        ),
        Column(
            "scl_slope", pa.float64(), "A voxel's value is stored × scl_slope + scl_inter; readers of NIfTI apply it.",
            nullable=True,
        ),
        Column("scl_inter", pa.float64(), "See `scl_slope`.", nullable=True),
        Column(
            "exact", pa.bool_(), "Whether every value is exactly what DICOM says; false where it is rounded to float32, or resampled.",
            nullable=True,
        ),
        Column(
            "units", pa.string(), "What a voxel's value means: HU, a PET unit (PS3.3 C.8.9.1.1.3), or unspecified.",
            nullable=True,
        ),
        Column("RescaleType", pa.string(), "As its frames state it.", nullable=True),
        Column(
            "PhotometricInterpretation", pa.string(), "As its frames state it; MONOCHROME1 values are kept as stored, not inverted.",
            nullable=True,
        ),
        Column(
            "PixelRepresentation", pa.string(), "Signedness of what was stored.",
            nullable=True, allowed=("unsigned", "signed", "mixed"),
        ),
        Column("BitsStored", pa.int32(), "Bits of what was stored; the most of its frames.", nullable=True, minimum=1),
        Column(
            "high_bits_masked", pa.bool_(), "Whether bits outside of the value, such as an overlay's, stood in the pixels and were left out.",
            nullable=True,
        ),
        Column("lossy", pa.bool_(), "Whether the pixels had been compressed with loss.", nullable=True),
        Column("LossyImageCompressionRatio", pa.float64(), "As stated; the largest of its frames.", nullable=True),
        Column("LossyImageCompressionMethod", pa.string(), "As stated.", nullable=True),
        Column("TransferSyntaxUID", pa.string(), "Of its files; several are joined by a backslash.", nullable=True),
        Column(
            "padding_range", pa.list_(pa.float64()), "Lowest and highest voxel value that marks pixels outside of the image.",
            nullable=True,
        ),
        Column("value_min", pa.float64(), "Lowest value.", nullable=True),
        Column("value_max", pa.float64(), "Highest value.", nullable=True),
        Column(
            "suv_bw_factor", pa.float64(), "Times this, a value is a standardised uptake by body weight, in g/ml.",
            nullable=True,
        ),
        Column(
            "suv_reason", pa.string(), "Which input the factor lacks, as a DICOM keyword; empty where there is one; null where it is no PET.",
            nullable=True,
        ),
        Column("single_orientation", pa.bool_(), "Whether all slices have one orientation.", nullable=True),
        Column("consistent_image_dimensions", pa.bool_(), "Whether all slices have one matrix.", nullable=True),
        Column("consistent_pixel_spacing", pa.bool_(), "Whether all slices have one pixel spacing.", nullable=True),
        Column(
            "unique_slice_positions", pa.bool_(), "Whether no two slices stand at one position along the normal.",
            nullable=True,
        ),
        Column("uniform_slice_spacing", pa.bool_(), "Whether neighbouring slices are equally far apart.", nullable=True),
        Column(
            "regularly_spaced_3d_volume", pa.bool_(), "Whether one affine without shear describes all slices within 0.1 mm.",
            nullable=True,
        ),
        Column("source_instances", pa.list_(pa.string()), "SOPInstanceUIDs: of each slice in order where there are voxels, else of all."),
        Column("source_frames", pa.list_(pa.int32()), "Frame numbers from 1, beside `source_instances`."),
    ),
    key=("SeriesInstanceUID", "volume_index"),
)  # fmt: skip
