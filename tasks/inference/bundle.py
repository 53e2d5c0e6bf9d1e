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
PREPROCESSING_REVISION = 2


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

    def path(self, name: str) -> Path:
        """Where a file of the weights lies: in the folder, or in the package that brings them.

        Raises:
            ConfigurationError: E-INFER-PACKAGE where that package is not installed, or in another version.
        """
        weights = self.manifest.weights
        if weights.package is None:
            return self.folder / name
        try:
            package = importlib.metadata.distribution(weights.package)
        except importlib.metadata.PackageNotFoundError:
            raise ConfigurationError("E-INFER-PACKAGE", f"{self.label} needs the package {weights.package}") from None
        if package.version != weights.package_version:
            raise ConfigurationError(
                "E-INFER-PACKAGE", f"{self.label} was tested with {weights.package} {weights.package_version}"
            )
        return Path(str(package.locate_file(name)))

    def weights(self) -> bytes:
        """The weights' bytes, checked as they are read; raises what `read` does."""
        return self.read(self.manifest.weights.file)

    def read(self, name: str) -> bytes:
        """The bytes of a file that the manifest names, checked as they are read.

        Raises:
            ConfigurationError: E-INFER-WEIGHTS where it is missing or not that of the manifest; E-INFER-PACKAGE.
        """
        path = self.path(name)
        content = path.read_bytes() if path.is_file() else b""
        if sha256(content).hexdigest() != self.files[name]:
            raise ConfigurationError("E-INFER-WEIGHTS", f"{self.label}: {name}")
        return content

    @property
    def files(self) -> dict[str, str]:
        """All files of the weights, by name, with the SHA-256 that they must have."""
        return {self.manifest.weights.file: self.manifest.weights.sha256} | self.manifest.weights.also


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
    for name in bundle.files:
        bundle.read(name)
    return bundle
