"""A bundle is opened only when its manifest is valid and its weights are those that the manifest names."""

from __future__ import annotations

import pickle
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import yaml
from pydicom.sr.codedict import codes
from safetensors.torch import load_file, save

from tasks.errors import ConfigurationError
from tasks.inference.adapters.modules import build
from tasks.inference.bundle import MANIFEST, Bundle, folder_of, load, names
from tasks.inference.execution import REFERENCE
from tasks.inference.networks import NoduleNet
from tasks.inference.reader import open_reader
from tests.tasks.inference.made import bundle, manifest

FINDING, WINDOW = manifest()["findings"][0], manifest()["input"]["window"]


def refusal(model: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        open_reader(load(model), REFERENCE)
    return caught.value


def test_one_changed_bit_of_the_weights_is_caught(tmp_path: Path) -> None:
    model = bundle(tmp_path / "m")
    load(model)
    weights = tmp_path / "m" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert refusal(model).code == "E-INFER-WEIGHTS"


def test_weights_that_change_after_the_bundle_was_opened_are_caught_when_they_are_read(tmp_path: Path) -> None:
    opened = load(bundle(tmp_path / "m", name="later"))
    (tmp_path / "m" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(ConfigurationError, match="E-INFER-WEIGHTS"):
        opened.weights()


def test_missing_weights_are_told(tmp_path: Path) -> None:
    model = bundle(tmp_path / "m")
    (tmp_path / "m" / "weights.safetensors").unlink()
    assert refusal(model).code == "E-INFER-WEIGHTS"


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    for model in ("no_such_model", "..", "", "./nowhere"):
        assert refusal(model).code == "E-INFER-MODEL-MISSING"
    assert "demo_nodule" in str(refusal("no_such_model"))
    assert names() == ["deepbet", "demo_nodule"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"name": "Has Spaces"}, "name"),
        ({"version": "1.0"}, "version"),
        ({"weights": {"file": "../elsewhere.safetensors"}}, "within the model's folder"),
        ({"weights": {"file": "/etc/weights"}}, "within the model's folder"),
        ({"weights": {"format": "pickle"}}, "weights.format"),
        ({"weights": {"format": "onnx"}}, "architecture belongs to safetensors"),
        ({"weights": {"package": "deepbet"}}, "belong to the format package"),
        ({"weights": {"also": {"../x": "0" * 64}}}, "within the model's folder"),
        ({"findings": []}, "findings"),
        ({"findings": [FINDING | {"operating_points": []}]}, "operating points unless"),
        ({"findings": [FINDING, FINDING]}, "names and channels of their own"),
        ({"findings": [FINDING | {"operating_points": [{"name": "x", "threshold": 1.5, "source": "y"}]}]}, "threshold"),
        ({"findings": [FINDING | {"service_level": {"minutes": 5, "by": "07:00"}}]}, "either minutes or by"),
        ({"findings": [FINDING | {"bands": [{"name": "a", "lowest": 0.5, "probability": [0, 1], "source": "b"}]}]}, "begin at 0"),
        ({"weights": {"architecture": {"network": "os.system", "arguments": {}}}}, "architecture.network"),
        ({"head": {"kind": "segmentation"}}, "operating points unless"),
        ({"input": manifest()["input"] | {"tiling": {"shape": [8, 8, 8]}}}, "only maps"),
        (
            {"profile": {"mean": [0, float("nan")], "std": [0, 1], "content_range": [0, 1], "content_share": [0, 1]}},
            "profile.mean",
        ),
        ({"input": manifest()["input"] | {"order": "window"}}, "input.order"),
        ({"input": manifest()["input"] | {"spacing_mm": [2.5, 0, 2.5]}}, "positive"),
        ({"input": manifest()["input"] | {"window": WINDOW | {"width": 0}}}, "width"),
    ],
)
def test_a_wrong_entry_of_the_manifest_is_named(tmp_path: Path, change: dict[str, object], field: str) -> None:
    error = refusal(bundle(tmp_path / "m", **change))
    assert error.code == "E-INFER-MANIFEST"
    assert field in error.place


