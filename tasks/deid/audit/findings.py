"""What an audit found: counts by modality, manufacturer and place, recall with its interval, and the file in the vault that keeps it.

The interval is Wilson's over the planted identifiers (Wilson 1927, `tasks.evaluation.proportions`). Identifiers of one series are alike, so it is
narrower than one over series would be; that one is given beside it: series of which nothing leaked, of all series tried.
"""

from __future__ import annotations

import json
import math
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag

from tasks.deid.audit.hiding import PLACES
from tasks.deid.audit.sample import Stratum
from tasks.deid.audit.trial import Trial, Verdict
from tasks.evaluation.proportions import wilson
from tasks.vault import Vault, private_folder, write_private

CONFIDENCE = 0.95
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with a 95 % Wilson interval; nothing can be said of none."""

    n: int
    of: int

    @property
    def estimate(self) -> float | None:
        """The proportion."""
        return self.n / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; everything from 0 to 1 is possible where nothing was tried."""
        return wilson(self.n, self.of, CONFIDENCE) if self.of else (0.0, 1.0)

    def bare(self) -> str:
        """`99.80 %`, rounded down, so that an estimate below 1 is never shown as 100 %; a dash where nothing was tried."""
        return "-" if not self.of else f"{self.n * 10_000 // self.of / 100:.2f} %"

    def said(self) -> str:
        """`99.80 % (98.9-100.0)`; the bounds are rounded outwards."""
        if not self.of:
            return "-"
        lower, upper = self.interval
        return f"{self.bare()} ({math.floor(lower * 1000) / 10:.1f}-{math.ceil(upper * 1000) / 10:.1f})"


@dataclass(frozen=True, slots=True)
class Row:
    """Counts of planted identifiers of one modality and manufacturer in one place.

    planted = removed + held + leaked. `judged` of them say something about the rules (see `Verdict.judges_rules`), and of these the rules
    `missed` some: they leaked, or the proof held them back.
    """

    modality: str
    manufacturer: str
    place: str
    planted: int
    removed: int
    held: int
    leaked: int
    judged: int
    missed: int


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """Series of one modality and manufacturer: how many were tried, of how many nothing leaked, and what became of their plain copies."""

    modality: str
    manufacturer: str
    tried: int
    tight: int
    released: int
    held: Mapping[str, int]
    untried: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Leak:
    """How many identifiers of a kind were left in a place that was released. `tag` and `keyword` name the place, no value."""

    place: str
    tag: str
    keyword: str
    kind: str
    n: int


