"""`models/` in the lake: every model version that ever read there, for good. A version never changes once it is in.

`models/<name>/<version>/` holds the manifest and the weights (of a package: the manifest, which names package and weights);
`models/<name>/current.json` says which version a bare name means, and `promotions.json` how each version came to be that.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tasks.changes.verdict import Identity, require
from tasks.errors import ConfigurationError
from tasks.inference import bundle as bundles
from tasks.inference.bundle import MANIFEST, Bundle
from tasks.inference.manifest import parse
from tasks.lake import Lake

_STAGE = "models"
_NAMED = re.compile(r"(?P<name>[a-z][a-z0-9_]{0,63})(?:@(?P<version>\d+\.\d+\.\d+))?")


@dataclass(frozen=True, slots=True)
class Registered:
    """A model version in the lake; `current` where a bare name means it."""

    name: str
    version: str
    manifest_sha256: str
    weights_sha256: str
    current: bool


def find(lake: Lake, model: str) -> Bundle:
    """The model that a name means, checked.

    Args:
        lake: whose registry is asked.
        model: `name@version` (of the registry, or the shipped one of that version), `name` (the registry's current version, else the
            shipped one), or a path, with a slash, to a bundle's folder.

    Raises:
        ConfigurationError: those of `tasks.inference.bundle.load`.
    """
    said = _NAMED.fullmatch(model)
    if said is None:
        return bundles.load(model)
    name, version = said["name"], said["version"]
    wanted = version or current(lake, name)
    if wanted is not None and lake.manifest(_STAGE, f"{name}@{wanted}") is not None:
        return bundles.load(_local(lake, name, wanted))
    shipped = bundles.load(name)
    if version is not None and shipped.manifest.version != version:
        there = [f"{each.name}@{each.version}" for each in registered(lake)] + [shipped.label]
        raise ConfigurationError("E-INFER-MODEL-MISSING", f"{model}; there are {', '.join(sorted(set(there)))}")
    return shipped


def register(lake: Lake, bundle: Bundle) -> bool:
    """Keep a model version in the lake; False where it is there already. Not at the same time as another process or thread.

    Raises:
        ConfigurationError: E-INFER-VERSION where the lake has other content under this name and version; E-INFER-EXAMPLE and E-INFER-PICKLE
            for a .pt2 that must not be handed on.
    """
    contents = _contents(bundle)
    key = bundle.label
    before = lake.manifest(_STAGE, key)
    if before is not None and before.fingerprint:  # without one, a process that was killed has left it half-way
        if {Path(name).relative_to(_folder(bundle)).as_posix(): said for name, said in before.files.items()} != {
            name: sha256(content).hexdigest() for name, content in contents.items()
        }:
            raise ConfigurationError("E-INFER-VERSION", f"{key}: raise the version in its manifest")
        return False
    if bundle.manifest.weights.format == "pt2":
        from tasks.inference.adapters.exported import check

        check(contents[bundle.manifest.weights.file], key)
    with lake.publication(_STAGE, key, bundle.manifest_sha256) as publication:
        for name, content in contents.items():
            publication.write(f"{_folder(bundle)}/{name}", content)
        publication.commit(passed=1)
    return True


class Promotion(BaseModel):
    """A version that a bare name meant from then on.

    Args:
        by: `first` where the name meant nothing before, or where it is what the name meant before anything was noted; `verdict` of the change
            plan whose hash is `plan_sha256`; `rollback` to a version that the name had meant before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    manifest_sha256: str
    weights_sha256: str
    by: Literal["first", "verdict", "rollback"]
    plan_sha256: str = ""


_PROMOTIONS = TypeAdapter(tuple[Promotion, ...])


def promote(lake: Lake, name: str, version: str) -> Promotion:
    """Let a bare name mean a registered version. Not at the same time as another process or thread.

    The first version of a name needs nothing, and one that the name meant before comes back at any time. Every other needs a passing verdict
    against the version that the name means now (`tasks.changes.verdict.require`).

    Returns:
        the promotion, noted in `promotions.json`; that of before where the name means this version already.

    Raises:
        ConfigurationError: E-INFER-MODEL-MISSING where it is not registered; E-INFER-VERSION or E-INFER-WEIGHTS where it is not what was
            registered; E-CHANGE-VERDICT, E-CHANGE-TAMPERED.
    """
    wanted = identity(verify(lake, name, version))
    history = promotions(lake, name)
    if not history and name in bundles.names():  # what was shipped is what the name means
        shipped = bundles.load(name)
        history = (_noted(identity(shipped), "first"),)
        if identity(shipped) != wanted:
            register(lake, shipped)  # so that there is a way back
    if not history:
        made = _noted(wanted, "first")
    elif _same(history[-1], wanted):
        made, history = history[-1], history[:-1]
    elif any(_same(each, wanted) for each in history):  # asks nothing of the present version, which may be damaged
        made = _noted(wanted, "rollback")
    else:
        running = Identity(name=name, **history[-1].model_dump(exclude={"by", "plan_sha256"}))
        made = _noted(wanted, "verdict", require(lake, running, wanted).plan_sha256)
    _note(lake, name, (*history, made))
    return made