@pytest.mark.parametrize("entry", list(manifest()))
def test_every_entry_of_the_manifest_is_required(tmp_path: Path, entry: str) -> None:
    bundle(tmp_path / "m")
    path = tmp_path / "m" / MANIFEST
    said = yaml.safe_load(path.read_text("utf-8"))
    del said[entry]
    path.write_text(yaml.safe_dump(said), "utf-8")
    error = refusal(str(tmp_path / "m"))
    assert (error.code, error.place) == ("E-INFER-MANIFEST", f"m: {entry} is missing")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\xff", b"- a list", b"", b"just words"])
def test_a_file_that_is_no_manifest_is_told(tmp_path: Path, content: bytes) -> None:
    bundle(tmp_path / "m")
    (tmp_path / "m" / MANIFEST).write_bytes(content)
    assert refusal(str(tmp_path / "m")).code == "E-INFER-MANIFEST"


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "no.such.module:Net",
        "tasks.inference.networks:Missing",
        "tasks.inference.networks:STRIDE",
        "pickle:Unpickler",
    ],
)
def test_only_a_network_is_ever_called(tmp_path: Path, name: str) -> None:
    model = bundle(tmp_path / "m", weights={"architecture": {"network": name, "arguments": {"channels": 4}}})
    assert refusal(model).code == "E-INFER-ARCHITECTURE"


def test_arguments_that_the_network_does_not_take_are_told(tmp_path: Path) -> None:
    for arguments in ({"channels": "many"}, {"layers": 4}):
        model = bundle(
            tmp_path / "m", weights={"architecture": {"network": "tasks.inference.networks:NoduleNet", "arguments": arguments}}
        )
        assert refusal(model).code == "E-INFER-ARCHITECTURE"


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    content = save(NoduleNet(6).state_dict())
    model = bundle(tmp_path / "m", weights={"sha256": sha256(content).hexdigest()})
    (tmp_path / "m" / "weights.safetensors").write_bytes(content)
    assert refusal(model).code == "E-INFER-ARCHITECTURE"


def test_a_pickle_is_never_opened_even_where_its_hash_is_right(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    content = pickle.dumps(Trap())
    model = bundle(tmp_path / "m", weights={"sha256": sha256(content).hexdigest()})
    (tmp_path / "m" / "weights.safetensors").write_bytes(content)
    assert refusal(model).code == "E-INFER-ARCHITECTURE"
    assert not (tmp_path / "sprung").exists()


def test_each_preprocessing_setting_has_its_own_hash(tmp_path: Path) -> None:
    plain = manifest()["input"]
    changes = [
        {}, {"order": "window_then_resample"}, {"window": WINDOW | {"width": 1201.0}}, {"window": WINDOW | {"center": -401.0}},
        {"spacing_mm": [2.5, 2.5, 2.6]}, {"spacing_mm": [2.6, 2.5, 2.5]}, {"shape": [8, 8, 8]}, {"orientation": "RAS"},
        {"padding": -1000.0}, {"floor": -1000.0},
    ]  # fmt: skip
    opened = [load(bundle(tmp_path / str(number), input=plain | change)) for number, change in enumerate(changes)]
    assert len({made.preprocessing_sha256 for made in opened}) == len(changes)
    other = load(bundle(tmp_path / "other", intended_use="Something else."))
    assert other.preprocessing_sha256 == opened[0].preprocessing_sha256
    assert other.manifest_sha256 != opened[0].manifest_sha256


def test_a_bundle_travels_to_worker_processes(tmp_path: Path) -> None:
    opened = load(bundle(tmp_path / "m"))
    again: Bundle = pickle.loads(pickle.dumps(opened))
    assert again == opened


def test_the_demos_bundle_is_small_and_says_what_it_is() -> None:
    demo = load("demo_nodule")
    assert sum(path.stat().st_size for path in folder_of("demo_nodule").iterdir()) < 2_000_000
    assert demo.manifest.synthetic_only
    assert "not for clinical use" in demo.manifest.intended_use
    parameters = sum(values.numel() for values in build(demo.manifest.weights.architecture).parameters())
    assert demo.manifest.training["parameters"] == parameters <= 400_000
    assert all(torch.isfinite(values).all() for values in load_file(demo.path(demo.manifest.weights.file)).values())


def test_the_findings_code_is_that_of_the_dicom_dictionary() -> None:
    said = load("demo_nodule").manifest.findings[0].code
    assert (said.value, said.scheme, said.meaning) == (
        codes.SCT.Nodule.value,
        codes.SCT.Nodule.scheme_designator,
        codes.SCT.Nodule.meaning,
    )
