"""The SUV factor against the published worked example and its own definition; no factor where an input is missing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.tasks.volumes.phantom import pet, run

HALF_LIFE = 6586.2  # seconds, of F-18: 109.77 min


def study(**change: Any) -> list[Dataset]:
    """70 kg, 370 MBq an hour before the series."""
    slices = pet(3)
    for each in slices:
        drug = Dataset()
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife, drug.RadiopharmaceuticalStartTime = 370e6, HALF_LIFE, "090000"
        each.RadiopharmaceuticalInformationSequence = [drug]
        each.PatientWeight, each.CorrectedImage, each.DecayCorrection = 70, ["DECY", "ATTN", "SCAT"], "START"
        each.SeriesDate, each.SeriesTime, each.AcquisitionTime = "20250101", "100000", "100130"
        for keyword, value in change.items():
            where = drug if keyword.startswith("Radio") else each
            if value is None:
                delattr(where, keyword)
            else:
                setattr(where, keyword, value)
    return slices


def factor(folder: Path, slices: list[Dataset]) -> tuple[float | None, str | None]:
    [row] = run(folder, slices).rows
    return row["suv_bw_factor"], row["suv_reason"]


def test_the_dose_has_decayed_until_the_series_began(tmp_path: Path) -> None:
    found, reason = factor(tmp_path, study())
    assert reason == ""
    assert found == pytest.approx(70_000 / (370e6 * 2 ** (-3600 / HALF_LIFE)))
    # a body that had taken up the dose evenly has an SUV of 1: activity concentration at the start = dose left / mass
    assert found * (370e6 * math.exp(-math.log(2) * 3600 / HALF_LIFE) / 70_000) == pytest.approx(1.0)


def test_an_administration_before_midnight_and_a_whole_date_time(tmp_path: Path) -> None:
    late, _ = factor(tmp_path / "a", study(RadiopharmaceuticalStartTime="233000", SeriesTime="003000", AcquisitionTime="003130"))
    plain, _ = factor(tmp_path / "b", study())
    stated, _ = factor(
        tmp_path / "c", study(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20250101090000.00")
    )
    assert late == plain == stated


def test_images_that_are_corrected_to_administration_need_no_times(tmp_path: Path) -> None:
    assert factor(tmp_path, study(DecayCorrection="ADMIN", SeriesTime=None))[0] == pytest.approx(70_000 / 370e6)


def test_values_that_are_suv_already_have_the_factor_one(tmp_path: Path) -> None:
    assert factor(tmp_path / "a", study(Units="GML")) == (1.0, "")
    assert factor(tmp_path / "b", study(Units="GML", SUVType="BSA")) == (None, "SUVType")


@pytest.mark.parametrize(("change", "missing"), [
    ({"PatientWeight": None}, "PatientWeight"), ({"PatientWeight": 0}, "PatientWeight"), ({"Units": "PROPCNTS"}, "Units"),
    ({"RadionuclideTotalDose": None}, "RadionuclideTotalDose"), ({"RadionuclideHalfLife": None}, "RadionuclideHalfLife"),
    ({"CorrectedImage": ["DECY"]}, "CorrectedImage"), ({"DecayCorrection": "NONE"}, "DecayCorrection"),
    ({"SeriesTime": None}, "SeriesTime"), ({"RadiopharmaceuticalStartTime": None}, "RadiopharmaceuticalStartTime"),
    ({"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "2025"}, "RadiopharmaceuticalStartTime"),
    ({"Units": "CNTS"}, "Units"), ({"AcquisitionTime": None}, "AcquisitionTime"),
    ({"SeriesTime": "113000"}, "SeriesTime"),  # a series that was computed later than its images were taken
])  # fmt: skip
def test_no_factor_where_an_input_is_missing(change: dict[str, Any], missing: str, tmp_path: Path) -> None:
    assert factor(tmp_path, study(**change)) == (None, missing)


def test_the_factor_that_philips_states_is_used_for_counts(tmp_path: Path) -> None:
    slices = study(Units="CNTS")
    for each in slices:
        each.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "0.000551")
    assert factor(tmp_path, slices) == (0.000551, "")
