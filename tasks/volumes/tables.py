"""Rows of the tables `instances`, `series`, `studies` and `volumes`, from de-identified headers and from what became of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from data_contracts.volumes import CONTRACT
from tasks.dicom.headers import count, integer, number, numbers, positive, word
from tasks.volumes import acquisition, suv
from tasks.volumes.frames import Frame
from tasks.volumes.intake import Instance
from tasks.volumes.kinds import PET
from tasks.volumes.series import Made
from tasks.volumes.stack import is_regular
from tasks.volumes.traits import diffusion_b_value
from tasks.volumes.values import is_lossy, padding_range

Row = dict[str, Any]


def _keys(header: Any) -> Row:
    return {"StudyInstanceUID": str(header.StudyInstanceUID), "PatientID": str(header.PatientID)}


def _uid(text: str | None) -> str | None:
    return text if re.fullmatch(r"[0-9.]{1,64}", text or "") else None


def instance_rows(members: Sequence[Instance], parts: Sequence[Made]) -> list[Row]:
    """One row an instance, with what became of its frames."""
    placed: dict[str, tuple[int, int, int]] = {}
    counts: dict[str, list[int]] = {}
    reasons: dict[str, str] = {}
    for made in parts:
        if made.resampled_from is not None:
            continue  # the same frames once more
        per_volume = max(1, len(made.part.frames) // made.part.n_volumes)
        for place, frame in enumerate(made.part.frames):
            key = frame.instance.key
            counts.setdefault(key, [0, 0])[0] += made.written is not None
            if made.written is not None:
                placed.setdefault(key, (made.index, place % per_volume, place // per_volume))
        for frame in made.part.copies:
            counts.setdefault(frame.instance.key, [0, 0])[1] += made.written is not None
        if made.written is None:
            for instance in made.part.instances:
                reasons[instance.key] = min(made.reason_code, reasons.get(instance.key, made.reason_code))
    return [
        _instance_row(each, acquired, reasons.get(each.key, ""), placed.get(each.key), counts.get(each.key, [0, 0]))
        for each, acquired in zip(members, acquisition.of_instances(members), strict=True)
    ]


def _instance_row(instance: Instance, acquired: Row, reason: str, placed: tuple[int, int, int] | None, counts: list[int]) -> Row:
    header = instance.header
    status = "quarantined" if reason else "converted" if counts[0] else "duplicate"
    if reason and counts[0]:
        status = "partly"
    volume, place, fourth = placed or (None, None, None)
    return _keys(header) | {
        "SeriesInstanceUID": str(header.SeriesInstanceUID),
        "SOPInstanceUID": instance.key,
        "SOPClassUID": _uid(word(header, "SOPClassUID")),
        "TransferSyntaxUID": _uid(instance.syntax),
        "InstanceNumber": integer(header, "InstanceNumber"),
        "Rows": count(header, "Rows"),
        "Columns": count(header, "Columns"),
        "NumberOfFrames": count(header, "NumberOfFrames"),
        "ImagePositionPatient": numbers(header, "ImagePositionPatient"),
        "ImageOrientationPatient": numbers(header, "ImageOrientationPatient"),
        "PixelSpacing": numbers(header, "PixelSpacing"),
        **acquired,
        "path": instance.lake_path,
        "status": status,
        "reason_code": reason,
        "n_frames_converted": counts[0],
        "volume_index": volume,
        "slice_index": place,
        "fourth_index": fourth,
    }


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


def series_row(members: Sequence[Instance], volumes: Sequence[Row]) -> Row:
    """The series' own row, of all its instances and of its rows of `volumes`."""
    header = members[0].header
    key = {"SeriesInstanceUID": str(header.SeriesInstanceUID)}
    return _keys(header) | key | acquisition.of_series(members) | acquisition.outcome(volumes)


def volume_row(made: Made) -> Row:
    """The row of a volume or an image, or of what was held back."""
    part = made.part
    first = part.frames[0] if part.frames else None
    header = part.instances[0].header if first is None else first.header
    frames = part.frames or ()
    row: Row = dict.fromkeys(column.name for column in CONTRACT.columns) | _keys(part.instances[0].header) | _acquisition(header)
    row |= {
        "volume_index": made.index,
        "status": made.status,
        "reason_code": made.reason_code,
        "kind": part.kind,
        "path": made.path,
        "preview_path": made.preview_path,
        "ImageType": word(header, "ImageType"),
        "EchoTime": number(header, "EchoTime"),
        "DiffusionBValue": None if first is None else diffusion_b_value(first.header),
        "split_by": list(part.split_by),
        "fourth_axis": part.fourth_axis,
        "fourth_axis_values": list(part.fourth_values) or None,
        "n_instances": len(part.instances),
        "n_frames": len(frames) + len(part.copies) or len(part.instances),
        "n_duplicates": len(part.copies),
        "missing_positions_mm": list(part.missing) or None,
        "resampled_from": made.resampled_from,
        "source_instances": [frame.instance.key for frame in frames] or [instance.key for instance in part.instances],
        "source_frames": [frame.number + 1 for frame in frames] or [1] * len(part.instances),
    }
    return row | _flags(made) | _geometry(made) | _values(made, frames)


