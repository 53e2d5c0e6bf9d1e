"""Every series with a released instance: how it was acquired, how its images lie, and what became of it."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

_UID = r"[0-9.]{1,64}"


def _text(name: str, meaning: str, *, allowed: tuple[str, ...] | None = None, pattern: str | None = None) -> Column:
    return Column(name, pa.string(), meaning, nullable=True, allowed=allowed, pattern=pattern)


def _real(name: str, unit: str, meaning: str, minimum: float | None = None) -> Column:
    return Column(name, pa.float64(), meaning, unit=unit, nullable=True, minimum=minimum)


def _size(name: str, unit: str, meaning: str) -> Column:
    return _real(name, unit, meaning, 0)


def _whole(name: str, meaning: str) -> Column:
    return Column(name, pa.int32(), meaning, nullable=True, minimum=0)


def _list(name: str, unit: str, meaning: str) -> Column:
    return Column(name, pa.list_(pa.float64()), meaning, unit=unit, nullable=True)


def _texts(name: str, meaning: str) -> Column:
    return Column(name, pa.list_(pa.string()), meaning, nullable=True)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, pa.bool_(), meaning, nullable=True)


_KEYS = (
    Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
    Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
    Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
)
_GENERAL = (
    _text("Modality", "As its images state it."),
    Column("SeriesNumber", pa.int32(), "As its images state it.", nullable=True),
    _text("SeriesDescription", "What de-identification left of it."),
    _text("ProtocolName", "What de-identification left of it."),
    _text("BodyPartExamined", "As its images state it."),
    _text("Laterality", "Side of a paired part of the body."),
    _text("PatientPosition", "How the patient lay: HFS, FFS …"),
    _text("Manufacturer", "As its images state it."),
    _text("ManufacturerModelName", "As its images state it."),
    _text("SoftwareVersions", "Of the equipment, where de-identification keeps it."),
    _text("SOPClassUID", "What kind of object its instances are.", pattern=_UID),
    _text("sop_class_name", "What PS3.6 calls that."),
    _text("TransferSyntaxUID", "How its files are encoded; several are joined by a backslash."),
    _text("transfer_syntax_name", "What PS3.6 calls that; several are joined by a backslash."),
    _text("FrameOfReferenceUID", "Series that share it share their space.", pattern=UID_PATTERN),
    _text("ImageType", "Image type or frame type, values joined by a backslash."),
    _text("PhotometricInterpretation", "As its images state it."),
    _text("PixelRepresentation", "Signedness of the stored values.", allowed=("unsigned", "signed")),
    _whole("BitsStored", "Bits of a stored value."),
    _whole("Rows", "Height of an image."),
    _whole("Columns", "Width of an image."),
    _size("PixelSpacing_row_mm", "mm", "Distance of rows: PixelSpacing's first value."),
    _size("PixelSpacing_col_mm", "mm", "Distance of columns: PixelSpacing's second value."),
    _size("SliceThickness", "mm", "As stated; not the distance of slices, which is `slice_spacing_mm`."),
    _real("SpacingBetweenSlices", "mm", "As stated; negative in some nuclear medicine."),
    _texts("ContrastBolusAgent", "Every contrast agent that its images name."),
    _texts("ContrastBolusIngredient", "Every active ingredient of these."),
    _texts("ContrastBolusRoute", "Every route by which these were given."),
)
_CT = (
    _real("KVP", "kV", "Tube voltage; of every kind of X-ray image."),
    _text("ConvolutionKernel", "Reconstruction kernel; several values are joined by a backslash."),
    _text("FilterType", "Filter in the beam."),
    _text("ScanOptions", "Values joined by a backslash."),
    _real("GantryDetectorTilt", "deg", "Nominal tilt of the gantry."),
    _size("XRayTubeCurrent_min", "mA", "Lowest tube current of its images."),
    _size("XRayTubeCurrent_max", "mA", "Highest tube current of its images."),
    _size("Exposure_min", "mA.s", "Lowest exposure of its images."),
    _size("Exposure_max", "mA.s", "Highest exposure of its images."),
    _size("ExposureTime_min", "ms", "Shortest exposure of its images."),
    _size("ExposureTime_max", "ms", "Longest exposure of its images."),
    _size("CTDIvol_min", "mGy", "Lowest volume CT dose index of its images."),
    _size("CTDIvol_max", "mGy", "Highest volume CT dose index of its images."),
    _size("DataCollectionDiameter", "mm", "Region over which data were collected."),
    _size("ReconstructionDiameter", "mm", "Field of view of the reconstruction."),
    _real("SpiralPitchFactor", "1", "Table feed a rotation over the collimation."),
    _size("RevolutionTime", "s", "Of one rotation."),
    _size("SingleCollimationWidth", "mm", "Of one row of detectors."),
    _size("TotalCollimationWidth", "mm", "Of all rows of detectors."),
    _text("ExposureModulationType", "Kind of automatic tube current control."),
)
_MR = (
    _size("MagneticFieldStrength", "T", "Of the magnet."),
    _text("MRAcquisitionType", "2D or 3D."),
    _text("ScanningSequence", "Values joined by a backslash; the echo pulse sequence of enhanced objects."),
    _text("SequenceVariant", "Values joined by a backslash."),
    _text("SequenceName", "The manufacturer's name; the pulse sequence name of enhanced objects."),
    _list("EchoTime", "ms", "Every echo time of its images, sorted; the effective one of enhanced objects."),
    _size("RepetitionTime", "ms", "As its images state it."),
    _real("InversionTime", "ms", "As its images state it."),
    _real("FlipAngle", "deg", "As its images state it."),
    _whole("EchoTrainLength", "Echoes an excitation."),
    _size("PixelBandwidth", "Hz", "Receiver bandwidth of a pixel."),
    _size("NumberOfAverages", "1", "How often each line was measured."),
    _size("ImagingFrequency", "MHz", "Precession frequency; the transmitter's of enhanced objects."),
    _text("ImagedNucleus", "As its images state it; the resonant nucleus of enhanced objects."),
    _text("InPlanePhaseEncodingDirection", "ROW, COL or COLUMN, OTHER."),
    _text("ReceiveCoilName", "As its images state it."),
    _list(
        "DiffusionBValue",
        "s/mm2",
        "Every b-value of its images, sorted; of vendors' private elements where the standard's is not there.",
    ),
    _whole("NumberOfTemporalPositions", "Points of time."),
)
_PET = (
    _text("SeriesType", "Values joined by a backslash."),
    _text("Units", "Of the values: BQML, CNTS, GML …"),
    _text("SUVType", "Of values in GML: BW where it is null."),
    _text("CountsSource", "EMISSION or TRANSMISSION."),
    _text("CorrectedImage", "Corrections that were made, joined by a backslash."),
    _text("DecayCorrection", "Moment that decay is corrected to: NONE, START, ADMIN."),
    _text("RandomsCorrectionMethod", "As its images state it."),
    _text("AttenuationCorrectionMethod", "As its images state it."),
    _text("ScatterCorrectionMethod", "As its images state it."),
    _text("ReconstructionMethod", "As its images state it."),
    _list("ActualFrameDuration", "ms", "Every duration of its images' acquisition, sorted."),
    _text("Radiopharmaceutical", "Of the one that was given; null where there are several."),
    _text("RadionuclideCodeMeaning", "Of the one that was given."),
    _size("RadionuclideTotalDose", "Bq", "Of PET Image Storage alone: other objects do not agree in the unit."),
    _size("RadionuclideHalfLife", "s", "Of the one that was given."),
    _size("RadionuclidePositronFraction", "1", "Share of decays that emit a positron."),
    _whole("NumberOfSlices", "Slices of the series, as stated."),
    _whole("NumberOfTimeSlices", "Points of time, as stated."),
)
_PROJECTIONS = (
    _text("ViewPosition", "AP, PA, CC, MLO …"),
    _text("ImageLaterality", "R, L, U or B."),
    _text("PatientOrientation", "Directions of rows and of columns, joined by a backslash."),
    _text("PresentationIntentType", "FOR PRESENTATION or FOR PROCESSING."),
    _text("DetectorType", "DIRECT, SCINTILLATOR, STORAGE, FILM."),
    _size("ImagerPixelSpacing_row_mm", "mm", "Distance of rows at the detector."),
    _size("ImagerPixelSpacing_col_mm", "mm", "Distance of columns at the detector."),
    _size("DistanceSourceToDetector", "mm", "As its images state it."),
    _size("DistanceSourceToPatient", "mm", "As its images state it."),
    _size("EstimatedRadiographicMagnificationFactor", "1", "As its images state it."),
    _text("Grid", "Values joined by a backslash."),
    _text("AnodeTargetMaterial", "As its images state it."),
    _text("FilterMaterial", "Values joined by a backslash."),
    _size("BodyPartThickness", "mm", "Under compression."),
    _size("CompressionForce", "N", "As its images state it."),
    _text("BreastImplantPresent", "YES or NO."),
    _real("PositionerPrimaryAngle", "deg", "As its images state it."),
    _real("PositionerSecondaryAngle", "deg", "As its images state it."),
)
_PLACEMENT = (
    _flag("single_orientation", "Whether all its CT, MR or PET images state one orientation."),
    _flag("orthogonal_orientation", "Whether the normals of their planes are of length one, within 0.01."),
    _flag("unique_slice_positions", "Whether no two of them stand at one position along the normal."),
    _flag("consistent_in_plane_row", "Whether they are aligned along the rows, within 0.1 mm."),
    _flag("consistent_in_plane_col", "Whether they are aligned along the columns, within 0.1 mm; a tilted gantry's are not."),
    _flag("consistent_pixel_spacing", "Whether they state one pixel spacing."),
    _flag("consistent_image_dimensions", "Whether they have one matrix."),
    _flag(
        "uniform_slice_spacing", "Whether neighbours are equally far apart, within 1 % of the spacing; null where there is one."
    ),
    _size("obliquity_degrees", "deg", "Angle of the normal to the nearest axis of the patient."),
    _flag("regularly_spaced_3d_volume", "Whether all eight flags hold; null where one is null and none is false."),
    Column(
        "origin_patient", pa.list_(pa.float64()), "LPS position of the first slice of a regular volume.", unit="mm", nullable=True
    ),
    Column(
        "ImageOrientationPatient", pa.list_(pa.float64()), "Cosines of row and column, LPS, of a regular volume.", nullable=True
    ),
    _size("slice_spacing_mm", "mm", "Distance of slices of a regular volume."),
)
_ENDS = (
    Column("n_instances", pa.int32(), "Released instances.", minimum=1),
    Column("n_frames", pa.int32(), "Frames of these.", minimum=1),
    Column("series_size_MB", pa.float64(), "Length of its files, in 10⁶ bytes.", unit="MB", minimum=0),
    Column("n_volumes", pa.int32(), "Volumes and images with voxels as they were acquired.", minimum=0),
    Column("n_resampled", pa.int32(), "Volumes with voxels on another grid.", minimum=0),
    Column("n_quarantined", pa.int32(), "Parts that became no volume.", minimum=0),
    Column("reason_codes", pa.list_(pa.string()), "Why parts were quarantined or resampled, sorted."),
    Column("mixed", pa.list_(pa.string()), "Columns that are null because its images differ in them, sorted; `instances` has their values."),
)  # fmt: skip

CONTRACT = Contract(
    name="series",
    meaning=(
        "One row a series with at least one released instance: acquisition, placement in space, and what became of it. Names are those of IDC's "
        "index tables where these have the column. No value is one image's alone: where images differ it is null, and named in `mixed`."
    ),
    columns=(*_KEYS, *_GENERAL, *_CT, *_MR, *_PET, *_PROJECTIONS, *_PLACEMENT, *_ENDS),
    key=("SeriesInstanceUID",),
)
