"""A model on disk: a folder with `manifest.yaml` and the weights that it names."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.inference.manifest import Manifest, parse
from tasks.stage import digest

MANIFEST = "manifest.yaml"

#: Raised by hand whenever `tasks.inference.preprocess` makes another input from the same volume and settings.
PREPROCESSING_REVISION = 1


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model whose weights are those that its manifest names. Picklable: worker processes get the one that was checked."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str

    @property
    def preprocessing_sha256(self) -> str:
        """Names the way from volume to input: all settings, and the revision of the code."""
        settings = self.manifest.input.model_dump(mode="json", exclude={"tiling", "dtype"})
        return digest({"settings": settings, "revision": PREPROCESSING_REVISION})

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def weights_path(self) -> Path:
        """Where the weights lie: in the folder, or in the package that brings them.

        Raises:
            ConfigurationError: E-INFER-PACKAGE where that package is not installed.
        """
        weights = self.manifest.weights
        if weights.package is None:
            return self.folder / weights.file
        try:
            return Path(str(importlib.metadata.distribution(weights.package).locate_file(weights.file)))
        except importlib.metadata.PackageNotFoundError:
            raise ConfigurationError("E-INFER-PACKAGE", f"{self.label} needs the package {weights.package}") from None

    def weights(self) -> bytes:
        """The weights' bytes, checked as they are read.

        Raises:
            ConfigurationError: E-INFER-WEIGHTS where they are missing or not those of the manifest; E-INFER-PACKAGE.
        """
        path = self.weights_path
        content = path.read_bytes() if path.is_file() else b""
        if sha256(content).hexdigest() != self.manifest.weights.sha256:
            raise ConfigurationError("E-INFER-WEIGHTS", self.label)
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
        ConfigurationError: E-INFER-MODEL-MISSING, E-INFER-MANIFEST with the fields that are wrong, E-INFER-WEIGHTS, E-INFER-PACKAGE.
    """
    folder = folder_of(model)
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError("E-INFER-MODEL-MISSING", f"{model}; there are {', '.join(names()) or 'none'}")
    content = (folder / MANIFEST).read_bytes()
    bundle = Bundle(folder, parse(content, folder.name), sha256(content).hexdigest())
    bundle.weights()
    return bundle
