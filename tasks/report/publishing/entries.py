"""What the index says of a report: read anew from its own results each time, and only where these are what the manifest and the name say."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import SafelightError
from tasks.evaluation.results import Estimate, Performance, Results
from tasks.report.checks import check
from tasks.report.publishing.archive import Archive, Place
from tasks.report.publishing.manifest import MANIFEST, RESULTS, Manifest

SCHEMA: Final = "safelight-reports-1"
ENDPOINTS: Final = ("auc", "sensitivity", "specificity")
Verdict = Literal["all goals met", "not all goals met", "no goals"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpoint(_Part):
    """A metric over all cases, as the results have it; `withheld` where too few patients are in them."""

    status: Literal["estimated", "not_estimable", "withheld"]
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None


class GoalSaid(_Part):
    """A goal and whether it is met. `attribute` and `level` are empty for all cases."""

    attribute: str
    level: str
    metric: str
    at_least: float | None
    margin: float | None
    met: bool


class Entry(_Part):
    """One report. Where `problem` is a reason code, nothing is known of it but its place, and all else is empty.

    `patients`, `studies` and `positives` are None where they are withheld.
    """

    path: str
    number: int
    year: int
    plan: str
    digest: str
    problem: str = ""
    title: str = ""
    finding: str = ""
    model: str = ""
    model_version: str = ""
    synthetic: bool = False
    verdict: Verdict = "no goals"
    goals: tuple[GoalSaid, ...] = ()
    confidence: float | None = None
    threshold: float | None = None
    patients: int | None = None
    studies: int | None = None
    positives: int | None = None
    endpoints: dict[str, Endpoint] = {}
    results_sha256: str = ""
    safelight_version: str = ""
    files: tuple[str, ...] = ()


class Index(_Part):
    """All reports of an archive in the order of their publication."""

    schema_name: Literal["safelight-reports-1"] = SCHEMA
    reports: tuple[Entry, ...]

    def to_json(self) -> bytes:
        """`index.json`: the same bytes for the same reports."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def entry(archive: Archive, place: Place) -> Entry:
    """What the index says of one report."""
    bare = Entry(path=place.path, number=place.number, year=place.year, plan=place.plan, digest=place.digest)
    try:
        said = archive.read(f"{place.path}/{MANIFEST}") or b""
        manifest = Manifest.model_validate_json(said)
    except ValidationError:
        return bare.model_copy(update={"problem": "E-REPORT-FOLDER"})
    content = archive.read(f"{place.path}/{RESULTS}") or b""
    named = sha256(said).hexdigest()[: len(place.digest)] == place.digest and manifest.plan_name == place.plan
    if not named or sha256(content).hexdigest() != manifest.results_sha256:
        return bare.model_copy(update={"problem": "E-REPORT-DAMAGED"})
    try:
        results = Results.model_validate_json(content)
        check(results)
    except ValidationError:
        return bare.model_copy(update={"problem": "E-REPORT-INPUT"})
    except SafelightError as error:
        return bare.model_copy(update={"problem": error.code})
    return _filled(bare, manifest, results)


def _filled(bare: Entry, manifest: Manifest, results: Results) -> Entry:
    overall, made = results.overall(), results.provenance
    met = [goal.met for goal in results.goals]
    return Entry(
        path=bare.path, number=bare.number, year=bare.year, plan=bare.plan, digest=bare.digest, title=results.title, finding=results.finding,
        model=made.model_name, model_version=made.model_version, synthetic=results.synthetic,
        verdict="no goals" if not met else "all goals met" if all(met) else "not all goals met",
        goals=tuple(
            GoalSaid(attribute=goal.attribute, level=goal.level, metric=goal.metric, at_least=goal.at_least, margin=goal.margin, met=goal.met)
            for goal in results.goals
        ),
        confidence=results.confidence, threshold=results.threshold,
        patients=None if overall.suppressed else overall.patients, studies=None if overall.suppressed else overall.studies,
        positives=None if overall.suppressed else overall.positives,
        endpoints={name: _endpoint(getattr(overall, name), overall) for name in ENDPOINTS},
        results_sha256=manifest.results_sha256, safelight_version=manifest.safelight_version,
        files=tuple(file.path for file in manifest.files),
    )  # fmt: skip


def _endpoint(value: Estimate, row: Performance) -> Endpoint:
    if row.suppressed:
        return Endpoint(status="withheld")
    return Endpoint(status=value.status, estimate=value.estimate, lower=value.lower, upper=value.upper)
