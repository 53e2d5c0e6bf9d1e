"""What is said of a model: what it is for, what it may be shown, how its input is made, what comes out, and how soon.

`manifest.yaml` in the model's folder. Everything that changes what the model sees or says stands here, and nowhere else.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks import written

Range = tuple[float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Importable = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Code(_Part):
    """A coded concept: SNOMED CT is `SCT`, RadLex `RADLEX` (PS3.16, table 8-1)."""

    scheme: str = Field(pattern=r"^[A-Z0-9_]{1,16}$")
    value: str = Field(min_length=1, max_length=64)
    meaning: str = Field(min_length=1, max_length=64)


# ---- weights ------------------------------------------------------------------------------------------------------------


class Architecture(_Part):
    """The network that weights belong to: an importable subclass of `torch.nn.Module`, and the arguments of its constructor."""

    network: Importable
    arguments: dict[str, int | float | bool | str | list[int]] = {}


class Weights(_Part):
    """Which file, of which format, with which content.

    Args:
        format: `safetensors` or `state_dict` (a pickle of tensors alone) for a network of `architecture`; `torchscript`; `pt2`
            (torch.export); `onnx`; `monai` (a bundle's folder, of which `file` is the state dict); `package` (a Python package that
            brings its weights, of which `file` is a path within it).
        file: within the model's folder, or within the package.
        sha256: of its content.
        architecture: for `safetensors` and `state_dict`.
        network_id: for `monai`: the id in `configs/inference.json` that makes the network.
        also: SHA-256 by name of further files that the network is made from; of a MONAI bundle, its `configs/inference.json`.
        package, package_version: for `package`: the distribution's name and the version that was tested.
        reader: for `package`: the class that follows `tasks.inference.protocol.Reader`.
    """

    format: Literal["safetensors", "state_dict", "torchscript", "pt2", "onnx", "monai", "package"]
    file: str
    sha256: Sha256
    architecture: Architecture | None = None
    network_id: str = "network_def"
    also: dict[str, Sha256] = {}
    package: str | None = None
    package_version: str | None = None
    reader: Importable | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        paths = [PurePosixPath(name) for name in (self.file, *self.also)]
        if any(path.is_absolute() or ".." in path.parts or not path.name for path in paths):
            raise ValueError("file must be a path within the model's folder")
        if (self.architecture is not None) != (self.format in {"safetensors", "state_dict"}):
            raise ValueError("architecture belongs to safetensors and state_dict, and to nothing else")
        named = (self.package, self.package_version, self.reader)
        if any(value is None for value in named) == (self.format == "package") or (self.format != "package" and any(named)):
            raise ValueError("package, package_version and reader belong to the format package, all three")
        return self


# ---- input --------------------------------------------------------------------------------------------------------------


class LinearWindow(_Part):
    """Values to 0…1: `center - width/2` becomes 0, `center + width/2` becomes 1, clipped."""

    kind: Literal["window"]
    center: float
    width: float = Field(gt=0)


class Standardised(_Part):
    """Values less their mean, over their standard deviation: of all voxels, or of those that are not 0."""

    kind: Literal["standardise"]
    over: Literal["all", "nonzero"] = "all"


class Percentiles(_Part):
    """Values to 0…1: the low percentile becomes 0, the high one 1, clipped."""

    kind: Literal["percentiles"]
    low: float = Field(ge=0, lt=100)
    high: float = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Unchanged(_Part):
    """Values as they are."""

    kind: Literal["unchanged"]


class Tiling(_Part):
    """A network that is shown a part of the input at a time.

    Args:
        shape: voxels (z, y, x) of a tile; an input that is smaller is padded.
        overlap: the share of a tile that its neighbour shares, along each axis.
        blend: how overlapping tiles are weighted: all alike, or by a Gaussian with a standard deviation of an eighth of the tile.
        batch: tiles that the network is shown at once.
    """

    shape: tuple[int, int, int]
    overlap: float = Field(ge=0, lt=0.9, default=0.25)
    blend: Literal["constant", "gaussian"] = "gaussian"
    batch: int = Field(ge=1, le=64, default=1)


class Input(_Part):
    """How a volume becomes the network's input. Changing any of this changes what the model sees, hence its hash.

    Args:
        spacing_mm: of the input's voxels, (z, y, x); None leaves the volume's own.
        shape: voxels (z, y, x) that the input is evenly padded or cropped to; None leaves the volume's own extent.
        orientation: where the axes (x, y, z) point: to the patient's Left, Posterior and Superior, or Right and Anterior.
        interpolation: between voxels.
        window: what becomes of values.
        order: whether values are interpolated and then windowed, or the reverse; the two differ wherever the window clips.
        padding: the value that stands outside of the image; pixels that the file marks as padding become it first.
        floor: values below this become it, before anything else; None leaves them.
        tiling: None shows the network the whole input.
        dtype: of the numbers that the network is given.
    """

    spacing_mm: tuple[float, float, float] | None
    shape: tuple[int, int, int] | None = None
    orientation: Literal["LPS", "RAS"]
    interpolation: Literal["linear"]
    window: LinearWindow | Standardised | Percentiles | Unchanged = Field(discriminator="kind")
    order: Literal["resample_then_window", "window_then_resample"]
    padding: float
    floor: float | None = None
    tiling: Tiling | None = None
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (
            min(self.spacing_mm or (1.0,)) <= 0
            or min(self.shape or (1,)) < 1
            or min(self.tiling.shape if self.tiling else (1,)) < 1
        ):
            raise ValueError("spacing_mm and shapes must be positive")
        return self


# ---- gates --------------------------------------------------------------------------------------------------------------


class Accepted(_Part):
    """The header gate: what the model may be shown. `None` accepts any value, and a missing one; otherwise a missing one is refused.

    Args:
        modality, body_part, convolution_kernel: the values of DICOM that are accepted.
        slice_mm: what one slice stands for: the larger of the slices' distance and their thickness.
        pixel_mm: distance of neighbours within a slice, along both axes.
        kvp: tube voltage, in kV.
        echo_time_ms: of MR.
        contrast: whether the series names a contrast agent.
        length_mm: from the first slice's outer face to the last one's.
        complete: whether a volume with missing slices is refused.
    """

    modality: tuple[str, ...] = Field(min_length=1)
    body_part: tuple[str, ...] | None = None
    slice_mm: Range
    convolution_kernel: tuple[str, ...] | None = None
    pixel_mm: Range | None = None
    kvp: Range | None = None
    echo_time_ms: Range | None = None
    contrast: Literal["with", "without"] | None = None
    length_mm: Range | None = None
    complete: bool = True


class Profile(_Part):
    """The input gate: what inputs of the training looked like, with a margin.

    Args:
        mean, std: ranges of the prepared input's mean and standard deviation.
        content_range: the values, before the window, of what must be there (in HU: of lung, say); None where values have no unit.
        content_share: range of the share of the volume's voxels that have such values.
        p01, p50, p99: ranges of the prepared input's percentiles; None where they are not held to any.
    """

    mean: Range
    std: Range
    content_range: Range | None = None
    content_share: Range | None = None
    p01: Range | None = None
    p50: Range | None = None
    p99: Range | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.content_range is None) != (self.content_share is None):
            raise ValueError("content_range and content_share belong together")
        return self


# ---- output -------------------------------------------------------------------------------------------------------------


class Classification(_Part):
    """The network gives one score a finding, for the whole input. Activation: what turns its numbers into scores from 0 to 1."""

    kind: Literal["classification"]
    activation: Literal["none", "sigmoid", "softmax"] = "none"


class Segmentation(_Part):
    """The network gives a map a channel; a voxel's label is the highest one's (softmax), or whether the only one exceeds ½ (sigmoid)."""

    kind: Literal["segmentation"]
    activation: Literal["softmax", "sigmoid"] = "softmax"


class Detection(_Part):
    """Boxes with scores: from the network itself, or around the connected voxels of its map.

    Args:
        form: `boxes`: the network gives (n, 6) box edges z0, y0, x0, z1, y1, x1 in voxels of the input, (n,) scores and (n,) labels;
            `map`: it gives a map a finding.
        activation: for `map`.
        threshold: from which value of the map on a voxel belongs to a box; below it the network's boxes are left out.
        minimum_voxels: of a box's voxels; smaller ones are left out.
        maximum: boxes of a finding that are kept, those with the highest scores.
    """

    kind: Literal["detection"]
    form: Literal["boxes", "map"]
    activation: Literal["none", "sigmoid"] = "none"
    threshold: float = Field(gt=0, lt=1)
    minimum_voxels: int = Field(ge=1, default=1)
    maximum: int = Field(ge=1, default=100)


class OperatingPoint(_Part):
    """From which score on a finding counts as present, and where that number comes from."""

    name: str
    threshold: float = Field(ge=0, le=1)
    source: str


class Band(_Part):
    """Scores from `lowest` up to the next band's, and how often the finding was there among such scores.

    Args:
        name: for people: `high`, `low`.
        lowest: score that belongs to the band.
        probability: the least and the largest that the share of positives may be, by the source.
        source: data set, size and method.
    """

    name: str
    lowest: float = Field(ge=0, le=1)
    probability: Range
    source: str


class ServiceLevel(_Part):
    """How soon a result is needed, from the study being complete: in minutes, or by an hour of the morning. Sooner is read first."""

    minutes: int | None = Field(default=None, ge=1, le=10_080)
    by: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    source: str = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.minutes is None) == (self.by is None):
            raise ValueError("either minutes or by")
        return self


class Finding(_Part):
    """One thing that the model says.

    Args:
        finding: its name in the tables.
        channel: which of the network's numbers, maps or labels; 0 of a softmax segmentation is the background.
        code: the concept.
        site: where in the body, coded; None where the code says it.
        score: whether a score is meant as a probability.
        operating_points: the first is the one that an evaluation takes; none for a segmentation, which has no score.
        bands: from the lowest on; empty where the score was not calibrated.
        service_level: None: whenever its turn comes.
    """

    finding: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    channel: int = Field(ge=0, default=0)
    code: Code
    site: Code | None = None
    score: Literal["probability-like", "uncalibrated"] = "uncalibrated"
    operating_points: tuple[OperatingPoint, ...] = ()
    bands: tuple[Band, ...] = ()
    service_level: ServiceLevel | None = None

    @property
    def operating_point(self) -> OperatingPoint:
        """The one that an evaluation takes unless it is told another; IndexError where there is none."""
        return self.operating_points[0]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        lowest = [band.lowest for band in self.bands]
        if lowest and (lowest[0] != 0 or lowest != sorted(set(lowest))):
            raise ValueError("bands must begin at 0 and go up")
        return self


class Manifest(_Part):
    """Everything that is said of a model."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    intended_use: str
    synthetic_only: bool
    weights: Weights
    input: Input
    accepted: Accepted
    profile: Profile
    head: Classification | Segmentation | Detection = Field(discriminator="kind")
    findings: tuple[Finding, ...] = Field(min_length=1)
    training: dict[str, str | int | float]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names, channels = [said.finding for said in self.findings], [said.channel for said in self.findings]
        if len(set(names)) < len(names) or len(set(channels)) < len(channels):
            raise ValueError("findings must have names and channels of their own")
        segments = self.head.kind == "segmentation"
        if any(bool(said.operating_points) == segments for said in self.findings):
            raise ValueError("a finding has operating points unless it is segmented")
        boxes = isinstance(self.head, Detection) and self.head.form == "boxes"
        if self.input.tiling is not None and (boxes or self.head.kind == "classification"):
            raise ValueError("only maps can be made tile by tile")
        if isinstance(self.head, Segmentation) and (0 in channels) == (self.head.activation == "softmax"):
            raise ValueError("channel 0 is the background of softmax, and the only one of sigmoid")
        return self

    def finding(self, name: str) -> Finding | None:
        """One of the findings by its name, or None."""
        return next((said for said in self.findings if said.finding == name), None)

    def label_of(self, finding: str) -> int:
        """A segmented finding's value in the label map."""
        said = self.finding(finding)
        if said is None or not isinstance(self.head, Segmentation):
            raise KeyError(finding)
        return said.channel if self.head.activation == "softmax" else 1


def parse(content: bytes, where: str) -> Manifest:
    """A manifest from its YAML; raise ConfigurationError E-INFER-MANIFEST with the fields that are wrong."""
    return written.checked(Manifest, written.mapping(content, where, "E-INFER-MANIFEST"), where, "E-INFER-MANIFEST")
