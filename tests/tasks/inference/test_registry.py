"""A version that read once stays as it was; a name means what was promoted; and what must not be handed on is not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tasks.errors import ConfigurationError
from tasks.inference import registry
from tasks.inference.bundle import load
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tests.tasks.inference.made import bundle, publish, volume
from tests.tasks.inference.networks import TILE, segmenter, unet
from tests.tasks.inference.test_adapters import resealed


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


def test_a_version_is_kept_once_and_never_changes(tmp_path: Path, lake: Lake) -> None:
    first = load(bundle(tmp_path / "a"))
    assert registry.register(lake, first)
    assert not registry.register(lake, first)
    before = {path: lake.read(path) for path in lake.files("models")}
    assert set(before) == {"models/tiny/1.0.0/manifest.yaml", "models/tiny/1.0.0/weights.safetensors"}
    for number, change in enumerate(({"intended_use": "Another."}, {"accepted": {"modality": ["CT"], "slice_mm": [1, 2]}})):
        with pytest.raises(ConfigurationError, match="E-INFER-VERSION"):
            registry.register(lake, load(bundle(tmp_path / f"b{number}", **change)))
    assert {path: lake.read(path) for path in lake.files("models")} == before
    assert registry.register(lake, load(bundle(tmp_path / "c", intended_use="Another.", version="1.0.1")))
    assert [(each.name, each.version, each.current) for each in registry.registered(lake)] == [
        ("tiny", "1.0.0", False), ("tiny", "1.0.1", False),
    ]  # fmt: skip


def test_a_registration_that_was_killed_half_way_is_done_again(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(bundle(tmp_path / "a"))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_place", _killed_after_the_first(Lake._place))
        with pytest.raises(KeyboardInterrupt):
            registry.register(lake, model)
    assert registry.register(lake, model)
    assert registry.verify(lake, "tiny", "1.0.0").manifest == model.manifest


def _killed_after_the_first(place: Callable[..., None]) -> Callable[..., None]:
    """Places the note of what is coming, and is killed before the files themselves."""
    done: list[int] = []

    def killed(*arguments: object) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        place(*arguments)

    return killed


def test_versions_are_in_the_order_of_their_numbers(tmp_path: Path, lake: Lake) -> None:
    for number, version in enumerate(("1.10.0", "1.9.0", "1.2.0")):
        registry.register(lake, load(bundle(tmp_path / str(number), version=version)))
    assert [each.version for each in registry.registered(lake)] == ["1.2.0", "1.9.0", "1.10.0"]


def test_a_name_means_the_promoted_version_and_a_number_a_version_itself(tmp_path: Path, lake: Lake) -> None:
    for version in ("1.0.0", "1.0.1"):
        registry.register(lake, load(bundle(tmp_path / version, version=version)))
    with pytest.raises(ConfigurationError, match="E-INFER-MODEL-MISSING"):
        registry.find(lake, "tiny")  # none was promoted, and none is shipped
    registry.promote(lake, "tiny", "1.0.0")
    assert registry.find(lake, "tiny").manifest.version == "1.0.0"
    assert registry.find(lake, "tiny@1.0.1").manifest.version == "1.0.1"
    with pytest.raises(ConfigurationError, match="E-CHANGE-VERDICT"):
        registry.promote(lake, "tiny", "1.0.1")  # tests/tasks/changes/test_promotion.py has the ways that lead there
    assert registry.find(lake, "tiny").manifest.version == "1.0.0"
    for missing in ("tiny@3.0.0", "nothing@1.0.0"):
        with pytest.raises(ConfigurationError, match="E-INFER-MODEL-MISSING"):
            registry.find(lake, missing)
    with pytest.raises(ConfigurationError, match="E-INFER-MODEL-MISSING"):
        registry.promote(lake, "tiny", "9.9.9")
    assert registry.find(lake, "demo_nodule").manifest.name == "demo_nodule"


def test_a_model_that_was_tampered_with_in_the_lake_does_not_read(tmp_path: Path, lake: Lake) -> None:
    registry.register(lake, load(bundle(tmp_path / "a")))
    weights = Path(lake.url) / "models/tiny/1.0.0/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ConfigurationError, match="E-INFER-WEIGHTS"):
        registry.find(lake, "tiny@1.0.0")
    with pytest.raises(ConfigurationError, match="E-INFER-VERSION"):
        registry.verify(lake, "tiny", "1.0.0")


def test_an_exported_network_with_an_image_is_not_registered(tmp_path: Path, lake: Lake) -> None:
    torch.manual_seed(0)
    torch.export.save(torch.export.export(unet(), (torch.rand(1, 1, *TILE),)), tmp_path / "leak.pt2")
    model = resealed(segmenter(tmp_path / "m", "pt2"), (tmp_path / "leak.pt2").read_bytes())
    with pytest.raises(ConfigurationError, match="E-INFER-EXAMPLE"):
        registry.register(lake, load(model))
    assert not lake.files("models")


def test_a_registered_monai_bundle_reads_from_the_lake_alone(tmp_path: Path, lake: Lake) -> None:
    model = segmenter(tmp_path / "m", "monai")
    registry.register(lake, load(model))
    key = publish(lake, 1, volume(1))
    (tmp_path / "m").rename(tmp_path / "away")
    assert InferStage(lake, "segmenter@1.0.0").run(key, "input", "f").passed == 1
