"""A card says what its row says: short forms, flags, bands, and the reason's own sentence."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import catalogue
from tasks.gallery.facts import BANDS, card, orientation
from tests.tasks.gallery.made import held, row


def texts(**change: Any) -> list[str]:
    return [line for line, _ in card(row(2, **change)).lines]


def kinds(made: dict[str, Any]) -> list[str]:
    return [flag.kind for flag in card(made).flags]


def test_a_plain_volume_in_short_forms() -> None:
    assert texts() == [
        "2.5 mm thick · B30f · 120 kV · GE MEDICAL SYSTEMS Discovery CT750", "512×512×42 · 0.7×0.7×2.5 mm", "int16 HU −1024 … 1502 · ±0.002 mm",
    ]  # fmt: skip
    assert kinds(row(2)) == []
    assert "0.703125 × 0.703125 × 2.5 mm" in card(row(2)).lines[1][1]


def test_numbers_have_no_exponent_that_a_reader_must_undo() -> None:
    assert texts(value_min=-0.00012, value_max=31234.567)[2] == "int16 HU −0.00012 … 31235 · ±0.002 mm"
    assert texts(value_min=0.0, value_max=12345678.9)[2].startswith("int16 HU 0 … 1.235e+07")


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"is_sheared": True, "shear_deg": 14.5}, "sheared", "sheared 14.5°"),
        ({"status": "resampled", "reason_code": "E-VOLUME-TILT"}, "resampled", "resampled"),
        ({"lossy": True, "LossyImageCompressionRatio": 11.6}, "lossy", "lossy 11.6:1"),
        ({"lossy": True}, "lossy", "lossy"),
        ({"exact": False}, "not exact", "not exact"),
        ({"kind": "4d", "n_volumes": 60, "fourth_axis": "TriggerTime", "fourth_axis_values": [0.0, 9.0]}, "4D", "4D ×60"),
        ({"split_by": ["EchoTime", "StackID"]}, "split", "split by EchoTime, StackID"),
        ({"n_duplicates": 3}, "duplicates", "3 duplicates"),
        ({"missing_positions_mm": [1.0, 2.0]}, "gaps", "2 missing"),
        ({"kind": "2d", "spacing_source": "PixelSpacing"}, "2D", "2D"),
        ({"high_bits_masked": True}, "masked", "bits masked"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1", "MONOCHROME1"),
        ({"suv_reason": "PatientWeight"}, "no SUV", "no SUV"),
        ({"value_min": 7.0, "value_max": 7.0}, "constant", "constant"),
        ({"slice_spacing_mm": 3.0}, "gap", "gap 0.5 mm"),
        ({"slice_spacing_mm": 2.0}, "overlap", "overlap 0.5 mm"),
    ],
)
def test_what_is_to_be_known_is_a_flag(change: dict[str, Any], kind: str, text: str) -> None:
    (flag,) = card(row(2, **change)).flags
    assert (flag.kind, flag.text) == (kind, text)
    assert flag.title.endswith(".")


@pytest.mark.parametrize(("spacing", "kind"), [(2.749, []), (2.751, ["gap"]), (2.251, []), (2.249, ["overlap"])])
def test_slices_may_be_a_tenth_apart_from_their_thickness(spacing: float, kind: list[str]) -> None:
    assert kinds(row(2, slice_spacing_mm=spacing)) == kind


def test_a_quarantined_part_says_why_and_of_how_many_instances() -> None:
    made = card(held(4, "E-VOLUME-MISSING-SLICES"))
    known = catalogue()["E-VOLUME-MISSING-SLICES"]
    assert (made.code, made.reason, made.remedy) == (known.code, known.meaning + ".", known.remedy)
    assert "61 instances" in [line for line, _ in made.lines]
    assert [flag.kind for flag in made.flags] == ["gaps", "uneven"]
    assert "has no sentence" in card(held(4, "E-VOLUME-OF-TOMORROW")).reason


@given(st.one_of(st.none(), st.floats(0, 1e6)))
def test_every_thickness_has_its_band(thickness: float | None) -> None:
    band = card(row(1, SliceThickness=thickness)).thickness
    ends = {"up to 1 mm": (0, 1), "1 to 2.5 mm": (1, 2.5), "2.5 to 5 mm": (2.5, 5), "over 5 mm": (5, np.inf)}
    assert band in BANDS
    assert (band == "not stated") == (thickness is None)
    if thickness is not None:
        assert ends[band][0] <= thickness <= ends[band][1]


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASR", "PIL", "SRA", "LSP"])
def test_the_plane_is_the_one_that_nibabel_finds(codes: str) -> None:
    affine = nibabel.orientations.inv_ornt_aff(nibabel.orientations.axcodes2ornt(codes), (5, 6, 7))
    name = {"R": "sagittal", "L": "sagittal", "A": "coronal", "P": "coronal", "S": "axial", "I": "axial"}[
        nibabel.aff2axcodes(affine)[2]
    ]
    assert orientation(affine.ravel().tolist()) == name


def test_an_oblique_plane_says_by_how_much() -> None:
    turned = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(x=np.radians(12)) @ np.diag([0.7, 0.7, 3]))
    assert orientation(turned.ravel().tolist()) == "axial 12°"


def test_a_mark_is_of_the_content_and_not_of_what_comes_in_its_place() -> None:
    assert card(row(2)).mark != card(row(2, sha256="f" * 64)).mark
