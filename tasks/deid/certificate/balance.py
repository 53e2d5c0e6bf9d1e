"""Holds the ledger, the lake and the quarantine lists against each other, study by study and to the instance.

Three books are kept of every study, by different hands: the ledger's tallies, the manifest of what is published, and the quarantine list. A
certificate counts from all three, and says where they differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.accountability import check, rows
from tasks.deid import quarantine
from tasks.errors import SafelightError
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger, Result, Study, is_current
from tasks.stage import Count, Identified, fingerprint
from tasks.vault import Vault

_STAGE, _GIVER = "deidentify", "pull"
_RELEASED, _HELD = "released", "quarantined"


@dataclass
class Books:
    """What the books say together.

    Attributes:
        studies, series, instances: how many met each end: `found`, `not retrieved`, `waiting`, `released`, `quarantined`.
            A study counts as released where any of its instances is.
        reasons: reason code → quarantined instances.
        manifests: what is published, by study.
        findings: what does not balance, in words that name no value; empty where all does.
    """

    studies: Counter[str] = field(default_factory=Counter)
    series: Counter[str] = field(default_factory=Counter)
    instances: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    patients: set[str] = field(default_factory=set)
    latest: float = 0.0
    findings: list[str] = field(default_factory=list)


def balance(vault: Vault, lake: Lake, ledger: Ledger, stage: Identified, *, verify: bool = False) -> Books:
    """Count, and hold the books against each other.

    Args:
        stage: the stage as it is configured: what it would do differently today is a finding.
        verify: read every published file again, and compare its SHA-256 with its manifest's. Slow: it reads the whole release.
    """
    books = Books(manifests={manifest.key: manifest for manifest in lake.manifests(_STAGE)})
    faults: Counter[str] = Counter()
    studies, results = ledger.studies(), ledger.results()
    for key, study in studies.items():
        _study(books, faults, study, results, _held(vault, key), stage)
    faults["studies are in the lake that the ledger does not know"] += len(set(books.manifests) - set(studies))
    try:
        check(rows(ledger))
    except SafelightError as error:
        books.findings.append(str(error.place))
    _files(books, faults, lake, verify=verify)
    books.findings += [f"{n} {what}" for what, n in sorted(faults.items()) if n]
    ends = sum(books.instances[end] for end in ("not retrieved", "waiting", _RELEASED, _HELD))
    if books.instances["found"] != ends:
        books.findings.append(f"{books.instances['found']} instances were found, and {ends} are accounted for")
    return books


def _study(
    books: Books,
    faults: Counter[str],
    study: Study,
    results: Mapping[tuple[str, str], Result],
    held: Counter[str],
    stage: Identified,
) -> None:
    key = study.study_key
    given, row = results.get((key, _GIVER)), results.get((key, _STAGE))
    manifest = books.manifests.get(key)
    pulled = given.passed if given is not None and given.status == "done" else 0
    found = max(sum(study.expected.values()), pulled)  # more than found: the study has grown since
    books.studies["found"] += 1
    books.series["found"] += len(study.expected)
    books.instances["found"] += found
    books.instances["not retrieved"] += found - pulled
    if row is None or row.status != "done" or not is_current(row, given):
        books.studies["waiting"] += 1
        books.instances["waiting"] += pulled
        if manifest is not None and manifest.passed:
            faults["studies are in the lake as an earlier run left them, and are due again"] += 1
        return
    ends = _ends(row.tally)
    books.instances[_RELEASED] += ends[_RELEASED]
    books.instances[_HELD] += sum(n for end, n in ends.items() if end != _RELEASED)
    for end, n in ends.items():
        if end != _RELEASED:
            books.reasons[end] += n
    books.studies[_RELEASED if ends[_RELEASED] else _HELD] += 1
    books.latest = max(books.latest, row.finished_at or 0.0)
    if manifest is None:
        faults["studies were done, and their manifest is missing"] += 1
        return
    series = {name.split("/")[3] for name in manifest.files if name.startswith("dicom/")}
    books.series[_RELEASED] += len(series)
    if series:
        books.patients.add(study.patient_key)
    if sum(ends.values()) != pulled:
        faults["studies have not as many ends as instances were handed on"] += 1
    if _ends(manifest.tally) != ends or manifest.passed != ends[_RELEASED]:
        faults["studies have other counts in their manifest than in the ledger"] += 1
    if sum(name.startswith("dicom/") for name in manifest.files) != ends[_RELEASED]:
        faults["studies have other files than their manifest counts"] += 1
    if held != Counter({end: n for end, n in ends.items() if end != _RELEASED}):
        faults["studies have another quarantine list than the ledger counts"] += 1
    if fingerprint(stage, row.inputs) != manifest.fingerprint:
        faults["studies were de-identified under another profile or version than is named here"] += 1
    if manifest.stale:
        faults["studies have files that were still to be removed when their publication was broken off"] += 1


def _ends(tally: tuple[Count, ...]) -> Counter[str]:
    """Instances by end: `released`, or the reason code."""
    counted: Counter[str] = Counter()
    for count in tally:
        if count.unit == "instance":
            counted[count.reason_code if count.outcome == _HELD else count.outcome] += count.n
    return counted


def _held(vault: Vault, key: str) -> Counter[str]:
    return Counter(quarantine.read(vault, key).values())


def _files(books: Books, faults: Counter[str], lake: Lake, *, verify: bool) -> None:
    """Whether the lake has each file that a manifest names, and no image besides."""
    named = {name for manifest in books.manifests.values() for name in manifest.files if name.startswith("dicom/")}
    there = set(lake.files("dicom"))
    faults["images are in the lake that no manifest names"] += len(there - named)
    faults["images are missing in the lake that a manifest names"] += len(named - there)
    if verify:
        changed = sum(not lake.intact(manifest) for manifest in books.manifests.values())
        faults["studies are not as they were published (SHA-256)"] += changed
