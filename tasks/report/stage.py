"""Publishing: the lake's results become its report, once for each state of the results."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.metadata import version

from pydantic import ValidationError

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.lake import Lake, Manifest
from tasks.report.csv import FOLDER
from tasks.report.render import faces
from tasks.stage import digest

STAGE = "publish"
#: Raised by hand whenever the same results give another report than before.
REVISION = 6
_RESULTS, _REPORTS = "results/results.json", "reports"
#: Where key images lie; a results.json that others wrote must not name anything else in the lake.
_IMAGE = re.compile(r"results/failures/[0-9.]{1,64}\.png")


def publish_report(lake: Lake) -> Manifest | None:
    """Make the report of `results/results.json` and publish it below `reports/`: the files of `tasks.report.render.faces`.

    Returns:
        what was published, or None where there are no results, or where the report that lies there is of these already.

    Raises:
        SafelightError: E-REPORT-MISMATCH or E-REPORT-INPUT; then nothing is published.
    """
    if not lake.exists(_RESULTS):
        return None
    content = lake.read(_RESULTS)
    try:
        results = Results.model_validate_json(content)
    except ValidationError:
        raise SafelightError("E-REPORT-INPUT", _RESULTS) from None
    key = results.provenance.plan_name
    images = images_of(lake, results)
    made_of = {
        "results": sha256(content).hexdigest(), "images": {path: sha256(image).hexdigest() for path, image in images.items()},
        "revision": REVISION, "version": version("safelight"),
    }  # fmt: skip
    fingerprint = digest(made_of)
    earlier = lake.manifest(STAGE, key)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return None
    with lake.publication(STAGE, key, fingerprint) as publication:
        for name, face in faces(results, content, images).items():
            publication.write(f"{_REPORTS}/{name}", face)
        manifest = publication.commit(passed=1)
    lake.clear(f"{_REPORTS}/{FOLDER}", manifest.files)  # a table of another plan's report would be taken for one of this
    return manifest


def images_of(lake: Lake, results: Results) -> dict[str, bytes]:
    """The key images that the results name, by their path, as far as the lake has them."""
    named = {case.image for case in results.failures if _IMAGE.fullmatch(case.image)}
    return {path: lake.read(path) for path in sorted(named) if lake.exists(path)}
