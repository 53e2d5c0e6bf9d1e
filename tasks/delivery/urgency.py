"""Which of the due studies is read first: strictly by urgency, then by deadline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from tasks.inference.manifest import Manifest, ServiceLevel

#: What has no service level waits until all others are read.
NEVER = float("inf")
#: A result that is wanted by an hour of the morning is less urgent than any that is wanted within minutes of the same day.
BY_THE_HOUR_MINUTES = 1440.0


@dataclass(frozen=True, slots=True)
class Due:
    """A study that a model is to read.

    Args:
        study_key: the study.
        model: `name@version`.
        urgency: minutes, of `urgency`.
        deadline: seconds since the epoch; infinity where there is none.
    """

    study_key: str
    model: str
    urgency: float
    deadline: float


def urgency(manifest: Manifest) -> float:
    """How soon a model's most urgent finding is needed, in minutes; `BY_THE_HOUR_MINUTES` for an hour of the morning, infinity for none."""
    said = [finding.service_level for finding in manifest.findings if finding.service_level is not None]
    return min((BY_THE_HOUR_MINUTES if level.minutes is None else float(level.minutes) for level in said), default=NEVER)


def deadline(level: ServiceLevel, complete_at: float, zone: tzinfo) -> float:
    """When a result is late, in seconds since the epoch.

    Args:
        level: minutes, or the next such hour strictly after the study is complete.
        complete_at: when the study was complete, in seconds since the epoch.
        zone: the site's time zone; an hour that a change of clocks leaves out counts as the moment of the change's old clock.
    """
    if level.minutes is not None:
        return complete_at + 60.0 * level.minutes
    local = datetime.fromtimestamp(complete_at, zone)
    at = time.fromisoformat(level.by or "00:00")
    for days in (0, 1, 2):
        moment = datetime.combine(local.date() + timedelta(days=days), at, zone).timestamp()
        if moment > complete_at:
            return moment
    raise AssertionError("one of three days has its hour after any moment")


def first_deadline(manifest: Manifest, complete_at: float, zone: tzinfo) -> float:
    """The soonest deadline of a model's findings for a study; infinity where there is none."""
    levels = [finding.service_level for finding in manifest.findings if finding.service_level is not None]
    return min((deadline(level, complete_at, zone) for level in levels), default=NEVER)


def order(due: Iterable[Due]) -> list[Due]:
    """Strict priority: the more urgent class first, whatever waits besides; within it the sooner deadline, then study and model."""
    return sorted(due, key=lambda each: (each.urgency, each.deadline, each.study_key, each.model))
