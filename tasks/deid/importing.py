"""`safelight import`: the hospital's labels and demographics, mapped through the ledger to the lake's keys; identifiers are dropped.

What was imported stays in the vault, so that the same tables are mapped again as more studies are released. A file that is imported again
from the same place takes the place of what it said before.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_contracts import cohort, reference
from data_contracts.contract import Contract
from tasks.deid.tables import KEYS, Entry, Key, Kind, read, suffix_of
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.stage import digest
from tasks.vault import Vault, private_folder, write_private

_CONTRACTS: Mapping[Kind, Contract] = {"reference": reference.CONTRACT, "cohort": cohort.CONTRACT}
#: With the study, what makes a row unique.
_WITHIN_STUDY: Mapping[Kind, tuple[str, ...]] = {"reference": ("finding",), "cohort": ()}


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of a table's rows; each row has one of the ends `matched` … `repeated`, so these add up to `rows`.

    Attributes:
        kind: `reference` or `cohort`.
        rows: rows of the table.
        matched: rows mapped to at least one released study.
        unmatched: rows whose key the ledger does not know.
        waiting: rows whose studies are known but not released (yet).
        ambiguous: rows whose key fits several studies (or, as PatientID, patients of several issuers); not used.
        conflicting: rows that contradict another row for the same key; none of them is used.
        repeated: rows that say again what another row has said.
        studies: studies for which something was published from this table.
    """

    kind: Kind
    rows: int = 0
    matched: int = 0
    unmatched: int = 0
    waiting: int = 0
    ambiguous: int = 0
    conflicting: int = 0
    repeated: int = 0
    studies: int = 0

    def line(self) -> str:
        """The counts in words."""
        ends = ("matched", "unmatched", "waiting", "ambiguous", "conflicting", "repeated")
        said = ", ".join(f"{getattr(self, end)} {end}" for end in ends if getattr(self, end))
        return f"import {self.kind}: {self.rows} rows: {said or 'nothing'} · {self.studies} studies"


def import_table(file: Path, *, kind: Kind, key: Key, vault: Vault, ledger: Ledger, lake: Lake) -> ImportSummary:
    """Import a CSV or Parquet file and publish the lake's table of its kind.

    Args:
        file: the hospital's table.
        kind: what it holds: labels (`reference`) or demographics (`cohort`).
        key: the column by which it names studies or patients. Rows by PatientID hold for all studies of the patient.
        vault: keeps a copy of the file.
        ledger: leads from the hospital's identifiers to the lake's keys.
        lake: receives `tables/<kind>/<kind>.parquet`, for studies that have been released.

    Raises:
        ConfigurationError: E-IMPORT-FILE, E-IMPORT-KEY, E-IMPORT-COLUMN, E-IMPORT-VALUE. Nothing is imported then.
    """
    suffix = suffix_of(file)
    try:
        content = file.read_bytes()
    except OSError:
        raise ConfigurationError("E-IMPORT-FILE", "it cannot be read") from None
    read(content, suffix, kind=kind, key=key)
    place = hashlib.sha256(str(file.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder = private_folder(vault.root / "imports")
    kept = folder / f"{kind}-{key}-{place}{suffix}"
    fresh = folder / f".{kept.name}"
    write_private(fresh, content)
    fresh.replace(kept)
    return _publish(kind, vault, ledger, lake)[kept.name]


def refresh_imports(vault: Vault, ledger: Ledger, lake: Lake) -> list[ImportSummary]:
    """Map all tables that were ever imported again, for what has been released meanwhile; one summary a table."""
    kinds: tuple[Kind, ...] = ("cohort", "reference")
    return [summary for kind in kinds for _, summary in sorted(_publish(kind, vault, ledger, lake).items())]


@dataclass
class _Keys:
    """The hospital's keys → the lake's studies."""

    by_key: dict[tuple[str, str], list[Study]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, studies: Iterable[Study]) -> _Keys:
        found = cls()
        for study in studies:
            for name, value in zip(KEYS, (study.accession_number, study.study_instance_uid, study.patient_id), strict=True):
                if value.strip():
                    found.by_key[name, value.strip()].append(study)
        return found

    def studies(self, key: Key, value: str) -> tuple[list[Study], bool]:
        """The studies that a key names, and whether it is ambiguous."""
        named = self.by_key.get((key, value), [])
        distinct = {study.patient_key if key == "PatientID" else study.study_key for study in named}
        return named, len(distinct) > 1


def _publish(kind: Kind, vault: Vault, ledger: Ledger, lake: Lake) -> dict[str, ImportSummary]:
    """Map all kept tables of a kind and publish them together; summaries by the kept file's name."""
    known = _Keys.of(ledger.studies().values())
    released = {manifest.key for manifest in lake.manifests("deidentify") if manifest.passed}
    claims: dict[tuple[str, ...], set[tuple[tuple[str, Any], ...]]] = defaultdict(set)
    summaries = {}
    for kept in sorted((vault.root / "imports").glob(f"{kind}-*")):
        key: Key = kept.name.split("-")[1]  # type: ignore[assignment]
        entries = read(kept.read_bytes(), kept.suffix, kind=kind, key=key)
        summaries[kept.name], mapped = _map(kind, key, entries, known, released)
        for unique, row in mapped.items():
            claims[unique].add(tuple(sorted(row.items())))
    rows = [dict(next(iter(said))) for _, said in sorted(claims.items()) if len(said) == 1]
    fingerprint = digest(rows)
    earlier = lake.manifest("import", kind)
    if earlier is None or earlier.fingerprint != fingerprint or earlier.stale:
        with lake.publication("import", kind, fingerprint) as publication:
            publication.write_table(_CONTRACTS[kind], rows, part=kind)
            publication.commit(passed=len(rows))
    return summaries


def _map(
    kind: Kind, key: Key, entries: list[Entry], known: _Keys, released: set[str]
) -> tuple[ImportSummary, dict[tuple[str, ...], dict[str, Any]]]:
    ends: dict[str, int] = defaultdict(int)
    mapped: dict[tuple[str, ...], dict[str, Any]] = {}
    said: dict[tuple[str, ...], set[Entry]] = defaultdict(set)
    for entry in entries:
        said[_unique(kind, entry.key, entry)].add(entry)
    seen: set[Entry] = set()
    for entry in entries:
        studies, ambiguous = known.studies(key, entry.key)
        present = [study for study in studies if study.study_key in released]
        if len(said[_unique(kind, entry.key, entry)]) > 1:
            ends["conflicting"] += 1
        elif entry in seen:
            ends["repeated"] += 1
        elif not studies:
            ends["unmatched"] += 1
        elif ambiguous:
            ends["ambiguous"] += 1
        elif not present:
            ends["waiting"] += 1
        else:
            ends["matched"] += 1
            for study in present:
                row = {"StudyInstanceUID": study.study_key, "PatientID": study.patient_key, **dict(entry.values)}
                mapped[_unique(kind, study.study_key, entry)] = row
        seen.add(entry)
    return ImportSummary(kind, len(entries), **ends, studies=len({unique[0] for unique in mapped})), mapped


def _unique(kind: Kind, key: str, entry: Entry) -> tuple[str, ...]:
    values = dict(entry.values)
    return (key, *(str(values[name]) for name in _WITHIN_STUDY[kind]))