@dataclass(frozen=True)
class Findings:
    """An audit of one profile over one site's series. `content` is the profile's digest; `revision` and `version` are the software's."""

    profile: str
    edition: str
    content: str
    revision: int
    version: str
    made: str
    seed: int
    most: int
    found: int
    unreadable: int
    rows: tuple[Row, ...]
    series: tuple[SeriesRow, ...]
    leaks: tuple[Leak, ...] = field(default=())

    def strata(self) -> list[Stratum]:
        """Modalities and manufacturers that were tried."""
        return [Stratum(each.modality, each.manufacturer) for each in self.series]

    def select(self, stratum: Stratum | None = None, place: str | None = None) -> Iterator[Row]:
        """The rows of a stratum and a place; all of them where these are left out."""
        for row in self.rows:
            if stratum in (None, Stratum(row.modality, row.manufacturer)) and place in (None, row.place):
                yield row

    def recall(self, stratum: Stratum | None = None, place: str | None = None) -> Share:
        """Planted identifiers that were not released: gone or held back, of all that were planted."""
        rows = list(self.select(stratum, place))
        return Share(sum(row.planted - row.leaked for row in rows), sum(row.planted for row in rows))

    def rules(self, stratum: Stratum | None = None, place: str | None = None) -> Share:
        """Planted identifiers that the rules removed by themselves, without the proof's help, of those that the rules met."""
        rows = list(self.select(stratum, place))
        return Share(sum(row.judged - row.missed for row in rows), sum(row.judged for row in rows))

    def tight(self) -> Share:
        """Series of which nothing leaked, of all that were tried."""
        return Share(sum(each.tight for each in self.series), sum(each.tried for each in self.series))

    @property
    def leaked(self) -> int:
        """How many planted identifiers would have been released: the headline."""
        return sum(row.leaked for row in self.rows)

    def under(self, floor: float) -> list[str]:
        """What lies under a floor, in words; empty where nothing does.

        The lower bound of all recall must reach the floor, and so must the plain recall of each modality and manufacturer: a single
        scanner that leaks must not hide behind many that don't.
        """
        said = []
        if self.recall().interval[0] < floor:
            said.append(f"recall {self.recall().said()} of {self.recall().of}")
        for stratum in self.strata():
            share = self.recall(stratum)
            if share.estimate is not None and share.estimate < floor:
                said.append(f"{stratum.modality} of {stratum.manufacturer}: {share.said()} of {share.of}")
        return said

    def to_json(self) -> bytes:
        """As it is kept in the vault. Recall and intervals stand there for people; they are computed anew when it is read."""
        shares = {"recall": self.recall(), "rules": self.rules(), "series_without_a_leak": self.tight()}
        summary = {
            name: {**asdict(share), "interval": share.interval, "confidence": CONFIDENCE} for name, share in shares.items()
        }
        return (json.dumps({"format": _FORMAT, "leaked": self.leaked, **summary, **asdict(self)}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Findings:
        """The inverse of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is no such file, or of another format.
        """
        body: dict[str, Any] = json.loads(content)
        if body["format"] != _FORMAT:
            raise ValueError("format")
        known = {name: body[name] for name in cls.__dataclass_fields__}
        known["rows"] = tuple(Row(**row) for row in body["rows"])
        known["series"] = tuple(SeriesRow(**row) for row in body["series"])
        known["leaks"] = tuple(Leak(**row) for row in body["leaks"])
        return cls(**known)


def count(trials: Mapping[Stratum, Iterable[Trial]]) -> tuple[tuple[Row, ...], tuple[SeriesRow, ...], tuple[Leak, ...]]:
    """Trials as the rows of `Findings`."""
    rows: list[Row] = []
    series: list[SeriesRow] = []
    leaks: Counter[tuple[str, str, str]] = Counter()
    for stratum, tried in sorted(trials.items()):
        each = list(tried)
        verdicts = [verdict for trial in each for verdict in trial.verdicts]
        for place in PLACES:
            here = [verdict for verdict in verdicts if verdict.place == place]
            if here:
                rows.append(_row(stratum, place, here))
        leaks.update((verdict.place, verdict.tag, verdict.kind) for verdict in verdicts if verdict.end == "leaked")
        tight = sum(not any(verdict.end == "leaked" for verdict in trial.verdicts) for trial in each)
        held = Counter(trial.plain for trial in each if trial.plain)
        untried: Counter[str] = Counter(place for trial in each for place in trial.untried)
        released = len(each) - held.total()
        series.append(SeriesRow(stratum.modality, stratum.manufacturer, len(each), tight, released, dict(held), dict(untried)))
    left = tuple(Leak(place, tag, _keyword(tag), kind, n) for (place, tag, kind), n in sorted(leaks.items()))
    return tuple(rows), tuple(series), left


def _row(stratum: Stratum, place: str, verdicts: list[Verdict]) -> Row:
    ends = Counter(verdict.end for verdict in verdicts)
    judged = [verdict for verdict in verdicts if verdict.judges_rules]
    return Row(
        stratum.modality, stratum.manufacturer, place, len(verdicts), ends["removed"], ends["held"], ends["leaked"], len(judged),
        sum(verdict.missed for verdict in judged),
    )  # fmt: skip


def _keyword(tag: str) -> str:
    return "" if tag == "raw" else keyword_for_tag(int(tag[1:5] + tag[6:10], 16))


def path(vault: Vault, profile_digest: str) -> Path:
    """Where the audit of a profile lies."""
    return vault.root / "audits" / f"{profile_digest}.json"


def save(vault: Vault, findings: Findings) -> Path:
    """Keep findings in the vault, in place of earlier ones of the same profile."""
    target = path(vault, findings.content)
    private_folder(target.parent)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        write_private(fresh, findings.to_json())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def read(vault: Vault, profile_digest: str) -> Findings | None:
    """The findings on a profile; None where there are none that can be read."""
    source = path(vault, profile_digest)
    if not source.exists():
        return None
    try:
        return Findings.from_json(source.read_bytes())
    except (ValueError, KeyError, TypeError):
        return None
