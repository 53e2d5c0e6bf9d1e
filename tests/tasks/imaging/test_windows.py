"""Windows give what pydicom gives, come back where they can, and say what they lose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from tasks.errors import ConfigurationError, SafelightError, catalogue
from tasks.imaging import presets as presets_module
from tasks.imaging.presets import named, presets
from tasks.imaging.windows import Function, Window, apply, invert, loss

FUNCTIONS: tuple[Function, ...] = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
values = np.concatenate([np.linspace(-2000, 3000, 1001), [-0.5, 0.5, 39.5, 40, 40.5]])


def by_pydicom(array: np.ndarray, window: Window) -> np.ndarray:
    """Output 0 to 4095, as of unsigned pixels of 12 bits without rescale."""
    header = Dataset()
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME2", 12, 0
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = window.center, window.width, window.function
    with np.errstate(over="ignore"):  # exp of a far value: its output is right all the same
        return apply_windowing(array, header)


@settings(deadline=None)
@given(
    center=st.floats(-2000, 2000).map(lambda x: round(x, 3)),
    width=st.floats(1, 5000).map(lambda x: round(x, 3)),
    function=st.sampled_from(FUNCTIONS),
    dtype=st.sampled_from([np.int16, np.float64, np.int32, np.float32]),
)
def test_the_three_functions_are_pydicoms(center: float, width: float, function: Function, dtype: Any) -> None:
    window = Window(center, width, function)
    array = values.astype(dtype)
    if window.span < 1:  # next to a step, rounding decides the side
        array = array[(np.abs(array - window.center) > 3)]
    np.testing.assert_allclose(
        apply(array, window, (0.0, 4095.0)), by_pydicom(array, window), atol=4095 * 2e-6 * (1 + 3000 / width)
    )


def test_the_standards_example_of_12_bits() -> None:
    """PS3.3 C.11.2.1.2.1, note 3: centre 2048 and width 4096 to 0…255 is ((x - 2047.5) / 4095 + 0.5) * 255; 0 and 4095 are its ends."""
    array = np.array([-1, 0, 1, 2047.5, 4095, 4096])
    made = apply(array, Window(2048, 4096, "LINEAR"), (0.0, 255.0))
    np.testing.assert_allclose(made, [0, 0, 255 / 4095, 127.5, 255, 255], atol=1e-4)
    exact = apply(array, Window(2048, 4096), (0.0, 255.0))
    np.testing.assert_allclose(exact, np.clip(array, 0, 4096) / 4096 * 255, atol=1e-4)


def test_a_width_of_1_is_a_threshold() -> None:
    window = Window(40, 1, "LINEAR")
    array = np.array([38, 39, 39.5, 39.75, 40, 41], np.float32)
    np.testing.assert_array_equal(apply(array, window), by_pydicom(array, window) / 4095)
    assert invert(apply(array, window), window).clipped.all()


@settings(deadline=None)
@given(center=st.floats(-1000, 1000), width=st.floats(2, 3000), function=st.sampled_from(FUNCTIONS))
def test_the_inverse_gives_back_what_was_not_clipped(center: float, width: float, function: Function) -> None:
    window = Window(center, width, function)
    array = np.linspace(center - 0.7 * width, center + 0.7 * width, 301)
    back = invert(apply(array, window, (-1.0, 1.0)), window, (-1.0, 1.0))
    known = ~back.clipped
    np.testing.assert_allclose(back.values[known], array[known], atol=2e-5 * width + 1e-3)
    outside = (array < window.low) | (array > window.high)
    assert back.clipped[outside].all()
    assert known.sum() >= 100
    if function != "SIGMOID":
        np.testing.assert_allclose(back.values[outside], np.clip(array, window.low, window.high)[outside], atol=1e-3)


def test_where_a_sigmoid_is_full_nothing_is_known() -> None:
    back = invert(np.array([0, 0.5, 1], np.float32), Window(40, 400, "SIGMOID"))
    np.testing.assert_array_equal(back.values, [-np.inf, 40, np.inf])
    np.testing.assert_array_equal(back.clipped, [True, False, True])


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), fortran=st.booleans())
def test_the_loss_is_what_counting_gives(seed: int, fortran: bool) -> None:
    array = np.random.default_rng(seed).normal(0, 500, (4, 5, 6)).astype(np.float32)
    array[0, 0, 0], array[1, 1, :3] = np.nan, -3000
    window, padding = Window(-100, 800), (-3000.0, -2990.0)
    found = loss(np.asarray(array, order="F" if fortran else "C"), window, padding)
    kept = array[np.isfinite(array) & (array > -2990)].astype(np.float64)
    inside = kept[(kept >= -500) & (kept <= 300)]
    assert (found.n, found.left_out) == (116, 4)
    assert found.below == (kept < -500).sum() / 116
    assert found.above == (kept > 300).sum() / 116
    assert found.mean == pytest.approx(inside.mean(), abs=1e-9)
    assert found.std == pytest.approx(inside.std(), abs=1e-9)


def test_the_loss_of_nothing_is_not_a_number_and_of_a_sigmoid_none() -> None:
    nothing = loss(np.full((2, 2), 5000), Window(0, 10))
    assert np.isnan([nothing.mean, nothing.std]).all()
    assert (nothing.below, nothing.above, nothing.n) == (0, 1, 4)
    assert loss(values, Window(0, 10, "SIGMOID")).below == 0


def test_nan_stays_and_the_input_is_not_touched() -> None:
    for function, width in (("LINEAR", 1), ("LINEAR", 400), ("LINEAR_EXACT", 400), ("SIGMOID", 400)):
        array = np.array([np.nan, 0, 500], np.float32)
        assert np.isnan(apply(array, Window(40, width, function))).tolist() == [True, False, False]  # type: ignore[arg-type]
        np.testing.assert_array_equal(array, [np.nan, 0, 500])


@pytest.mark.parametrize(
    ("width", "function"), [(0.5, "LINEAR"), (0, "LINEAR_EXACT"), (-1, "SIGMOID"), (np.inf, "LINEAR"), (4, "CUBIC")]
)
def test_impossible_windows_are_refused(width: float, function: Function) -> None:
    with pytest.raises(SafelightError, match="E-IMAGING-WINDOW-VALUES"):
        Window(0, width, function)


def test_windows_have_names() -> None:
    assert named("lung") == Window(-600, 1500)
    assert named("pulmonary_embolism", "LINEAR") == Window(100, 700, "LINEAR")
    assert named("soft_tissue") == Window(40, 400)
    with pytest.raises(ConfigurationError, match="there are lung, pulmonary_embolism"):
        named("lungs")


def test_every_name_has_a_source_and_a_window_that_can_be() -> None:
    for name, preset in presets().items():
        assert len(preset.source) > 20, name
        assert named(name).span > 0
        assert {"CT": "HU", "PT": "g/ml"}[preset.modality] == preset.unit


@pytest.mark.parametrize("text", ["lung: {center: 1}", "lung: [", "Lung 1: {}"])
def test_a_broken_file_of_windows_is_a_configuration_error(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert "E-IMAGING-WINDOW" in catalogue()
    (tmp_path / "windows.yaml").write_text(text, "utf-8")
    monkeypatch.setattr(presets_module, "files", lambda _package: tmp_path)
    presets.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="E-IMAGING-WINDOW"):
            presets()
    finally:
        presets.cache_clear()
