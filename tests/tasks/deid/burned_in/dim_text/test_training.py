"""Training lowers its loss, is the same twice, and writes a network that onnxruntime runs as torch does."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from tasks.deid.burned_in.dim_text.learning import learn, loss_of
from tasks.deid.burned_in.dim_text.network import LineNet
from tasks.deid.burned_in.dim_text.train import Recipe, exported, train
from tasks.errors import ConfigurationError

TTF = Path(mpl.get_data_path()) / "fonts" / "ttf"
TINY = Recipe(processes=1, pictures=4, side=64, steps=2)


@pytest.fixture(autouse=True)
def _as_before() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_onnxruntime_gives_what_torch_gives(tmp_path: Path) -> None:
    network = LineNet(8, 12, 16)
    network(torch.randn(4, 6, 64, 64) * 40)  # statistics of its normalisations that are not the first ones
    session = onnxruntime.InferenceSession(exported(network), providers=["CPUExecutionProvider"])
    for shape in ((64, 64), (72, 136)):
        shown = torch.randint(-127, 128, (1, 6, *shape)).float()
        with torch.inference_mode():
            wanted = network(shown).numpy()
        [made] = session.run(None, {"shown": shown.numpy()})
        assert made.shape == (1, 1, shape[0] // 2, shape[1] // 2)
        np.testing.assert_allclose(made, wanted, rtol=1e-3, atol=1e-4)


def test_it_learns_where_stripes_are() -> None:
    """Stripes in one half of each picture, noise in the other: the loss falls to a part of what it was."""
    rng = np.random.default_rng(0)
    shown = rng.integers(-20, 21, (16, 6, 32, 32)).astype(np.int8)
    wanted = np.zeros((16, 16, 16), np.uint8)
    shown[:, :, 16:24, ::4] = 100
    wanted[:, 8:12] = 1
    losses: list[float] = []
    learn(LineNet(8, 12, 16), shown, wanted, seed=0, steps=80, report=lambda _step, loss: losses.append(loss))
    assert len(losses) == 80
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_pixels_of_either_answer_cost_nothing() -> None:
    wanted = torch.zeros(1, 8, 8, dtype=torch.uint8)
    wanted[0, :4], wanted[0, 4] = 1, 2
    right = torch.where(wanted == 1, 20.0, -20.0)
    either = right.clone()
    either[0, 4] = 20
    assert float(loss_of(right, wanted)) == pytest.approx(float(loss_of(either, wanted)), abs=1e-6)
    wrong = right.clone()
    wrong[0, 7] = 20
    assert float(loss_of(wrong, wanted)) > 1


def test_training_again_gives_the_same_bytes(tmp_path: Path) -> None:
    lines: list[str] = []
    for name in ("one", "two"):
        train(tmp_path / name, TTF, TINY, lines.append)
    for file in ("dim_text.onnx", "dim_text.yaml"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    told = yaml.safe_load((tmp_path / "one" / "dim_text.yaml").read_text("utf-8"))
    assert told["pictures"] == 4
    assert any(line.startswith("step 2 of 2") for line in lines)


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="E-DEID-TEXT-FONTS"):
        train(tmp_path, tmp_path, TINY)
