"""Rows of the tables `instances`, `series`, `studies` and `volumes`, from de-identified headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from data_contracts.volumes import CONTRACT
from tasks.dicom.headers import count, integer, number, numbers, positive, word
from tasks.volumes.series import Series
from tasks.volumes.stack import is_regular

Row = dict[str, Any]


def _keys(header: Any) -> Row:
    return {"StudyInstanceUID": str(header.StudyInstanceUID), "PatientID": str(header.PatientID)}


def _uid(header: Any, keyword: str) -> str | None:
    uid = word(header, keyword) or ""
    return uid if re.fullmatch(r"[0-9.]{1,64}", uid) else None


def instance_rows(series: Series) -> list[Row]:
    """One row an instance."""
    return [
        _keys(instance.header)
        | {
            "SeriesInstanceUID": str(instance.header.SeriesInstanceUID),
            "SOPInstanceUID": instance.key,
            "SOPClassUID": _uid(instance.header, "SOPClassUID"),
            "TransferSyntaxUID": _uid(instance.header.file_meta, "TransferSyntaxUID"),
            "InstanceNumber": integer(instance.header, "InstanceNumber"),
            "Rows": count(instance.header, "Rows"),
            "Columns": count(instance.header, "Columns"),
            "NumberOfFrames": count(instance.header, "NumberOfFrames"),
            "ImagePositionPatient": numbers(instance.header, "ImagePositionPatient"),
            "ImageOrientationPatient": numbers(instance.header, "ImageOrientationPatient"),
            "PixelSpacing": numbers(instance.header, "PixelSpacing"),
            "path": instance.lake_path,
            "status": "converted" if series.converted else "quarantined",
            "reason_code": series.reason_code,
            "n_frames_converted": int(series.converted),
            "volume_index": 0,
            "slice_index": place if series.converted else None,
            "fourth_index": 0 if series.converted else None,
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
    row: Row = dict.fromkeys(column.name for column in CONTRACT.columns) | _keys(header) | _acquisition(header)
    row |= {"kind": "3d", "split_by": [], "n_frames": len(series.instances), "n_duplicates": 0}
    row |= {"source_frames": [1] * len(series.instances)}
    row |= {
        "volume_index": 0,
        "status": "converted" if series.converted else "quarantined",
        "reason_code": series.reason_code,
        "path": path,
        "sha256": sha256,
        "n_instances": len(series.instances),
        "source_instances": [instance.key for instance in series.instances],
        "units": series.units,
        "lossy": series.lossy,
        "padding_range": series.padding,
    }
    return row | _geometry(series)


def _geometry(series: Series) -> Row:
    names = (
        "n_columns", "n_rows", "n_slices", "column_spacing_mm", "row_spacing_mm", "slice_spacing_mm", "affine", "max_position_error_mm",
        "dtype",
    )  # fmt: skip
    if series.stack is None or series.voxels is None:
        return dict.fromkeys(names) | _flags(series)
    header = series.instances[0].header
    spacing = np.linalg.norm(series.stack.affine_lps[:3, :3], axis=0)
    values = (
        int(header.Columns), int(header.Rows), len(series.instances), *(float(value) for value in spacing),
        [float(value) for value in series.stack.affine_ras.ravel()], series.stack.max_position_error_mm, str(series.voxels.dtype),
    )  # fmt: skip
    return dict(zip(names, values, strict=True)) | _flags(series)


def _flags(series: Series) -> Row:
    """What the images' planes have in common, also where the series was refused; null where that cannot be said."""
    planes, several = series.planes, len(series.instances) > 1
    stackable = planes is not None and planes.single_orientation and several
    return {
        "single_orientation": None if planes is None else planes.single_orientation,
        "consistent_image_dimensions": None if planes is None else planes.consistent_image_dimensions,
        "consistent_pixel_spacing": None if planes is None else planes.consistent_pixel_spacing,
        "unique_slice_positions": planes.unique_slice_positions if planes is not None and stackable else None,
        "uniform_slice_spacing": planes.uniform_slice_spacing if planes is not None and stackable else None,
        "regularly_spaced_3d_volume": None if planes is None else is_regular(planes),
    }


def _first(headers: Iterable[Any], keyword: str) -> str | None:
    """The first word that a header states."""
    return next((found for header in headers if (found := word(header, keyword))), None)


def study_row(found: Sequence[Series]) -> Row:
    """The study's own row: of each thing what the first instance states that states it, in the order of series and instance keys.

    A size or weight of zero means unknown.
    """
    headers = [instance.header for series in found for instance in sorted(series.instances, key=lambda instance: instance.key)]
    age = re.fullmatch(r"(\d{3})([DWMY])", _first(headers, "PatientAge") or "")
    years = None if age is None else int(age[1]) // {"D": 365, "W": 52, "M": 12, "Y": 1}[age[2]]
    year = re.match(r"\d{4}", _first(headers, "StudyDate") or "")
    sex = _first(headers, "PatientSex")
    return _keys(headers[0]) | {
        "study_year": int(year[0]) if year and int(year[0]) >= 1900 else None,
        "PatientSex": sex if sex in {"M", "F", "O"} else None,
        "age_years": years if years is not None and years <= 89 else None,
        "age_over_89": None if years is None else years > 89,
        "PatientSize": next((size for header in headers if (size := positive(header, "PatientSize"))), None),
        "PatientWeight": next((mass for header in headers if (mass := positive(header, "PatientWeight"))), None),
        "modalities": sorted({modality for header in headers if (modality := word(header, "Modality"))}),
        "n_series": len(found),
        "n_instances": len(headers),
    }
