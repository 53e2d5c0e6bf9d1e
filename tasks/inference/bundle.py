"""A model bundle: a folder with `manifest.yaml`, which says what the model is for and how its input is made, and its weights.

Weights are safetensors: numbers and names, nothing that a reader could be made to execute, as a pickle could.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import ConfigurationError
from tasks.stage import digest

MANIFEST = "manifest.yaml"

#: Raised by hand whenever `tasks.inference.preprocess` makes another input from the same volume and settings.
PREPROCESSING_REVISION = 1

Range = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Architecture(_Part):
    """The network that the weights belong to: an importable subclass of `torch.nn.Module`, as `module:Class`, and its arguments."""

    network: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    arguments: dict[str, int | float | bool | str] = {}


class Window(_Part):
    """Linear window in HU: `center - width/2` becomes 0, `center + width/2` becomes 1, clipped."""

    center: float
    width: float = Field(gt=0)


class Input(_Part):
    """How a volume becomes the network's input. Changing any of this changes what the model sees, hence its hash.

    Args:
        spacing_mm: of the input's voxels, (z, y, x).
        shape: voxels (z, y, x) that the input is evenly padded or cropped to; None leaves the volume's own extent.
        orientation: where the axes (x, y, z) point: to the patient's Left, Posterior and Superior, or Right and Anterior.
        interpolation: between voxels.
        window: HU to 0…1.
        order: whether HU are interpolated and then windowed, or the reverse; the two differ wherever the window clips.
        padding_hu: what stands outside of the image; lower values, which mark such pixels, become it.
    """

    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int] | None
    orientation: Literal["LPS", "RAS"]
    interpolation: Literal["linear"]
    window: Window
    order: Literal["resample_then_window", "window_then_resample"]
    padding_hu: float

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if min(self.spacing_mm) <= 0 or min(self.shape or (1,)) < 1:
            raise ValueError("spacing_mm and shape must be positive")
        return self


class Accepted(_Part):
    """The header gate: what the model may be shown. `None` accepts any value, and a missing one."""

    modality: tuple[str, ...]
    body_part: tuple[str, ...] | None
    slice_mm: Range
    convolution_kernel: tuple[str, ...] | None


class Profile(_Part):
    """The input gate: what inputs of the training looked like, with a margin.

    Args:
        mean, std: ranges of the prepared input's mean and standard deviation.
        content_hu: the HU of what must be there (lung, say).
        content_share: range of the share of the volume's voxels that are of these HU.
    """

    mean: Range
    std: Range
    content_hu: Range
    content_share: Range


class Output(_Part):
    """What the model says: a finding, with its code, as a score from 0 to 1."""

    finding: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    code_scheme: str
    code_value: str
    code_meaning: str
    score: Literal["probability-like", "uncalibrated"]


class OperatingPoint(_Part):
    """From which score on a study counts as positive, and where that number comes from."""

    name: str
    threshold: float = Field(ge=0, le=1)
    source: str


class Manifest(_Part):
    """Everything that is said of a model. The first operating point is the one that an evaluation takes."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    intended_use: str
    synthetic_only: bool
    architecture: Architecture
    input: Input
    accepted: Accepted
    profile: Profile
    output: Output
    operating_points: tuple[OperatingPoint, ...] = Field(min_length=1)
    weights: str = Field(pattern=r"^[A-Za-z0-9_-]+\.safetensors$")
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    training: dict[str, str | int | float]

    @property
    def operating_point(self) -> OperatingPoint:
        """The one that an evaluation takes unless it is told another."""
        return self.operating_points[0]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model whose weights are those that its manifest names. Picklable: worker processes get the one that was checked."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str

    @property
    def preprocessing_sha256(self) -> str:
        """Names the way from volume to input: all settings, and the revision of the code."""
        return digest({"settings": self.manifest.input.model_dump(mode="json"), "revision": PREPROCESSING_REVISION})

    def weights(self) -> bytes:
        """The safetensors file's bytes, checked as they are read.

        Raises:
            ConfigurationError: E-INFER-WEIGHTS where they are missing or not those of the manifest.
        """
        path = self.folder / self.manifest.weights
        content = path.read_bytes() if path.is_file() else b""
        if sha256(content).hexdigest() != self.manifest.weights_sha256:
            raise ConfigurationError("E-INFER-WEIGHTS", f"{self.manifest.name} {self.manifest.version}")
        return content


def folder_of(model: Path | str) -> Path:
    """Where a model's bundle is: below `configs/models/` by its name, or the folder that a path (with a slash) names."""
    if isinstance(model, Path) or "/" in model:
        return Path(model)
    return Path(str(files("configs").joinpath("models", model)))


def names() -> list[str]:
    """The models of `configs/models/`."""
    return sorted(path.parent.name for path in folder_of("x").parent.glob(f"*/{MANIFEST}"))


def load(model: Path | str) -> Bundle:
    """Open and check a bundle, named or in a folder.

    Raises:
        ConfigurationError: E-INFER-MODEL-MISSING, E-INFER-MANIFEST with the fields that are wrong, E-INFER-WEIGHTS.
    """
    folder = folder_of(model)
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError("E-INFER-MODEL-MISSING", f"{model}; there are {', '.join(names()) or 'none'}")
    content = (folder / MANIFEST).read_bytes()
    bundle = Bundle(folder, parse(content, folder.name), sha256(content).hexdigest())
    bundle.weights()
    return bundle


def parse(content: bytes, where: str) -> Manifest:
    """A manifest from its YAML; raise ConfigurationError E-INFER-MANIFEST with the fields that are wrong."""
    try:
        said: Any = yaml.safe_load(content)
        return Manifest.model_validate(said)
    except yaml.YAMLError:
        raise ConfigurationError("E-INFER-MANIFEST", f"{where}: not YAML") from None
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        fields = "; ".join(f"{'.'.join(map(str, entry['loc'])) or 'the whole'}: {entry['msg']}" for entry in problems)
        raise ConfigurationError("E-INFER-MANIFEST", f"{where}: {fields}") from None
