"""What becomes of values, against numpy on the whole array at once; and statistics against numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.inference.manifest import Input
from tasks.inference.preprocess import prepare
from tasks.inference.statistics import measure
from tasks.inference.volume import Volume
from tests.tasks.inference.made import chest_like, lps, manifest

VOXELS = chest_like(8, (20, 18, 40))
VOXELS[:, :, :3] = 0


def made(window: dict[str, Any], order: str = "window_then_resample") -> np.ndarray:
    how = Input.model_validate(manifest()["input"] | {"window": window, "order": order, "spacing_mm": None, "floor": None})
    return prepare(Volume(VOXELS, lps()), how).voxels.transpose(2, 1, 0)


@pytest.mark.parametrize("order", ["window_then_resample", "resample_then_window"])
def test_values_are_scaled_by_what_the_whole_volume_holds(order: str) -> None:
    values = VOXELS.astype(np.float64)
    np.testing.assert_allclose(made({"kind": "unchanged"}, order), values)
    np.testing.assert_allclose(made({"kind": "standardise"}, order), (values - values.mean()) / values.std(), atol=1e-5)
    inside = values[values != 0]
    expected = (values - inside.mean()) / inside.std()
    np.testing.assert_allclose(made({"kind": "standardise", "over": "nonzero"}, order), expected, atol=1e-5)
    low, high = np.percentile(values, [5, 90], method="inverted_cdf")
    scaled = np.clip((values - low) / (high - low), 0, 1)
    np.testing.assert_allclose(made({"kind": "percentiles", "low": 5, "high": 90}, order), scaled, atol=1e-5)
    np.testing.assert_allclose(
        made({"kind": "window", "center": 0, "width": 100}, order), np.clip((values + 50) / 100, 0, 1), atol=1e-6
    )


def test_a_volume_of_one_value_is_not_divided_by_0() -> None:
    flat = Volume(np.full((8, 8, 8), 7, np.int16), lps())
    for window in (
        {"kind": "standardise"},
        {"kind": "standardise", "over": "nonzero"},
        {"kind": "percentiles", "low": 1, "high": 99},
    ):
        how = Input.model_validate(manifest()["input"] | {"window": window, "floor": None})
        assert np.isfinite(prepare(flat, how).voxels).all()


def test_statistics_are_numpys() -> None:
    values = np.random.default_rng(0).normal(3, 2, (41, 53, 601)).astype(np.float32)
    found = measure(values)
    wide = values.astype(np.float64)
    assert (found.mean, found.std) == (pytest.approx(wide.mean(), rel=1e-12), pytest.approx(wide.std(), rel=1e-9))
    assert (found.min, found.max) == (values.min(), values.max())
    assert [found.p01, found.p50, found.p99] == np.percentile(values, [1, 50, 99], method="inverted_cdf").tolist()
    values[3, 3, 3] = np.nan
    assert measure(values).columns()["input_mean"] is None