def settle(lake: Lake, model: str, bundle: Bundle) -> None:
    """Let a bare name go on to mean the version that reads under it first, whatever is shipped later; other names change nothing.

    Of models that only outline, which no verdict can be about, a bare name goes on to mean what is shipped. Not at the same time as another
    process or thread; the version must be registered.
    """
    if model == bundle.manifest.name and bundle.manifest.head.kind != "segmentation" and current(lake, model) is None:
        _note(lake, model, (_noted(identity(bundle), "first"),))


def promotions(lake: Lake, name: str) -> tuple[Promotion, ...]:
    """Every version that a bare name has meant, the first one first; raise ConfigurationError E-CHANGE-TAMPERED where they can't be read."""
    path = f"models/{name}/promotions.json"
    published = lake.manifest(_STAGE, name)
    if published is not None and not lake.intact(published):
        raise ConfigurationError("E-CHANGE-TAMPERED", f"models/{name}")
    if lake.exists(path):
        try:
            return _PROMOTIONS.validate_json(lake.read(path))
        except ValidationError:
            raise ConfigurationError("E-CHANGE-TAMPERED", path) from None
    version = current(lake, name)
    return () if version is None else (_noted(identity(verify(lake, name, version)), "first"),)


def identity(bundle: Bundle) -> Identity:
    """A version by its content."""
    said = bundle.manifest
    return Identity(
        name=said.name, version=said.version, manifest_sha256=bundle.manifest_sha256, weights_sha256=said.weights.sha256
    )


def _noted(said: Identity, by: Literal["first", "verdict", "rollback"], plan_sha256: str = "") -> Promotion:
    return Promotion(**said.model_dump(exclude={"name"}), by=by, plan_sha256=plan_sha256)


def _same(one: Promotion, other: Identity) -> bool:
    return (one.version, one.manifest_sha256, one.weights_sha256) == (other.version, other.manifest_sha256, other.weights_sha256)


def _note(lake: Lake, name: str, history: tuple[Promotion, ...]) -> None:
    version = history[-1].version
    with lake.publication(_STAGE, name, version) as publication:
        publication.write(f"models/{name}/current.json", json.dumps({"version": version}).encode())
        publication.write(f"models/{name}/promotions.json", _PROMOTIONS.dump_json(history, indent=1) + b"\n")
        publication.commit(passed=1)


def current(lake: Lake, name: str) -> str | None:
    """The version that was promoted last, or None."""
    path = f"models/{name}/current.json"
    return str(json.loads(lake.read(path))["version"]) if lake.exists(path) else None


def registered(lake: Lake) -> Iterator[Registered]:
    """Every model version of the lake, by name and version."""
    found = [manifest for manifest in lake.manifests(_STAGE) if "@" in manifest.key]
    for manifest in sorted(found, key=lambda each: _order(each.key)):
        name, _, version = manifest.key.partition("@")
        path = f"models/{name}/{version}/{MANIFEST}"
        said = parse(lake.read(path), manifest.key)
        yield Registered(name, version, manifest.files[path], said.weights.sha256, version == current(lake, name))


def verify(lake: Lake, name: str, version: str) -> Bundle:
    """Open a registered version, every byte checked; raise ConfigurationError E-INFER-MODEL-MISSING, E-INFER-WEIGHTS, E-INFER-VERSION."""
    published = lake.manifest(_STAGE, f"{name}@{version}")
    if published is None:
        raise ConfigurationError("E-INFER-MODEL-MISSING", f"{name}@{version} is not registered")
    if not lake.intact(published):
        raise ConfigurationError("E-INFER-VERSION", f"{name}@{version}: not what was registered")
    return bundles.load(_local(lake, name, version))


def _contents(bundle: Bundle) -> dict[str, bytes]:
    """The files of a model by their names in its folder; without the weights of a package."""
    contents = {MANIFEST: (bundle.folder / MANIFEST).read_bytes()}
    if bundle.manifest.weights.package is None:
        contents |= {name: bundle.read(name) for name in bundle.files}
    return contents


def _folder(bundle: Bundle) -> str:
    return f"models/{bundle.manifest.name}/{bundle.manifest.version}"


def _local(lake: Lake, name: str, version: str) -> Path:
    """A registered version as a local folder: in place, or a copy that this process keeps."""
    folder = f"models/{name}/{version}"
    return lake.root / folder if lake.root is not None else _copied(lake, folder)


@cache
def _copied(lake: Lake, folder: str) -> Path:
    target = Path(tempfile.mkdtemp(prefix="safelight-model-"))
    for path in lake.files(folder):
        copy = target / Path(path).relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(lake.read(path))
    return target


def _order(key: str) -> tuple[str, tuple[int, ...]]:
    name, _, version = key.partition("@")
    return name, tuple(int(part) for part in version.split("."))
