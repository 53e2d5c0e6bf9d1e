"""A lake to look at: bodies of ellipsoids under several scanners, in every state that the table knows."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np

from data_contracts.volumes import CONTRACT
from tasks.volumes.preview import drawn

MAKERS = [
    ("GE MEDICAL SYSTEMS", "Discovery CT750"),
    ("SIEMENS", "SOMATOM Force"),
    ("Philips", "Ingenia"),
    ("Canon Medical Systems", "Aquilion ONE"),
]
BLANK: dict[str, Any] = dict.fromkeys(column.name for column in CONTRACT.columns)
HELD = ["E-VOLUME-DUPLICATE-POSITION", "E-VOLUME-MISSING-SLICES", "E-VOLUME-DECODE", "E-VOLUME-SOP-CLASS", "E-VOLUME-CERTIFICATE"]


def row(n: int, **change: Any) -> dict[str, Any]:
    """A chest CT, converted."""
    study, series = f"2.25.{10**37 + n // 3 * 7919}", f"2.25.{3 * 10**37 + n * 104729}"
    patient = "SL-" + "".join(random.Random(n // 4).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=12))
    place = f"{patient}/{study}/{series}_0"
    maker, model = MAKERS[n % 2]
    return BLANK | {
        "StudyInstanceUID": study, "PatientID": patient, "SeriesInstanceUID": series, "volume_index": 0, "status": "converted",
        "reason_code": "", "kind": "3d", "path": f"volumes/{place}.nii.gz", "sha256": f"{n:064x}", "preview_path": f"previews/{place}.webp",
        "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": maker, "ManufacturerModelName": model, "ConvolutionKernel": "B30f",
        "KVP": 120.0, "SliceThickness": [0.625, 1.25, 2.5, 5.0, 7.5][n % 5], "split_by": [], "n_instances": 64, "n_frames": 64, "n_duplicates": 0,
        "n_columns": 512, "n_rows": 512, "n_slices": 40 + n % 300, "n_volumes": 1, "column_spacing_mm": 0.703125, "row_spacing_mm": 0.703125,
        "slice_spacing_mm": [0.625, 1.25, 2.5, 5.0, 7.5][n % 5], "spacing_source": "PixelSpacing",
        "affine": [-0.703125, 0, 0, 180.0, 0, -0.703125, 0, 180.0, 0, 0, 2.5, -100.0, 0, 0, 0, 1], "max_position_error_mm": n % 97 / 1000,
        "is_sheared": False, "shear_deg": 0.0, "dtype": "int16", "scl_slope": 1.0, "scl_inter": 0.0, "exact": True, "units": "HU",
        "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": "signed", "BitsStored": 12, "high_bits_masked": False, "lossy": False,
        "TransferSyntaxUID": "1.2.840.10008.1.2.1", "value_min": -1024.0, "value_max": 1500.0 + n % 1571, "single_orientation": True,
        "consistent_image_dimensions": True, "consistent_pixel_spacing": True, "unique_slice_positions": True, "uniform_slice_spacing": True,
        "regularly_spaced_3d_volume": True, "source_instances": [], "source_frames": [],
    } | change  # fmt: skip


def held(n: int, code: str | None = None, **change: Any) -> dict[str, Any]:
    """A part that was quarantined."""
    kept = ("StudyInstanceUID", "PatientID", "SeriesInstanceUID", "volume_index", "Modality", "BodyPartExamined", "Manufacturer")
    whole = row(n)
    code = code or HELD[n // 10 % len(HELD)]
    gaps = [12.5, 15.0] if code == "E-VOLUME-MISSING-SLICES" else None
    return BLANK | {name: whole[name] for name in kept} | {
        "status": "quarantined", "reason_code": code, "split_by": [], "n_instances": 61, "n_frames": 61, "n_duplicates": 0, "source_instances": [],
        "source_frames": [], "missing_positions_mm": gaps, "uniform_slice_spacing": False if gaps else None,
        "unique_slice_positions": False if "DUPLICATE" in code else None, "SliceThickness": whole["SliceThickness"],
    } | change  # fmt: skip


@cache
def rows(count: int) -> list[dict[str, Any]]:
    """A mixed lake: mostly CT and MR, some of everything else."""
    return [_one(n) for n in range(count)]


def _one(n: int) -> dict[str, Any]:
    kind = n % 20
    if kind in {4, 13}:
        return held(n)
    if kind in {3, 8, 15}:
        maker, model = MAKERS[2 - n % 2]
        mr = {"Modality": "MR", "BodyPartExamined": "HEAD", "Manufacturer": maker, "ManufacturerModelName": model, "ConvolutionKernel": None,
              "KVP": None, "EchoTime": 90.0, "units": "unspecified", "value_min": 0.0, "value_max": 1874.0, "n_rows": 256, "n_columns": 256,
              "affine": [0, 0, 5.0, -90.0, -0.9, 0, 0, 120, 0, -0.9, 0, 120, 0, 0, 0, 1] if n % 4 else row(n)["affine"]}  # fmt: skip
        if kind == 8:
            mr |= {
                "kind": "4d",
                "n_volumes": 60,
                "fourth_axis": "DiffusionBValue",
                "fourth_axis_values": [0.0, 1000.0],
                "split_by": ["EchoTime"],
            }
        return row(n, **mr)
    changes: dict[int, dict[str, Any]] = {
        5: {"is_sheared": True, "shear_deg": 14.5},
        6: {"status": "resampled", "reason_code": "E-VOLUME-TILT", "resampled_from": 0, "max_position_error_mm": None, "exact": False},
        9: {"lossy": True, "LossyImageCompressionRatio": 11.6, "n_duplicates": 4},
        11: {"Modality": "PT", "BodyPartExamined": None, "units": "BQML", "dtype": "float32", "exact": False, "value_min": 0.0,
             "value_max": 31234.567,             "ConvolutionKernel": None, "KVP": None, "suv_reason": "PatientWeight"},
        16: {"Modality": "DX", "kind": "2d", "affine": None, "n_slices": 1, "slice_spacing_mm": None, "spacing_source": "ImagerPixelSpacing",
             "max_position_error_mm": None, "PhotometricInterpretation": "MONOCHROME1", "n_rows": 3000, "n_columns": 2500, "dtype": "uint16",
             "units": "unspecified", "value_min": 0.0, "value_max": 16383.0, "SliceThickness": None, "ConvolutionKernel": None},
        18: {"Modality": "US", "BodyPartExamined": "BREAST", "kind": "2d", "affine": None, "n_slices": 1, "n_volumes": 48, "dtype": "rgb24",
             "spacing_source": None, "slice_spacing_mm": None, "column_spacing_mm": None, "row_spacing_mm": None, "max_position_error_mm": None,
             "value_min": None, "value_max": None, "units": "unspecified", "SliceThickness": None, "KVP": None, "ConvolutionKernel": None,
             "high_bits_masked": True},
    }  # fmt: skip
    return row(n, **changes.get(kind, {}))


@cache
def body(seed: int, shape: tuple[int, int, int] = (48, 128, 128)) -> np.ndarray:
    """(slices, rows, columns) in HU: a body with two lungs, a spine, a heart on the patient's left and noise."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.full(shape, -1000.0)

    def fill(centre: tuple[float, float, float], radii: tuple[float, float, float], value: float) -> None:
        hu[((z - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((x - centre[2]) / radii[2]) ** 2 < 1] = value

    wide = 0.8 + rng.uniform(-0.08, 0.08)
    fill((0, 0, 0), (9, 0.62, wide), 30)
    for side in (-1, 1):
        fill((0.1, -0.02, side * wide * 0.45), (1.0, 0.42, 0.27 + rng.uniform(-0.03, 0.03)), -830)
    fill((-0.3, -0.15, 0.12), (0.5, 0.28, 0.24), 45)
    fill((0, 0.42, 0), (9, 0.12, 0.1), 420)
    return hu + rng.normal(0, 28, shape)


@cache
def _picture(modality: str, seed: int, flat: bool) -> bytes:
    hu = body(seed)
    values = np.abs(hu + 1000) if modality != "CT" else hu
    if flat:
        projected = np.flipud(values.sum(axis=1))
        image = np.stack([np.clip(projected / projected.max() * 255, 0, 255)] * 3, axis=-1) if modality == "US" else projected
        return drawn([image], None, modality=modality, units="unspecified", inverted=modality == "DX")
    planes = [values[24], values[:, 64], values[:, :, 64]]
    return drawn(planes, np.diag([-3.0, -3.0, 5.0, 1.0]), modality=modality, units="HU" if modality == "CT" else "")


def picture(made: dict[str, Any]) -> bytes:
    """A picture that fits a row: one of five bodies."""
    seed = int(made["sha256"] or "0", 16) % 5
    return _picture(made["Modality"], seed, made["kind"] == "2d")


def pictures(of: list[dict[str, Any]]) -> dict[tuple[str, int], bytes]:
    """For each file."""
    return {(made["SeriesInstanceUID"], made["volume_index"]): picture(made) for made in of if made["path"]}
