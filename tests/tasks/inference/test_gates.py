"""Each gate refuses what it is for, with its own reason, and lets through what the model is meant for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.errors import catalogue
from tasks.inference.gates import GATES, by_header, choose, content_share, furthest, plausible
from tasks.inference.manifest import Manifest
from tasks.inference.statistics import Statistics
from tasks.inference.volume import Volume
from tests.tasks.inference.made import chest_like, lps, manifest


def model(**accepted: Any) -> Manifest:
    said = manifest()
    return Manifest.model_validate(said | {"accepted": said["accepted"] | accepted})


def row(**changes: Any) -> dict[str, Any]:
    return {
        "Modality": "CT", "BodyPartExamined": "CHEST", "Manufacturer": "SYNTHETIC Beta", "ConvolutionKernel": "B30f",
        "slice_spacing_mm": 2.5, "SliceThickness": 2.5, "n_slices": 64, "path": "volumes/a", "KVP": 120.0, "EchoTime": None,
        "column_spacing_mm": 0.7, "row_spacing_mm": 0.7, "missing_positions_mm": None,
    } | changes  # fmt: skip


def test_what_the_model_is_meant_for_passes() -> None:
    assert by_header(row(), model()) == ""
    assert by_header(row(SliceThickness=None, slice_spacing_mm=10.0000001), model()) == ""
    assert by_header(row(ConvolutionKernel=None), model()) == ""
    assert by_header(row(), model(convolution_kernel=["B30f", "FC08"])) == ""
    assert by_header(row(BodyPartExamined=None), model(body_part=None)) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Modality": "MR"}, "E-INFER-MODALITY"),
        ({"Modality": None}, "E-INFER-MODALITY"),
        ({"BodyPartExamined": "HEAD"}, "E-INFER-BODY-PART"),
        ({"BodyPartExamined": None}, "E-INFER-BODY-PART"),
        ({"Manufacturer": "GE MEDICAL SYSTEMS"}, "E-INFER-NOT-SYNTHETIC"),
        ({"Manufacturer": None}, "E-INFER-NOT-SYNTHETIC"),
        ({"slice_spacing_mm": 0.5, "SliceThickness": 0.6}, "E-INFER-SPACING"),
        ({"slice_spacing_mm": 12.0}, "E-INFER-SPACING"),
        ({"SliceThickness": 12.0}, "E-INFER-SPACING"),
        ({"Modality": "MR", "BodyPartExamined": "HEAD", "slice_spacing_mm": 50.0}, "E-INFER-MODALITY"),
    ],
)
def test_each_gate_of_the_header_has_its_reason(change: dict[str, Any], reason: str) -> None:
    assert by_header(row(**change), model()) == reason


@pytest.mark.parametrize("kernel", ["B70f", None])
def test_a_kernel_that_is_not_listed_is_refused(kernel: str | None) -> None:
    assert by_header(row(ConvolutionKernel=kernel), model(convolution_kernel=["B30f"])) == "E-INFER-KERNEL"


def test_a_model_for_patients_reads_real_devices() -> None:
    real = Manifest.model_validate(manifest() | {"synthetic_only": False})
    assert by_header(row(Manufacturer="GE MEDICAL SYSTEMS"), real) == ""


def test_the_thinnest_then_the_longest_then_the_first_is_chosen_in_whatever_order_they_come() -> None:
    thick, thin = row(path="a", slice_spacing_mm=5.0, SliceThickness=5.0, n_slices=99), row(path="d", n_slices=40)
    overlapping = row(path="b", slice_spacing_mm=1.25, SliceThickness=5.0)
    longer, same = row(path="c2"), row(path="c1")
    for order in ([thick, thin, overlapping, longer, same], [same, longer, thin, overlapping, thick]):
        assert choose(order) is same
        assert choose([one for one in order if one is not same]) is longer
        assert choose([one for one in order if one not in (same, longer)]) is thin
    assert choose([]) is None


def test_of_several_reasons_the_gate_that_came_last_speaks_for_the_study() -> None:
    assert furthest(["E-INFER-MODALITY", "E-INFER-SPACING", "E-INFER-BODY-PART"]) == "E-INFER-SPACING"
    assert furthest([]) == "E-INFER-NO-VOLUME"
    assert set(GATES) <= set(catalogue())


def test_the_share_of_content_counts_voxels_within_the_range() -> None:
    volume = Volume(np.array([[[-951, -950, -800, -650, -649, 0, 40, 3000]]], np.int16), lps())
    assert content_share(volume, (-950, -650)) == 3 / 8


FINE = Statistics(mean=0.3, std=0.3, min=0.0, max=1.0, p01=0.0, p50=0.2, p99=1.0)


def test_an_input_like_the_trainings_passes() -> None:
    assert plausible(FINE, 0.3, model().profile)


@pytest.mark.parametrize(
    ("mean", "std", "share"),
    [
        (0.95, 0.3, 0.3),
        (0.3, 0.0, 0.3),
        (0.3, 0.7, 0.3),
        (0.3, 0.3, 0.0),
        (math.nan, 0.3, 0.3),
        (0.3, math.nan, 0.3),
        (math.inf, 0.3, 0.3),
    ],
)
def test_an_input_unlike_the_trainings_is_refused(mean: float, std: float, share: float) -> None:
    assert not plausible(replace(FINE, mean=mean, std=std), share, model().profile)


def test_stored_values_that_were_never_rescaled_show_no_lung() -> None:
    right, wrong = Volume(chest_like(), lps()), Volume(chest_like() + 1024, lps())
    assert content_share(right, (-950, -650)) > 0.2
    assert content_share(wrong, (-950, -650)) == 0
