"""The network that comes with the project: what it finds, what it leaves alone, and that it is the one its description tells of."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml

from tasks.deid.burned_in.dim_text import finding
from tasks.deid.burned_in.dim_text.finding import find
from tasks.errors import SafelightError
from tests.tasks.deid.burned_in.images import SHAPE, ink

LETTERS = ink() > 0.35


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Noise of 10 around 1000, and a corner of 3,000 that takes the window."""
    made = np.random.default_rng(seed).normal(1000, 10, shape)
    made[:12, :12] = 3000
    return made


def covered(picture: np.ndarray, letters: np.ndarray) -> float:
    mask = np.zeros(letters.shape, bool)
    for found in find(picture, 0.99):
        mask[found.box.slices()] = True
    return float(mask[letters].mean())


@pytest.mark.parametrize("rise", [25, 60, 1500, -60])
def test_letters_are_found_from_two_and_a_half_noises_on_bright_or_dark(rise: float) -> None:
    assert covered(noise(SHAPE) + rise * ink(), LETTERS) > 0.95


def test_noise_alone_is_left_alone() -> None:
    """With ten times the doubt that counts as a rule: so much is allowed where a projection has shown text."""
    for seed in range(20):
        assert find(noise((256, 256), seed), 0.9) == ()


def test_letters_weaker_than_noise_are_not_found_so_the_tests_above_can_fail() -> None:
    assert covered(noise(SHAPE) + 4 * ink(), LETTERS) < 0.5


@pytest.mark.parametrize("shape", [(129, 257), (131, 1210), (1210, 263)])
def test_pictures_of_any_size_and_lines_across_tiles(shape: tuple[int, int]) -> None:
    """Two tiles of a side of 1,210 meet at 605: a line that crosses there is found whole."""
    top, left = max(0, min(shape[0] - SHAPE[0], 605 - 45)), max(0, min(shape[1] - SHAPE[1], 605 - 140))
    letters = np.zeros(shape, bool)
    picture = noise(shape)
    picture[top : top + SHAPE[0], left : left + SHAPE[1]] += 100 * ink()
    letters[top : top + SHAPE[0], left : left + SHAPE[1]] = LETTERS
    assert covered(picture, letters) > 0.95


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (7, 9, 3), (1, 4, 3)])
def test_pictures_too_small_for_any_letter_have_none(shape: tuple[int, ...]) -> None:
    assert find(np.random.default_rng(0).integers(0, 255, shape).astype("u1"), 0.5) == ()


def test_its_description_is_of_this_network() -> None:
    folder = files("configs") / "text"
    told = yaml.safe_load((folder / "dim_text.yaml").read_text("utf-8"))
    assert sha256((folder / "dim_text.onnx").read_bytes()).hexdigest() == told["sha256"]
    assert told["fonts"]
    assert not any("DejaVu" in name for name in told["fonts"]), "the measurement draws with them"


def test_without_its_weights_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    finding._session.cache_clear()
    monkeypatch.setattr(finding, "_WEIGHTS", "text/none.onnx")
    with pytest.raises(SafelightError, match="E-DEID-TEXT-DETECTOR"):
        find(noise(SHAPE), 0.9)
    finding._session.cache_clear()


def test_it_needs_no_torch_and_no_opencv() -> None:
    code = (
        "import sys, numpy\nfrom tasks.deid.burned_in.dim_text.finding import find\n"
        "assert not {'onnxruntime', 'scipy'} & set(sys.modules)\nfind(numpy.random.default_rng(0).normal(0, 1, (64, 64)), 0.5)\n"
        "assert not {'torch', 'cv2', 'PIL', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[5])
