"""Rows of the tables `instances`, `series`, `studies` and `volumes`, from de-identified headers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.volumes.headers import integer, number, numbers, positive, word
from tasks.volumes.series import Series

Row = dict[str, Any]


def _keys(header: Any) -> Row:
    return {"StudyInstanceUID": str(header.StudyInstanceUID), "PatientID": str(header.PatientID)}


def instance_rows(series: Series) -> list[Row]:
    """One row an instance."""
    return [
        _keys(instance.header)
        | {
            "SeriesInstanceUID": str(instance.header.SeriesInstanceUID),
            "SOPInstanceUID": instance.key,
            "SOPClassUID": str(instance.header.SOPClassUID),
            "TransferSyntaxUID": word(instance.header.file_meta, "TransferSyntaxUID"),
            "InstanceNumber": integer(instance.header, "InstanceNumber"),
            "Rows": integer(instance.header, "Rows"),
            "Columns": integer(instance.header, "Columns"),
            "NumberOfFrames": integer(instance.header, "NumberOfFrames"),
            "ImagePositionPatient": numbers(instance.header, "ImagePositionPatient"),
            "ImageOrientationPatient": numbers(instance.header, "ImageOrientationPatient"),
            "PixelSpacing": numbers(instance.header, "PixelSpacing"),
            "path": instance.lake_path,
            "status": "converted" if series.converted else "refused",
            "reason_code": series.reason_code,
            "slice_index": place if series.converted else None,
        }
        for place, instance in enumerate(series.instances)
    ]


def _acquisition(header: Any) -> Row:
    return {
        "SeriesInstanceUID": str(header.SeriesInstanceUID),
        "Modality": word(header, "Modality"),
        "BodyPartExamined": word(header, "BodyPartExamined"),
        "Manufacturer": word(header, "Manufacturer"),
        "ManufacturerModelName": word(header, "ManufacturerModelName"),
        "ConvolutionKernel": word(header, "ConvolutionKernel"),
        "KVP": number(header, "KVP"),
        "SliceThickness": positive(header, "SliceThickness"),
    }


def series_row(series: Series) -> Row:
    """The series' own row, from its first instance."""
    header = series.instances[0].header
    counts = {"n_instances": len(series.instances), "n_volumes": int(series.converted)}
    return _keys(header) | _acquisition(header) | counts


def volume_row(series: Series, path: str | None, sha256: str | None) -> Row:
    """The row of a series' volume, or of its refusal."""
    header = series.instances[0].header
    row: Row = _keys(header) | _acquisition(header)
    row |= {
        "volume_index": 0,
        "status": "converted" if series.converted else "refused",
        "reason_code": series.reason_code,
        "path": path,
        "sha256": sha256,
        "n_instances": len(series.instances),
        "source_instances": [instance.key for instance in series.instances],
        "units": series.units,
        "lossy": series.lossy,
    }
    return row | _geometry(series)


def _geometry(series: Series) -> Row:
    names = (
        "n_columns", "n_rows", "n_slices", "column_spacing_mm", "row_spacing_mm", "slice_spacing_mm", "affine", "max_position_error_mm",
        "dtype", "single_orientation", "uniform_slice_spacing",
    )  # fmt: skip
    if series.stack is None or series.voxels is None:
        return dict.fromkeys(names)
    header = series.instances[0].header
    spacing = np.linalg.norm(series.stack.affine_lps[:3, :3], axis=0)
    values = (
        int(header.Columns), int(header.Rows), len(series.instances), *(float(value) for value in spacing),
        [float(value) for value in series.stack.affine_ras.ravel()], series.stack.max_position_error_mm, str(series.voxels.dtype), True, True,
    )  # fmt: skip
    return dict(zip(names, values, strict=True))


def study_row(found: Sequence[Series]) -> Row:
    """The study's own row, from the first instance that states a thing."""
    headers = [series.instances[0].header for series in found]
    header = headers[0]
    age = re.fullmatch(r"(\d{3})([DWMY])", word(header, "PatientAge") or "")
    years = None if age is None else int(age[1]) // {"D": 365, "W": 52, "M": 12, "Y": 1}[age[2]]
    year = re.match(r"\d{4}", word(header, "StudyDate") or "")
    sex = word(header, "PatientSex")
    return _keys(header) | {
        "study_year": int(year[0]) if year and int(year[0]) >= 1900 else None,
        "PatientSex": sex if sex in {"M", "F", "O"} else None,
        "age_years": years if years is not None and years <= 89 else None,
        "age_over_89": None if years is None else years > 89,
        "PatientSize": positive(header, "PatientSize"),
        "PatientWeight": positive(header, "PatientWeight"),
        "modalities": sorted({modality for each in headers if (modality := word(each, "Modality"))}),
        "n_series": len(found),
        "n_instances": sum(len(series.instances) for series in found),
    }
