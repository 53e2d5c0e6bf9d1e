"""IDC's index tables as views of ours, under IDC's names, so that a query that was written for IDC runs on the lake unchanged.

Names and meanings are those of the schemas that `idc-index-data` 25.0 carries. Left out are the columns that a hospital's lake cannot have:
collections, licences, versions and addresses of IDC, and what de-identification removes (the injection's time; of a date only the year is
left). Where images differ, IDC takes one at random; here the value is null.
"""

from __future__ import annotations

_CT, _MR, _PT = (f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "128"))


def _values(name: str) -> str:
    """Values that are joined by a backslash in our tables, as a list."""
    return f"string_split({name}, '\\') AS {name}"


def _series(columns: str, where: str) -> str:
    return " ".join(("SELECT SeriesInstanceUID,", columns, "FROM series WHERE", where))


_IMAGE = "PixelSpacing_row_mm, PixelSpacing_col_mm, Rows, Columns, SliceThickness"
_GEOMETRY = (
    "single_orientation, orthogonal_orientation, unique_slice_positions, consistent_in_plane_row, consistent_in_plane_col, "
    "consistent_pixel_spacing, consistent_image_dimensions, uniform_slice_spacing, obliquity_degrees, regularly_spaced_3d_volume, "
    "origin_patient, ImageOrientationPatient, slice_spacing_mm"
)
#: A series has a CT, MR or PET image.
_IN_SPACE = "coalesce(consistent_image_dimensions, consistent_pixel_spacing, single_orientation) IS NOT NULL"
_INDEX = """
SELECT s.PatientID, s.SeriesInstanceUID, s.StudyInstanceUID,
  CASE WHEN t.age_over_89 THEN '090Y' ELSE lpad(CAST(t.age_years AS VARCHAR), 3, '0') || 'Y' END AS PatientAge,
  t.PatientSex, CAST(t.study_year AS VARCHAR) AS StudyDate, t.StudyDescription, s.BodyPartExamined, s.Modality, s.SOPClassUID,
  s.sop_class_name, replace(s.TransferSyntaxUID, '\\', ',') AS TransferSyntaxUID,
  replace(s.transfer_syntax_name, '\\', ',') AS transfer_syntax_name, s.PhotometricInterpretation,
  CASE s.PixelRepresentation WHEN 'unsigned' THEN '0' WHEN 'signed' THEN '1' END AS PixelRepresentation,
  s.Manufacturer, s.ManufacturerModelName, CAST(t.study_year AS VARCHAR) AS SeriesDate, s.SeriesDescription,
  CAST(s.SeriesNumber AS VARCHAR) AS SeriesNumber, s.n_instances AS instanceCount, s.series_size_MB
FROM series s LEFT JOIN studies t ON s.StudyInstanceUID = t.StudyInstanceUID
"""

#: Name → the query that it stands for. `index` is what IDC's own client calls `idc_index`.
VIEWS: dict[str, str] = {
    "idc_index": _INDEX,
    "index": _INDEX,
    "volume_geometry_index": _series(_GEOMETRY, _IN_SPACE),
    "ct_index": _series(
        f"""{_values("ImageType")}, {_IMAGE}, KVP, {_values("ScanOptions")}, {_values("ConvolutionKernel")}, GantryDetectorTilt,
  XRayTubeCurrent_min, XRayTubeCurrent_max, FilterType, Exposure_min, Exposure_max, ExposureTime_min, ExposureTime_max,
  DataCollectionDiameter, ReconstructionDiameter, SpiralPitchFactor""",
        f"SOPClassUID = '{_CT}'",
    ),
    "mr_index": _series(
        f"""MagneticFieldStrength, {_values("ScanningSequence")}, {_values("SequenceVariant")}, MRAcquisitionType, EchoTime,
  RepetitionTime, EchoTrainLength, FlipAngle, PixelBandwidth, ImagingFrequency, ImagedNucleus, {_IMAGE}, InversionTime, ReceiveCoilName,
  SequenceName, DiffusionBValue, NumberOfTemporalPositions""",
        f"SOPClassUID = '{_MR}'",
    ),
    "pt_index": _series(
        f"""replace(SeriesType, '\\', '/') AS SeriesType, Units, DecayCorrection, {_values("CorrectedImage")},
  RandomsCorrectionMethod, ReconstructionMethod, ActualFrameDuration, ScatterCorrectionMethod, AttenuationCorrectionMethod,
  RadionuclideCodeMeaning, RadionuclideTotalDose, Radiopharmaceutical, {_IMAGE}, NumberOfSlices, NumberOfTimeSlices""",
        f"SOPClassUID = '{_PT}'",
    ),
    "contrast_index": """
SELECT SeriesInstanceUID, ContrastBolusAgent, ContrastBolusIngredient, ContrastBolusRoute FROM series
WHERE ContrastBolusAgent IS NOT NULL OR ContrastBolusIngredient IS NOT NULL OR ContrastBolusRoute IS NOT NULL""",
}
