"""The same network in every format gives the same labels; a file that could run code, or that holds an image, is not opened."""

from __future__ import annotations

import json
import pickle
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from tasks.errors import ConfigurationError
from tasks.inference import reader
from tasks.inference.bundle import load
from tasks.inference.execution import REFERENCE, Execution, variant_of
from tasks.inference.preprocess import prepare
from tasks.inference.protocol import Found
from tasks.inference.reader import open_reader
from tasks.inference.volume import Volume
from tests.tasks.inference.made import chest_like, lps
from tests.tasks.inference.networks import FORMATS, TILE, segmenter, traced, unet


def read(model: str, how: Execution = REFERENCE) -> Found:
    bundle = load(model)
    opened = open_reader(bundle, how)
    return opened.infer(prepare(Volume(chest_like(5, (40, 36, 28)), lps()), bundle.manifest.input))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("formats")
    return {kind: segmenter(folder / kind, kind) for kind in FORMATS}


def test_one_network_gives_the_same_labels_in_every_format(models: dict[str, str]) -> None:
    found = {kind: read(model).labels for kind, model in models.items()}
    reference = found.pop("safetensors")
    assert reference is not None
    assert set(np.unique(reference)) == {0, 1, 2}  # all that it can say
    for kind, labels in found.items():
        assert labels is not None, kind
        np.testing.assert_array_equal(labels, reference, kind)


@pytest.mark.parametrize("variant", ["bf16", "channels_last", "bf16+channels_last"])
def test_faster_ways_say_nearly_the_same(models: dict[str, str], variant: str) -> None:
    reference, faster = (
        read(models["safetensors"]).labels,
        read(models["safetensors"], Execution(variant=variant_of(variant))).labels,
    )
    assert reference is not None
    assert faster is not None
    assert (reference != faster).mean() < 0.1


def test_twice_the_same_bytes(models: dict[str, str]) -> None:
    first = read(models["safetensors"]).labels
    reader._readers.clear()
    second = read(models["safetensors"]).labels
    assert first is not None
    assert second is not None
    assert first.tobytes() == second.tobytes()


class Trap:
    """A pickle that touches a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return (Path.touch, (self.path,))


def resealed(model: str, content: bytes) -> str:
    """The bundle with other weights, whose hash the manifest names."""
    path = Path(model) / "manifest.yaml"
    said = yaml.safe_load(path.read_text("utf-8"))
    (Path(model) / said["weights"]["file"]).write_bytes(content)
    said["weights"]["sha256"] = sha256(content).hexdigest()
    path.write_text(yaml.safe_dump(said), "utf-8")
    return model


def refusal(model: str, how: Execution = REFERENCE) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(model, how)
    return caught.value.code


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["state_dict", "torchscript", "monai", "pt2", "onnx"])
def test_a_pickle_that_would_run_code_is_not_opened(tmp_path: Path, kind: str) -> None:
    trap = tmp_path / "sprung"
    torch.save({"state_dict": Trap(trap)}, tmp_path / "trap.pt")
    for content in (pickle.dumps(Trap(trap)), (tmp_path / "trap.pt").read_bytes(), b"", b"PK\x03\x04"):
        model = segmenter(tmp_path / f"m{sha256(content).hexdigest()[:8]}", kind)
        assert refusal(resealed(model, content)) in {"E-INFER-PICKLE", "E-INFER-ARCHITECTURE"}
        assert not trap.exists()


def test_an_exported_network_that_holds_an_image_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, *TILE)
    torch.export.save(torch.export.export(unet(), (image,)), tmp_path / "leak.pt2")
    assert image.numpy().tobytes()[:400] in (tmp_path / "leak.pt2").read_bytes()  # the reason for all this
    model = segmenter(tmp_path / "m", "pt2")
    assert read(model).labels is not None
    assert refusal(resealed(model, (tmp_path / "leak.pt2").read_bytes())) == "E-INFER-EXAMPLE"


def test_an_exported_network_with_a_pickled_weight_that_runs_code_is_refused(tmp_path: Path) -> None:
    """torch.export.load would unpickle such a part without asking."""
    import zipfile

    trap = tmp_path / "sprung"
    torch.save(Trap(trap), tmp_path / "trap.pt")
    torch.export.save(torch.export.export(unet(), (torch.zeros(1, 1, *TILE),)), tmp_path / "good.pt2")
    with zipfile.ZipFile(tmp_path / "good.pt2") as good, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name.endswith("weights_config.json"):
                said = json.loads(content)
                next(iter(said["config"].values()))["use_pickle"] = True
                content = json.dumps(said).encode()
            elif name.endswith("weight_0"):
                content = (tmp_path / "trap.pt").read_bytes()
            bad.writestr(name, content)
    assert refusal(resealed(segmenter(tmp_path / "m", "pt2"), (tmp_path / "bad.pt2").read_bytes())) == "E-INFER-PICKLE"
    assert not trap.exists()


@pytest.mark.parametrize(
    "described",
    [
        {"_target_": "os.system", "command": "true"},
        {"_target_": "subprocess.run", "args": ["true"]},
        {"_target_": "UNet", "spatial_dims": "$__import__('os').getpid()"},
        {"_target_": "LoadImage"},
        {"_target_": "UNet", "channels": "@nowhere"},
        {"_target_": "UNet", "act": {"_target_": "builtins.print"}},
        "$monai.networks.nets.UNet()",
        None,
        {"_target_": "UNet", "spatial_dims": 3},
    ],
)
def test_a_monai_bundle_may_describe_a_network_and_nothing_else(tmp_path: Path, described: Any) -> None:
    model = segmenter(tmp_path / "m", "monai")
    config = tmp_path / "m" / "configs" / "inference.json"
    said = json.loads(config.read_text("utf-8")) | {"network_def": described}
    config.write_text(json.dumps(said), "utf-8")
    assert refusal(model) == "E-INFER-WEIGHTS"  # another description than the manifest's
    manifest = tmp_path / "m" / "manifest.yaml"
    sealed = yaml.safe_load(manifest.read_text("utf-8"))
    sealed["weights"]["also"] = {"configs/inference.json": sha256(config.read_bytes()).hexdigest()}
    manifest.write_text(yaml.safe_dump(sealed), "utf-8")
    assert refusal(model) == "E-INFER-MONAI"


def test_weights_of_another_network_are_told_in_every_format(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    for kind in ("state_dict", "monai"):
        model = segmenter(tmp_path / kind, kind)
        assert refusal(resealed(model, (tmp_path / "other.pt").read_bytes())) == "E-INFER-ARCHITECTURE"


def test_what_cannot_be_run_so_is_told_before_any_work(models: dict[str, str]) -> None:
    assert refusal(models["onnx"], Execution(variant=("bf16",))) == "E-INFER-VARIANT"
    if not torch.cuda.is_available():
        assert refusal(models["safetensors"], Execution(device="cuda")) == "E-INFER-DEVICE"
        assert refusal(models["onnx"], Execution(device="cuda")) == "E-INFER-DEVICE"
    with pytest.raises(ConfigurationError, match="E-INFER-VARIANT"):
        variant_of("bf17")
    assert variant_of("channels_last+bf16") == ("bf16", "channels_last")


def test_a_script_keeps_what_it_computes(tmp_path: Path) -> None:
    """The oracle is torch itself, without anything of ours."""
    network, image = unet(), torch.rand(1, 1, *TILE)
    with torch.inference_mode():
        torch.testing.assert_close(traced(network)(image), network(image))
