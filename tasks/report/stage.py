"""Publishing in the lake: its results become a report, which is kept in the archive and stands as the latest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version

from pydantic import ValidationError

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.lake import Lake, Manifest
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.folder import folder
from tasks.report.publishing.manifest import MANIFEST, RESULTS
from tasks.report.publishing.verify import manifest_of, whole
from tasks.stage import digest

STAGE = "publish"
#: Raised by hand whenever the same results give another report than before.
REVISION = 5
FOLDER = "reports"
_RESULTS = "results/results.json"
_LATEST = f"{FOLDER}/latest.json"


def archive_of(lake: Lake) -> Archive:
    """The reports that were published in a lake."""
    return Archive(lake, FOLDER)


def publish_report(lake: Lake, year: int | None = None) -> Manifest | None:
    """Make the report of `results/results.json`, add it to the archive `reports/`, and publish it as the latest, `reports/report.html` and so on.

    Args:
        year: of the publication; this one, where it is left out.

    Returns:
        what was published as the latest, or None where there are no results, or where the report that lies there is of these already.

    Raises:
        SafelightError: E-REPORT-MISMATCH, E-REPORT-INPUT or E-REPORT-EXISTS; then nothing is published.
    """
    from tasks.report.publishing.index import refresh

    if not lake.exists(_RESULTS):
        return None
    content = lake.read(_RESULTS)
    try:
        results = Results.model_validate_json(content)
    except ValidationError:
        raise SafelightError("E-REPORT-INPUT", _RESULTS) from None
    key = results.provenance.plan_name
    made_of = {"results": sha256(content).hexdigest(), "revision": REVISION, "version": version("safelight")}
    fingerprint = digest(made_of)
    earlier = lake.manifest(STAGE, key)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier) and _archived(lake):
        return None
    files = folder(results, content)
    archive = archive_of(lake)
    place, _ = archive.publish(files, year or datetime.now(UTC).year)
    refresh(archive)
    with lake.publication(STAGE, key, fingerprint) as publication:
        for path, face in files.items():
            if path not in {MANIFEST, RESULTS}:
                publication.write(f"{FOLDER}/{path}", face)
        publication.write(_LATEST, json.dumps({"path": place.path}).encode() + b"\n")
        return publication.commit(passed=1)


def _archived(lake: Lake) -> bool:
    """Whether the latest report lies whole in the archive, and the index beside it."""
    archive = archive_of(lake)
    latest = json.loads(lake.read(_LATEST))["path"] if lake.exists(_LATEST) else ""
    files = next((archive.report(place) for place in archive.places() if place.path == latest), {})
    return bool(files) and whole(files, manifest_of(files)) and all(archive.read(f"index.{kind}") for kind in ("html", "json"))


def counted(lake: Lake) -> dict[str, int] | None:
    """How many reports the lake's index lists, and how many of them are damaged; None where there is no index."""
    content = archive_of(lake).read("index.json")
    if content is None:
        return None
    reports = json.loads(content)["reports"]
    return {"reports": len(reports), "damaged": sum(bool(each["problem"]) for each in reports)}
