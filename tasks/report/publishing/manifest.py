"""What a report's folder holds, and what it was made from: `manifest.json`, the same bytes for the same report."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.evaluation.results import Results

SCHEMA: Final = "safelight-report-1"
MANIFEST: Final = "manifest.json"
RESULTS: Final = "results.json"
#: Packages whose versions decide how the faces are drawn and packed.
_MADE_WITH = ("jinja2", "matplotlib", "pillow", "python-docx", "typst", "xlsxwriter")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """One file of the folder: its path with forward slashes, SHA-256 (hex) and size in bytes."""

    path: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Manifest(_Part):
    """All files of a report but the manifest itself, and the SHA-256 of what the report is about.

    `safelight_version` and `made_with` are of the program that made the faces; the results have their own in their provenance.
    """

    schema_name: Literal["safelight-report-1"] = SCHEMA
    safelight_version: str
    made_with: dict[str, str]
    plan_name: str
    plan_sha256: str
    model_name: str
    model_version: str
    weights_sha256: str
    finding: str
    synthetic: bool
    results_sha256: str
    files: tuple[File, ...]

    def to_json(self) -> bytes:
        """Canonical bytes: UTF-8, keys in order, one line a value."""
        return (json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical bytes: it names the report, down to the last byte of every file."""
        return sha256(self.to_json()).hexdigest()


def describe(results: Results, files: Mapping[str, bytes]) -> Manifest:
    """The manifest of a report.

    Args:
        files: every file by its path, with `results.json`, without the manifest.
    """
    made_of = results.provenance
    return Manifest(
        safelight_version=version("safelight"), made_with=made_with(), plan_name=made_of.plan_name, plan_sha256=made_of.plan_sha256,
        model_name=made_of.model_name, model_version=made_of.model_version, weights_sha256=made_of.weights_sha256,
        finding=results.finding, synthetic=results.synthetic, results_sha256=sha256(files[RESULTS]).hexdigest(),
        files=tuple(
            File(path=path, sha256=sha256(content).hexdigest(), size=len(content)) for path, content in sorted(files.items())
        ),
    )  # fmt: skip


def made_with() -> dict[str, str]:
    """Name → version of what draws and packs the faces here."""
    return {name: version(name) for name in _MADE_WITH} | {"zlib": zlib.ZLIB_RUNTIME_VERSION}
