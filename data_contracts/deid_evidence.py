"""What was looked at to show that pixels hold no text, and what came of it."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="deid_evidence",
    meaning="Looks at the pixels of a study's originals, for text and faces: by which source, at what, at how many frames, and what came of it.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column(
            "Modality",
            pa.string(),
            "The modality that the series states; `other` where it is none of the standard's.",
            pattern=r"[A-Z]{2,16}|other",
        ),
        Column(
            "source",
            pa.string(),
            "What told of text (the pixels, the catalogue of devices, the ultrasound regions, BurnedInAnnotation) or of a face.",
            allowed=("text", "catalogue", "ultrasound", "declared", "face"),
        ),
        Column(
            "view",
            pa.string(),
            "What was looked at: the header, a frame alone, the first of several, a projection, what sets slices apart, or the volume.",
            allowed=("header", "frame", "first", "maximum", "minimum", "spread", "difference", "volume"),
        ),
        Column("looks", pa.int64(), "How many such looks.", minimum=1),
        Column("frames", pa.int64(), "How many frames they covered in all.", minimum=1),
        Column(
            "boxes",
            pa.int64(),
            "How many places came of them, before frames were looked at one by one; of a face 1.",
            minimum=0,
        ),
    ),
    key=("StudyInstanceUID", "SeriesInstanceUID", "source", "view"),
)
