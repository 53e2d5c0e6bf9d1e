"""The verdict on a candidate: what changed, every limit with its value, and whether it may replace the running version.

Kept with the candidate, each under a number of its own, and never changed; the last one on a pair of versions counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tasks.changes.plan import ChangePlan
from tasks.errors import ConfigurationError
from tasks.lake import Lake

SCHEMA: Final = "safelight-change-verdict-1"
_STAGE = "changes"
_KEY = re.compile(r"(?P<label>.+@\d+\.\d+\.\d+)_(?P<number>\d{4,})_(?P<plan>[0-9a-f]{12})")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Identity(_Part):
    """One version of a model by its content."""

    name: str
    version: str
    manifest_sha256: str
    weights_sha256: str

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class Assessed(Identity):
    """A version as it was evaluated: the threshold of its positive readings, and the code that made its scores."""

    preprocessing_sha256: str
    code_sha256: tuple[str, ...]
    threshold: float

    @property
    def identity(self) -> Identity:
        """Which version it is."""
        return Identity(**{name: getattr(self, name) for name in Identity.model_fields})


class Change(_Part):
    """A field that differs between the versions; None where one of them has none."""

    field: str
    kind: str
    before: str | None
    after: str | None
    permitted: bool
    reason: str = ""


class Judged(_Part):
    """One limit and what was found.

    Args:
        about: `data` (cases), `performance` (one version alone), `non_inferiority` (a candidate's paired difference from the running version); in
            monitoring also `since_baseline` (a period's difference from the baseline) and `drift`.
        attribute, level: the subgroup; both empty for all cases.
        value, lower, upper: the estimate with its interval; for `data`, the value alone.
        bound: what `value` or `lower` was held to.
        reason: why it was not passed.
    """

    about: Literal["data", "performance", "non_inferiority", "since_baseline", "drift"]
    metric: str
    attribute: str = ""
    level: str = ""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    bound: float | str
    passed: bool
    reason: str = ""


class Verdict(_Part):
    """A candidate held against the running version by a plan. Passing where every change is permitted and every limit passed.

    Args:
        results_sha256, running_results_sha256: of `results.json` of either version, kept beside it.
    """

    schema_name: Literal["safelight-change-verdict-1"] = SCHEMA
    safelight_version: str
    plan_sha256: str
    plan: ChangePlan
    evaluation_plan_sha256: str
    running: Assessed
    candidate: Assessed
    changes: tuple[Change, ...]
    limits: tuple[Judged, ...]
    results_sha256: str
    running_results_sha256: str
    verdict: Literal["pass", "fail"]

    @model_validator(mode="after")
    def _follows(self) -> Verdict:
        if self.verdict != verdict_of(self.changes, self.limits):
            raise ValueError("verdict does not follow from the changes and limits")
        if self.plan_sha256 != self.plan.sha256:
            raise ValueError("plan_sha256 is not that of the plan")
        return self

    @property
    def passed(self) -> bool:
        """Whether the candidate may replace the running version."""
        return self.verdict == "pass"

    def to_json(self) -> bytes:
        """Canonical bytes: the same verdict gives the same."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def verdict_of(changes: Sequence[Change], limits: Sequence[Judged]) -> Literal["pass", "fail"]:
    """`pass` where every change is permitted and every limit passed, of which there is at least one."""
    return "pass" if limits and all(each.permitted for each in changes) and all(each.passed for each in limits) else "fail"


def keep(lake: Lake, verdict: Verdict, results: bytes, running_results: bytes) -> str:
    """Keep a verdict with its candidate, as `models/<name>/<version>/changes/<number>_<plan>/verdict.json`, and the results that it rests on.

    The last one on this pair is not kept a second time. Not at the same time as another process or thread.

    Returns:
        the folder, a lake path.
    """
    kept = _kept(lake, verdict.candidate.name, verdict.candidate.version)
    pair = (verdict.running.identity, verdict.candidate.identity)
    alike = [(folder, each) for folder, each in kept if (each.running.identity, each.candidate.identity) == pair]
    if alike and alike[-1][1] == verdict:
        return alike[-1][0]
    number = max((int(folder.rpartition("/")[2].partition("_")[0]) for folder, _ in kept), default=0) + 1
    named = f"{number:04d}_{verdict.plan_sha256[:12]}"
    folder = f"models/{verdict.candidate.name}/{verdict.candidate.version}/changes/{named}"
    content = verdict.to_json()
    with lake.publication(_STAGE, f"{verdict.candidate.label}_{named}", sha256(content).hexdigest()) as publication:
        publication.write(f"{folder}/verdict.json", content)
        publication.write(f"{folder}/results.json", results)
        publication.write(f"{folder}/running.json", running_results)
        publication.commit(passed=int(verdict.passed))
    return folder


def verdicts(lake: Lake, name: str, version: str) -> list[Verdict]:
    """All verdicts on a candidate, the first one first; raise ConfigurationError E-CHANGE-TAMPERED where one is not as it was kept."""
    return [verdict for _, verdict in _kept(lake, name, version)]


def require(lake: Lake, running: Identity, candidate: Identity) -> Verdict:
    """The passing verdict that lets a candidate replace the running version.

    Raises:
        ConfigurationError: E-CHANGE-VERDICT where the last verdict on just these two is not a passing one, or there is none;
            E-CHANGE-TAMPERED where a verdict is not as it was kept.
    """
    found = [each for each in verdicts(lake, candidate.name, candidate.version) if each.candidate.identity == candidate]
    mine = [each for each in found if each.running.identity == running]
    pair = f"{candidate.label} against {running.label}"
    if not mine:
        others = sorted({each.running.label for each in found})
        beside = f"; there is one against {', '.join(others)} of other content" if others else ""
        raise ConfigurationError("E-CHANGE-VERDICT", f"{pair}: there is none{beside}")
    if not mine[-1].passed:
        failed = [each.field for each in mine[-1].changes if not each.permitted]
        failed += [
            " ".join(filter(None, (each.metric, each.attribute, each.level))) for each in mine[-1].limits if not each.passed
        ]
        raise ConfigurationError("E-CHANGE-VERDICT", f"{pair}: the last one failed in {', '.join(failed)}")
    return mine[-1]


def _kept(lake: Lake, name: str, version: str) -> list[tuple[str, Verdict]]:
    """Folders and verdicts on a candidate, in the order in which they were kept."""
    found = []
    for published in lake.manifests(_STAGE):
        said = _KEY.fullmatch(published.key)
        if said is None or said["label"] != f"{name}@{version}":
            continue
        folder = f"models/{name}/{version}/changes/{said['number']}_{said['plan']}"
        path = f"{folder}/verdict.json"
        if path not in published.files or not lake.intact(published):
            raise ConfigurationError("E-CHANGE-TAMPERED", folder)
        try:
            found.append((int(said["number"]), folder, Verdict.model_validate_json(lake.read(path))))
        except ValidationError:
            raise ConfigurationError("E-CHANGE-TAMPERED", folder) from None
    return [(folder, verdict) for _, folder, verdict in sorted(found, key=lambda each: each[0])]
