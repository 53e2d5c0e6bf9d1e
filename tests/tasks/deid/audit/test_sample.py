"""Series are drawn from every kind, the same ones for the same seed, and no value of the hospital's is told."""

from __future__ import annotations

import pytest

from tasks.deid.audit.sample import Stratum, draw, manufacturer_label, modality_label
from tasks.vault import Vault
from tests.tasks.deid.audit.making import filled, noisy


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("SIEMENS", "siemens"), ("Siemens Healthineers", "siemens"), ("GE MEDICAL SYSTEMS", "ge"), ("Philips", "philips"), ("", "other"),
        ("GE refurbished by Mustermann", "other"), ("St. Barbara Klinikum", "other"),
    ],
)  # fmt: skip
def test_a_manufacturer_is_told_only_in_released_words(value: str, label: str) -> None:
    assert manufacturer_label(value) == label


def test_a_modality_is_told_only_where_it_is_a_defined_term() -> None:
    assert modality_label("CT") == "CT"
    assert modality_label("MUSTERMANN") == "other"


def test_each_kind_gives_as_many_series_as_are_asked_for(vault: Vault) -> None:
    kinds = ["SIEMENS"] * 5 + ["Philips"] * 2 + ["Dr. Eigenbau"]
    filled(vault, *(noisy(number, Manufacturer=kind) for number, kind in enumerate(kinds, 1)))
    drawn = draw(vault, most=3, seed=1)
    assert {stratum: len(series) for stratum, series in drawn.series.items()} == {
        Stratum("CT", "other"): 1, Stratum("CT", "philips"): 2, Stratum("CT", "siemens"): 3,
    }  # fmt: skip
    assert drawn.found == 8
    assert draw(vault, most=3, seed=1) == drawn
    assert any(draw(vault, most=3, seed=seed).series != drawn.series for seed in range(2, 8))


def test_what_cannot_be_read_is_counted_and_what_is_arriving_is_left_alone(vault: Vault) -> None:
    paths = filled(vault, noisy(1), noisy(2))
    first = min(paths)
    first.write_bytes(b"no DICOM")
    arriving = vault.spool / "2.25.1.incoming-host-1" / "2.25.2"
    arriving.mkdir(parents=True)
    (arriving / "1.dcm").write_bytes(b"half")
    drawn = draw(vault, most=3, seed=1)
    assert (drawn.found, drawn.unreadable) == (1, 1)