def _geometry(made: Made) -> Row:
    written, stack = made.written, made.part.stack
    if written is None:
        return {}
    columns, rows, slices, volumes = (*written.shape, 1, 1)[:4]
    row: Row = {"sha256": written.sha256, "n_columns": columns, "n_rows": rows, "n_slices": slices, "n_volumes": volumes}
    if made.regridded is None and stack is None:
        spacing = written.spacing
        known = spacing.millimetres if spacing is not None else None
        return row | {
            "n_volumes": made.part.n_volumes,
            "row_spacing_mm": known and known[0],
            "column_spacing_mm": known and known[1],
            "spacing_source": spacing and spacing.source,
        }
    affine = made.regridded.affine_ras if made.regridded is not None else stack.affine_ras if stack is not None else np.eye(4)
    across, down, along = (float(step) for step in np.linalg.norm(affine[:3, :3], axis=0))
    alone = len(made.part.frames) == made.part.n_volumes
    row |= {
        "column_spacing_mm": across, "row_spacing_mm": down, "slice_spacing_mm": None if alone else along, "spacing_source": "PixelSpacing",
        "affine": [float(value) for value in affine.ravel()], "is_sheared": False, "shear_deg": 0.0,
    }  # fmt: skip
    if made.regridded is None and stack is not None:
        row |= {
            "max_position_error_mm": stack.max_position_error_mm, "is_sheared": stack.is_sheared, "shear_deg": stack.shear_deg,
        }  # fmt: skip
    return row


def _values(made: Made, frames: Sequence[Frame]) -> Row:
    if not frames:
        return {}
    header = frames[0].header
    signs = {count(frame.header, "PixelRepresentation") for frame in frames}
    ratios = [ratio for frame in frames if (ratio := _last_ratio(frame.header)) is not None]
    row: Row = {
        "RescaleType": word(header, "RescaleType"),
        "PhotometricInterpretation": word(header, "PhotometricInterpretation"),
        "PixelRepresentation": "mixed" if len(signs) > 1 else {0: "unsigned", 1: "signed"}.get(signs.pop() or 0),
        "BitsStored": max(count(frame.header, "BitsStored") or 0 for frame in frames) or None,
        "lossy": any(is_lossy(frame) for frame in frames),
        "LossyImageCompressionRatio": max(ratios, default=None),
        "LossyImageCompressionMethod": word(header, "LossyImageCompressionMethod"),
        "TransferSyntaxUID": "\\".join(sorted({syntax for frame in frames if (syntax := _uid(frame.instance.syntax))})) or None,
    }
    written = made.written
    if written is None:
        return row
    encoding, scale = written.encoding, written.scale
    row |= {
        "dtype": "rgb24" if encoding.dtype.fields else str(encoding.dtype),
        "scl_slope": encoding.slope, "scl_inter": encoding.intercept, "exact": encoding.exact,
        "units": scale.units if scale is not None else "unspecified",
        "padding_range": padding_range(frames, scale) if scale is not None and made.regridded is None else None,
        "high_bits_masked": written.sight.masked, "value_min": written.sight.low, "value_max": written.sight.high,
    }  # fmt: skip
    if word(header, "SOPClassUID") == PET or word(header, "Modality") == "PT":
        row["suv_bw_factor"], row["suv_reason"] = suv.factor(frames)
    return row


def _last_ratio(header: Any) -> float | None:
    """The whole compression of several in a row is their product (PS3.3 C.7.6.1.1.5.2)."""
    ratios: Sequence[float | None] = numbers(header, "LossyImageCompressionRatio") or [
        number(header, "LossyImageCompressionRatio")
    ]
    known = [ratio for ratio in ratios if ratio is not None and ratio > 0]
    return float(np.prod(known)) if known else None


def _flags(made: Made) -> Row:
    """What the images' planes have in common, also where there is no volume; null where that cannot be said."""
    planes, several = made.part.planes, len(made.part.frames) > 1 or len(made.part.instances) > 1
    if planes is None:
        return {}
    if made.regridded is not None:
        names = ("single_orientation", "consistent_image_dimensions", "consistent_pixel_spacing", "unique_slice_positions")
        return dict.fromkeys((*names, "uniform_slice_spacing", "regularly_spaced_3d_volume"), True)
    stackable = planes.single_orientation and several
    one_time = made.part.n_volumes == 1
    return {
        "single_orientation": planes.single_orientation,
        "consistent_image_dimensions": planes.consistent_image_dimensions,
        "consistent_pixel_spacing": planes.consistent_pixel_spacing,
        "unique_slice_positions": planes.unique_slice_positions if stackable else None,
        "uniform_slice_spacing": planes.uniform_slice_spacing if stackable and one_time else None,
        "regularly_spaced_3d_volume": is_regular(planes) and several,
    }


def _first(headers: Iterable[Any], keyword: str) -> str | None:
    """The first word that a header states."""
    return next((found for header in headers if (found := word(header, keyword))), None)


def study_row(headers: Sequence[Any], series: Sequence[Row]) -> Row:
    """The study's own row: of each thing what the first instance states that states it, in the order of series and instance keys.

    A size or weight of zero means unknown.
    """
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
        "StudyDescription": said.pop() if len(said := {word(header, "StudyDescription") for header in headers}) == 1 else None,
        "n_series": len(series),
        "n_instances": len(headers),
        **{name: sum(row[name] for row in series) for name in ("n_volumes", "n_resampled", "n_quarantined")},
    }
