"""How urgent a study is by its scores: calibrated probabilities where all findings of a list have them, distance from operating points otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tasks.errors import ConfigurationError
from tasks.inference.manifest import Band, Finding, Manifest


@dataclass(frozen=True, slots=True)
class Priority:
    """A study's place, from 0 to 1, and the band of the finding that gives it; None where that finding is not calibrated."""

    value: float
    band: Band | None


def require(manifest: Manifest) -> None:
    """Hold that a higher score never means less.

    Raises:
        ConfigurationError: E-DELIVER-BANDS, where a band's probabilities are no range within 0 and 1, or fall as scores rise.
    """
    for finding in manifest.findings:
        ranges = [band.probability for band in finding.bands]
        ordered = all(not (after[0] < before[0] or after[1] < before[1]) for before, after in pairwise(ranges))
        if not ordered or not all(0 <= low <= high <= 1 for low, high in ranges):
            raise ConfigurationError("E-DELIVER-BANDS", f"{manifest.name}@{manifest.version}, {finding.finding}")


def is_calibrated(manifests: Iterable[Manifest]) -> bool:
    """Whether every finding that has a score has bands too: then probabilities can be compared, otherwise only with operating points."""
    return all(finding.bands for manifest in manifests for finding in manifest.findings if finding.operating_points)


def band_of(finding: Finding, score: float) -> Band | None:
    """The band that a score belongs to; None where the finding is not calibrated."""
    return next((band for band in reversed(finding.bands) if band.lowest <= score), None)


def beside_operating_point(score: float, threshold: float) -> float:
    """A score from 0 to 1 on a scale on which its operating point is ½: what is present is above, whatever the threshold; order is kept."""
    if score >= threshold:
        return 0.5 + 0.5 * (score - threshold) / (1 - threshold) if threshold < 1 else 1.0
    return 0.5 * score / threshold


def priority(findings: Mapping[str, Finding], scores: Mapping[str, float], *, calibrated: bool) -> Priority | None:
    """The most urgent finding's priority; None where no finding has a score.

    Args:
        findings: by name.
        scores: from 0 to 1, by finding.
        calibrated: take the middle of the band's probabilities; otherwise the distance from the first operating point.
    """
    found = []
    for name, score in scores.items():
        band = band_of(findings[name], score)
        if calibrated and band is not None:
            value = (band.probability[0] + band.probability[1]) / 2
        else:
            value = beside_operating_point(score, findings[name].operating_point.threshold)
        found.append(Priority(value, band))
    return max(found, key=lambda each: each.value, default=None)
