"""The models whose results go back, each with its manifest and how the site delivers it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from tasks.delivery.policy import DeliverySettings, Mode, ModelDelivery
from tasks.delivery.priority import require
from tasks.errors import ConfigurationError
from tasks.inference.bundle import MANIFEST, folder_of
from tasks.inference.manifest import Finding, Manifest, parse
from tasks.inference.registry import current
from tasks.lake import Lake

#: Letters of a word that can tell anything: `of` tells nothing.
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Served:
    """A model version, and how its results go back."""

    manifest: Manifest
    manifest_sha256: str
    delivery: ModelDelivery

    @property
    def label(self) -> str:
        """The ledger's name of its stage: `infer:name@version`."""
        return f"infer:{self.manifest.name}@{self.manifest.version}"

    @property
    def mode(self) -> Mode:
        """What of it is shown."""
        return self.delivery.mode

    @property
    def findings(self) -> dict[str, Finding]:
        """What it says, by name."""
        return {finding.finding: finding for finding in self.manifest.findings}


def served(lake: Lake, models: Iterable[str], settings: DeliverySettings) -> list[Served]:
    """The models that read for a site, by name.

    Args:
        lake: may have them in its registry.
        models: as `inference` of the configuration names them: `name`, `name@version`, or a bundle's folder.
        settings: what is delivered how.

    Raises:
        ConfigurationError: E-DELIVER-MODEL, E-DELIVER-BANDS, E-DELIVER-WORDS, E-INFER-MANIFEST.
    """
    found = []
    for model in models:
        content = _manifest(lake, model)
        manifest = parse(content, model.rpartition("/")[2])
        require(manifest)
        one = Served(manifest, sha256(content).hexdigest(), settings.models.get(manifest.name, ModelDelivery()))
        if one.mode != "second_reader":
            _hold_silence(one)
        if unknown := set(one.delivery.fleischner) - set(one.findings):
            raise ConfigurationError("E-DELIVER-MODEL", f"{manifest.name} has no finding {', '.join(sorted(unknown))}")
        found.append(one)
    if unread := set(settings.models) - {one.manifest.name for one in found}:
        raise ConfigurationError("E-DELIVER-MODEL", ", ".join(sorted(unread)))
    return sorted(found, key=lambda one: (one.manifest.name, one.manifest.version))


def told(manifest: Manifest) -> set[str]:
    """Words and codes, in small letters, by which something would tell what a model looks for: all but short words."""
    said = {manifest.name}
    for finding in manifest.findings:
        said |= {finding.finding, *finding.finding.split("_")}
        for code in (finding.code, finding.site):
            if code is not None:
                said |= {code.value, *re.split(r"\W+", code.meaning)}
    return {word.lower() for word in said if len(word) >= _SHORTEST or word == manifest.name}


def _hold_silence(one: Served) -> None:
    """A worklist's only words are its name and the bands': hold that these tell no finding."""
    words = [one.delivery.worklist, *(band.name for finding in one.manifest.findings for band in finding.bands)]
    for word in words:
        if any(name in word.lower() for name in told(one.manifest)):
            raise ConfigurationError("E-DELIVER-WORDS", f"{one.manifest.name}: {word}")


def _manifest(lake: Lake, model: str) -> bytes:
    """The manifest of the model that a name means (`tasks.inference.registry.find`); its weights are left alone."""
    name, _, version = model.partition("@")
    shipped = folder_of(model if "/" in model else name) / MANIFEST
    if "/" not in model:
        wanted = version or current(lake, name)
        path = f"models/{name}/{wanted}/{MANIFEST}"
        if wanted and lake.exists(path):
            return lake.read(path)
    content = shipped.read_bytes() if shipped.is_file() else b""
    if not content or ("/" not in model and version and parse(content, name).version != version):
        raise ConfigurationError("E-DELIVER-MODEL", model.rpartition("/")[2])
    return content
