"""Delivery: worklists, second readers' panels, fields for the report and service levels, of what the ledger and the lake hold just now.

It works on all studies at once, after they were read, and any number of times: the same input gives the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from tasks.delivery import service_levels, worklist
from tasks.delivery.finding_rows import numbers, said
from tasks.delivery.identity import identity
from tasks.delivery.inbox import SETTLED_S, Intake, take_in
from tasks.delivery.outbox import replace_all
from tasks.delivery.panel import panel
from tasks.delivery.policy import DeliverySettings
from tasks.delivery.report_fields import fields
from tasks.delivery.served import Served, served
from tasks.delivery.service_levels import Level
from tasks.delivery.standing import Reading, Standing, reading, standings
from tasks.delivery.statements import Statements
from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.settings import Settings
from tasks.site import Site
from tasks.vault import Vault

STAGE = "deliver"
#: Ends of a study in a second reader's or decision support's delivery that someone should look at.
DOUBTS = ("unusable", "ambiguous", "conflicting")


@dataclass
class Delivered:
    """What a delivery came to.

    Attributes:
        intake: what became of the inbox's files.
        lists: studies in each worklist, by status.
        studies: of each model that shows findings, studies by end: `shown`, `held` (the first read is not final), `withdrawn` (it was final
            and is not any more), `ambiguous`, `conflicting`, `not_read`, `waiting`, `unusable`.
        reasons: why studies were unusable, by code.
        aged: studies that were complete too long ago to be delivered.
        changed: files of the vault that were written or removed.
        levels: every study, model and finding with a service level.
        since: studies that were complete before then were not delivered (seconds since the epoch).
    """

    intake: Intake = field(default_factory=Intake)
    lists: dict[str, Counter[str]] = field(default_factory=dict)
    studies: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    aged: int = 0
    changed: int = 0
    levels: list[Level] = field(default_factory=list)
    since: float = 0.0

    @property
    def doubts(self) -> int:
        """How much someone should look at: files set aside, results that could not be used, reads that name no one patient."""
        of_studies = sum(counted[end] for counted in self.studies.values() for end in DOUBTS if end != "unusable")
        return sum(self.intake.set_aside.values()) + sum(self.reasons.values()) + of_studies

    def lines(self) -> list[str]:
        """The counts in words."""
        lines = [self.intake.line()]
        lines += [f"worklist {name}: {_counted(counted)}" for name, counted in self.lists.items()]
        lines += [f"{label}: {_counted(counted)}" for label, counted in self.studies.items()]
        if self.reasons:
            lines.append(f"not usable: {', '.join(f'{n} {code}' for code, n in sorted(self.reasons.items()))}")
        lines.append(
            f"deliver: {self.changed} files written or removed"
            + (f", {self.aged} studies too old to deliver" if self.aged else "")
        )
        return lines


@dataclass(frozen=True)
class Desk:
    """A site's models, zones and settings, from which results are handed out."""

    lake: Lake
    vault: Vault
    ledger: Ledger
    models: tuple[Served, ...]
    settings: DeliverySettings
    zone: ZoneInfo

    @classmethod
    def of(cls, site: Site) -> Desk:
        """The desk of a configured site; raises ConfigurationError as `tasks.delivery.served.served` does."""
        settings = site.settings
        models = served(site.lake, models_of(settings), settings.delivery)
        return cls(site.lake, site.vault, site.ledger, tuple(models), settings.delivery, ZoneInfo(settings.timezone))

    def deliver(self, *, settled_s: float = SETTLED_S, on_study: Callable[[], object] = lambda: None) -> Delivered:
        """Take in the inbox, and bring everything that is delivered up to date.

        Args:
            settled_s: see `tasks.delivery.inbox.take_in`.
            on_study: called as each study of each model has been looked at.
        """
        made = Delivered()
        made.intake = take_in(self.vault, self.statements, self.zone, self.settings.accession, settled_s=settled_s)
        all_of = standings(self.ledger, self.models)
        since = made.since = self.oldest()
        current = {
            label: [each for each in found if each.complete_at is None or each.complete_at >= since]
            for label, found in all_of.items()
        }
        if self.models:
            made.aged = len(all_of[self.models[0].label]) - len(current[self.models[0].label])
        readings = _Readings(self.lake, made.reasons)
        panels, filled = self._findings(current, readings, made, on_study)
        made.changed += replace_all(self.vault.root / "panels", panels)
        made.changed += replace_all(self.vault.root / "fields", filled)
        self._worklists(current, readings, made)
        made.levels = self._levels(all_of)
        service_levels.publish(self.lake, made.levels)
        return made

    def levels(self) -> list[Level]:
        """How it stands with the service levels now; nothing is written."""
        return self._levels(standings(self.ledger, self.models))

    def oldest(self) -> float:
        """Studies that were complete before then are not delivered any more (seconds since the epoch)."""
        return self.ledger.now() - 3600 * self.settings.keep_hours

    @cached_property
    def statements(self) -> Statements:
        """What the hospital has said."""
        return Statements(self.ledger)

    def _levels(self, all_of: Mapping[str, Sequence[Standing]]) -> list[Level]:
        histories = service_levels.history(self.ledger, {one.manifest.name for one in self.models})
        return service_levels.levels(self.models, all_of, histories, now=self.ledger.now(), zone=self.zone)

    def _identity(self, study: Study) -> dict[str, str]:
        return identity(study, self.settings.identify_by, self.vault)

    def _worklists(self, current: Mapping[str, Sequence[Standing]], readings: _Readings, made: Delivered) -> None:
        found = worklist.lists(self.models, current, readings.scores, unread=self.settings.unread)
        files: dict[str, bytes] = {}
        for each in found:
            worklist.publish(self.lake, each)
            files |= worklist.identified(each, self._identity, self.settings.identify_by, self.zone)
            made.lists[each.name] = Counter(entry.status for entry in each.entries)
        for old in [manifest.key for manifest in self.lake.manifests(worklist.STAGE)]:
            if old not in made.lists:
                self.lake.withdraw(worklist.STAGE, old)
        made.changed += replace_all(self.vault.root / "worklist", files)

    def _findings(
        self, current: Mapping[str, Sequence[Standing]], readings: _Readings, made: Delivered, on_study: Callable[[], object]
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Panels of second readers and fields of decision support: file name to bytes."""
        panels: dict[str, bytes] = {}
        filled: dict[str, bytes] = {}
        for one in self.models:
            if one.mode == "triage":
                continue
            counted = made.studies.setdefault(f"{one.manifest.name}@{one.manifest.version} ({one.mode})", Counter())
            studies = [standing.study for standing in current[one.label]]
            first_reads = self.statements.first_reads(studies) if one.mode == "second_reader" else {}
            facts = self.statements.clinical(studies) if one.delivery.fleischner else {}
            for standing in current[one.label]:
                on_study()
                key = standing.study.study_key
                first_read = first_reads.get(key)
                if standing.status != "read":
                    counted["waiting" if standing.status == "waiting" else "not_read"] += 1
                elif first_read is not None and first_read.state != "final":
                    counted["held" if first_read.state == "not_final" else first_read.state] += 1
                elif (found := readings.of(one, standing)) is None:
                    counted["unusable"] += 1
                else:
                    entries = said(one, found, numbers(self.lake, key))
                    who = self._identity(standing.study)
                    name = f"{key}_{one.manifest.name}"
                    if first_read is not None:
                        panels[f"{name}.html"] = panel(one, entries, who, first_read, self.zone)
                    else:
                        filled[f"{name}.json"] = fields(one, entries, who, facts.get(key, {}))
                    counted["shown"] += 1
        return panels, filled


def models_of(settings: Settings) -> list[str]:
    """The models that read for a site."""
    return [each.model for each in settings.inference.models]


def deliver(site: Site) -> Delivered:
    """Deliver what a site has, in a turn of its own: what the night calls after its studies were read."""
    with site.ledger.turn(STAGE):
        return Desk.of(site).deliver()


def outlook(site: Site) -> str:
    """Which model is delivered how, for a person who looks before the first night; raises ConfigurationError as `served` does."""
    return ", ".join(f"{one.manifest.name}@{one.manifest.version} as {one.mode}" for one in Desk.of(site).models)


def late_lines(found: Sequence[Level], since: float) -> list[str]:
    """A line for each model, finding and state that became late since a time (seconds since the epoch); none where nothing did."""
    counted = service_levels.late(found, since, since)
    return [f"E-DELIVER-LATE: {n} {state}: {finding} by {model}" for (model, finding, state), n in sorted(counted.items())]


def late_now(site: Site) -> list[str]:
    """The same of all that a site delivers just now; a model that cannot be delivered is said instead."""
    try:
        desk = Desk.of(site)
    except ConfigurationError as error:
        return [str(error)]
    return late_lines(desk.levels(), desk.oldest())


@dataclass
class _Readings:
    """Each study's reading by each model, read once; what cannot be used is counted once, by its reason."""

    lake: Lake
    reasons: Counter[str]
    found: dict[tuple[str, str], tuple[Reading | None, str]] = field(default_factory=dict)

    def of(self, one: Served, standing: Standing) -> Reading | None:
        """What the model wrote, or None."""
        return self._read(one, standing)[0]

    def scores(self, one: Served, standing: Standing) -> tuple[Mapping[str, float], str]:
        """The scores, and why there are none to use."""
        found, reason = self._read(one, standing)
        return (found.scores if found is not None else {}), reason

    def _read(self, one: Served, standing: Standing) -> tuple[Reading | None, str]:
        place = (one.label, standing.study.study_key)
        if place not in self.found:
            try:
                self.found[place] = (reading(self.lake, standing, one), "")
            except SafelightError as error:
                self.reasons[error.code] += 1
                self.found[place] = (None, error.code)
        return self.found[place]


def _counted(counted: Counter[str]) -> str:
    return ", ".join(f"{n} {end}" for end, n in sorted(counted.items()) if n) or "no study"
