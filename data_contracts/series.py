"""Every series with a released instance."""

import pyarrow as pa

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN, Column, Contract

CONTRACT = Contract(
    name="series",
    meaning="One row a series with at least one released instance.",
    columns=(
        Column("StudyInstanceUID", pa.string(), "The study's key in the lake.", pattern=UID_PATTERN),
        Column("PatientID", pa.string(), "The patient's key in the lake.", pattern=PATIENT_PATTERN),
        Column("SeriesInstanceUID", pa.string(), "The series' key in the lake.", pattern=UID_PATTERN),
        Column("Modality", pa.string(), "As the series states it.", nullable=True),
        Column("BodyPartExamined", pa.string(), "As the series states it.", nullable=True),
        Column("Manufacturer", pa.string(), "As the series states it.", nullable=True),
        Column("ManufacturerModelName", pa.string(), "As the series states it.", nullable=True),
        Column("ConvolutionKernel", pa.string(), "As the series states it.", nullable=True),
        Column("KVP", pa.float64(), "Tube voltage.", unit="kV", nullable=True),
        Column("SliceThickness", pa.float64(), "As the series states it.", unit="mm", nullable=True, minimum=0),
        Column("n_instances", pa.int32(), "Released instances.", minimum=1),
        Column("n_volumes", pa.int32(), "Volumes made of it.", minimum=0),
    ),
    key=("SeriesInstanceUID",),
)
