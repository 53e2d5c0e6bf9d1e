"""Publishing: the lake's results become its report, once for each state of the results."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version

from pydantic import ValidationError

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.lake import Lake, Manifest
from tasks.report.render import faces
from tasks.stage import digest

STAGE = "publish"
#: Raised by hand whenever the same results give another report than before.
REVISION = 5
_RESULTS = "results/results.json"


def publish_report(lake: Lake) -> Manifest | None:
    """Make the report of `results/results.json` and publish it as `reports/report.html`, `.pdf` and `.docx`.

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
    made_of = {"results": sha256(content).hexdigest(), "revision": REVISION, "version": version("safelight")}
    fingerprint = digest(made_of)
    earlier = lake.manifest(STAGE, key)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return None
    with lake.publication(STAGE, key, fingerprint) as publication:
        for name, face in faces(results).items():
            publication.write(f"reports/{name}", face)
        return publication.commit(passed=1)
