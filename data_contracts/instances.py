"""Every released instance."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="instances",
    meaning="One row an instance that was released into the lake, converted or not.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("SOPInstanceUID", pa.string(), "The instance's key in the lake.", pattern=UID_PATTERN),
        Column("SOPClassUID", pa.string(), "What kind of object it is.", nullable=True, pattern=r"[0-9.]{1,64}"),
        Column("TransferSyntaxUID", pa.string(), "How its pixels are encoded.", nullable=True, pattern=r"[0-9.]{1,64}"),
        Column("InstanceNumber", pa.int64(), "As the instance states it.", nullable=True),
        Column("Rows", pa.int32(), "Height of the image.", nullable=True, minimum=0),
        Column("Columns", pa.int32(), "Width of the image.", nullable=True, minimum=0),
        Column("NumberOfFrames", pa.int32(), "Frames of the image.", nullable=True, minimum=0),
        Column("ImagePositionPatient", pa.list_(pa.float64()), "Centre of the first pixel, LPS.", unit="mm", nullable=True),
        Column("ImageOrientationPatient", pa.list_(pa.float64()), "Cosines of the row and of the column, LPS.", nullable=True),
        Column("PixelSpacing", pa.list_(pa.float64()), "Distance of rows, and of columns.", unit="mm", nullable=True),
        *(
            Column(name, pa.string(), f"{meaning}; null where its frames differ.", nullable=True)
            for name, meaning in (
                ("ImageType", "Values joined by a backslash"), ("ConvolutionKernel", "Reconstruction kernel"),
                ("ContrastBolusAgent", "Contrast agent"), ("ViewPosition", "Of a projection"),
                ("ImageLaterality", "Of a projection"), ("PatientOrientation", "Values joined by a backslash"),
            )
        ),
        *(
            Column(name, pa.float64(), f"{meaning}; null where its frames differ.", unit=unit, nullable=True)
            for name, unit, meaning in (
                ("SliceThickness", "mm", "As it states it"), ("KVP", "kV", "Tube voltage"), ("XRayTubeCurrent", "mA", "Tube current"),
                ("ExposureTime", "ms", "Of the exposure"), ("Exposure", "mA.s", "As it states it"), ("CTDIvol", "mGy", "Dose index"),
                ("EchoTime", "ms", "As it states it"), ("RepetitionTime", "ms", "As it states it"),
                ("InversionTime", "ms", "As it states it"), ("FlipAngle", "deg", "As it states it"),
                ("DiffusionBValue", "s/mm2", "Of the standard or of a vendor's private element"),
                ("ActualFrameDuration", "ms", "As it states it"),
            )
        ),
        Column("path", pa.string(), "Lake path of the file; null where it was read from a plain folder.", nullable=True),
        Column(
            "status", pa.string(), "Whether its frames are part of a volume: all, some, none, or copies of frames that are.",
            allowed=("converted", "partly", "quarantined", "duplicate"),
        ),
        Column("reason_code", pa.string(), "Why a frame is not; empty where all are."),
        Column("n_frames_converted", pa.int32(), "Frames that are part of a volume.", minimum=0),
        Column(
            "volume_index", pa.int32(), "The part of its series that its first frame went to; null where it was held back as a whole.",
            nullable=True, minimum=0,
        ),
        Column("slice_index", pa.int32(), "The first frame's place on the volume's third axis.", nullable=True, minimum=0),
        Column("fourth_index", pa.int32(), "The first frame's place on the volume's fourth axis.", nullable=True, minimum=0),
    ),
    key=("SOPInstanceUID",),
)  # fmt: skip
