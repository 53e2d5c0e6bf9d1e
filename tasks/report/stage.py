"""Publishing in the lake: its results become a report, which is kept in the archive and stands as the latest."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version

from pydantic import ValidationError

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.lake import Lake, Manifest
from tasks.report import csv
from tasks.report.material import IMAGES, Material
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.index import DATA, PAGE, refresh
from tasks.report.publishing.manifest import MANIFEST
from tasks.report.publishing.verify import manifest_of, whole
from tasks.report.render import files
from tasks.stage import digest

STAGE = "publish"
#: Raised by hand whenever the same results give another report than before.
REVISION = 9
_RESULTS, _REPORTS, ARCHIVE = "results/results.json", "reports", "reports/archive"
_LATEST = f"{_REPORTS}/latest.json"
#: Where key images lie; a results.json that others wrote must not name anything else in the lake.
_IMAGE = re.compile(r"results/failures/[0-9.]{1,64}\.png")

#: Where manifests of registered models lie.
_MODEL = re.compile(r"models/[a-z0-9_-]{1,80}/[0-9]+\.[0-9]+\.[0-9]+/manifest\.yaml")


def publish_report(lake: Lake, year: int | None = None) -> Manifest | None:
    """Make the report of `results/results.json`, add it to the archive `reports/archive/`, and publish it as the latest below `reports/`.

    Args:
        year: of the publication; this one, where it is left out.

    Returns:
        what was published as the latest, or None where there are no results, or where the report that lies there is of these already.

    Raises:
        SafelightError: E-REPORT-MISMATCH, E-REPORT-INPUT or E-REPORT-EXISTS; then nothing is published.
    """
    if not lake.exists(_RESULTS):
        return None
    content = lake.read(_RESULTS)
    try:
        results = Results.model_validate_json(content)
    except ValidationError:
        raise SafelightError("E-REPORT-INPUT", _RESULTS) from None
    key = results.provenance.plan_name
    material = Material(images_of(lake, results), model_of(lake, results))
    made_of = {
        "results": sha256(content).hexdigest(), "material": {path: sha256(part).hexdigest() for path, part in material.files().items()},
        "revision": REVISION, "version": version("safelight"),
    }  # fmt: skip
    fingerprint = digest(made_of)
    earlier = lake.manifest(STAGE, key)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier) and _is_archived(lake):
        return None
    made = files(results, content, material)
    archive = Archive(lake, ARCHIVE)
    place, _ = archive.publish(made, year or datetime.now(UTC).year)
    refresh(archive)
    with lake.publication(STAGE, key, fingerprint) as publication:
        for path, face in made.items():
            if path != MANIFEST:
                publication.write(f"{_REPORTS}/{path}", face)
        publication.write(_LATEST, json.dumps({"path": f"archive/{place.path}"}).encode() + b"\n")
        manifest = publication.commit(passed=1)
    for folder in (csv.FOLDER, IMAGES.rstrip("/")):  # a table of another plan's report would be taken for one of this
        lake.clear(f"{_REPORTS}/{folder}", manifest.files)
    return manifest


def images_of(lake: Lake, results: Results) -> dict[str, bytes]:
    """The key images that the results name, by their path, as far as the lake has them."""
    named = {case.image for case in results.failures if _IMAGE.fullmatch(case.image)}
    return {path: lake.read(path) for path in sorted(named) if lake.exists(path)}


def model_of(lake: Lake, results: Results) -> bytes | None:
    """The manifest of the model that was evaluated; None where the lake has none with these weights."""
    made = results.provenance
    path = f"models/{made.model_name}/{made.model_version}/manifest.yaml"
    if not _MODEL.fullmatch(path) or not lake.exists(path):
        return None
    content = lake.read(path)
    return content if made.weights_sha256 and made.weights_sha256.encode() in content else None


def _is_archived(lake: Lake) -> bool:
    """Whether the latest report lies whole in the archive, and the index beside it."""
    archive = Archive(lake, ARCHIVE)
    latest = json.loads(lake.read(_LATEST))["path"]
    found = next((archive.report(place) for place in archive.places() if f"archive/{place.path}" == latest), {})
    return bool(found) and whole(found, manifest_of(found)) and all(archive.read(name) is not None for name in (PAGE, DATA))


def listed(lake: Lake) -> dict[str, int] | None:
    """How many `reports` the lake's index lists, and how many of them are `damaged`; None where there is no index."""
    content = Archive(lake, ARCHIVE).read(DATA)
    if content is None:
        return None
    found = json.loads(content)["reports"]
    return {"reports": len(found), "damaged": sum(bool(each["problem"]) for each in found)}
