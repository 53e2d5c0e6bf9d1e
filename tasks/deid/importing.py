"""`safelight import`: the hospital's labels and demographics, mapped through the ledger to the lake's keys; identifiers are dropped.

What was imported stays in the vault, so that the same tables are mapped again as more studies are released. A file that is imported again
from the same place takes the place of what it said before, by whichever key. Several tables may each state a part of a study's
demographics; where two state different values, none is used.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_contracts import cohort, reference
from data_contracts.contract import Contract
from tasks.deid.tables import KEYS, Entry, Key, Kind, read, suffix_of
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.stage import digest, tally, tally_to_json
from tasks.vault import Vault, private_folder, write_private

_CONTRACTS: Mapping[Kind, Contract] = {"reference": reference.CONTRACT, "cohort": cohort.CONTRACT}
#: With the study, what makes a row unique.
_WITHIN_STUDY: Mapping[Kind, tuple[str, ...]] = {"reference": ("finding",), "cohort": ()}


#: What may become of a row.
ENDS = ("matched", "unmatched", "waiting", "ambiguous", "conflicting", "repeated")


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
        conflicting: rows that contradict another row for the same key, or another table for all their studies; none of them is used.
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
        said = ", ".join(f"{getattr(self, end)} {end}" for end in ENDS if getattr(self, end))
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
    for other in folder.glob(f"{kind}-*-{place}{suffix}"):
        if other != kept:
            other.unlink()
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
    released = dict(_released(lake))
    mapped: dict[str, list[_Mapped]] = {}
    claims: dict[tuple[str, ...], list[_Row]] = defaultdict(list)
    for kept in sorted((vault.root / "imports").glob(f"{kind}-*")):
        key: Key = kept.name.split("-")[1]  # type: ignore[assignment]
        entries = read(kept.read_bytes(), kept.suffix, kind=kind, key=key)
        mapped[kept.name] = _map(kind, key, entries, known, released)
        for entry in mapped[kept.name]:
            for unique, row in entry.rows.items():
                claims[unique].append(row)
    published = {unique: merged for unique, said in sorted(claims.items()) if (merged := _merged(said)) is not None}
    rows = list(published.values())
    summaries = {name: _summary(kind, entries, set(published)) for name, entries in mapped.items()}
    counts = tally((end, "", "row") for summary in summaries.values() for end in ENDS for _ in range(getattr(summary, end)))
    fingerprint = digest({"rows": rows, "counts": tally_to_json(counts)})
    earlier = lake.manifest("import", kind)
    if earlier is None or earlier.fingerprint != fingerprint or earlier.stale:
        with lake.publication("import", kind, fingerprint) as publication:
            publication.write_table(_CONTRACTS[kind], rows, part=kind)
            publication.commit(tally=counts, passed=len(rows))
    return summaries


_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Mapped:
    """What became of one row of a table: its end, and what it says of which released studies."""

    end: str
    rows: Mapping[tuple[str, ...], _Row] = field(default_factory=dict)


def _released(lake: Lake) -> Iterator[tuple[str, str]]:
    """Released studies, each with the PatientID that its instances have in the lake: it is in their paths.

    The ledger's may differ, where the PACS does not tell the issuer that stands in the images.
    """
    for manifest in lake.manifests("deidentify"):
        if manifest.passed:
            yield manifest.key, next((path.split("/")[1] for path in manifest.files if path.startswith("dicom/")), "")


def _map(kind: Kind, key: Key, entries: list[Entry], known: _Keys, released: Mapping[str, str]) -> list[_Mapped]:
    said: dict[tuple[str, ...], set[Entry]] = defaultdict(set)
    for entry in entries:
        said[_unique(kind, entry.key, entry)].add(entry)
    seen: set[Entry] = set()
    found = []
    for entry in entries:
        studies, ambiguous = known.studies(key, entry.key)
        present = [study for study in studies if study.study_key in released]
        if not entry.key:
            end = "unmatched"
        elif len(said[_unique(kind, entry.key, entry)]) > 1:
            end = "conflicting"
        elif entry in seen:
            end = "repeated"
        elif not studies:
            end = "unmatched"
        elif ambiguous:
            end = "ambiguous"
        else:
            end = "matched" if present else "waiting"
        rows = {
            _unique(kind, study.study_key, entry): {
                "StudyInstanceUID": study.study_key, "PatientID": released[study.study_key] or study.patient_key, **dict(entry.values),
            }
            for study in present
        }  # fmt: skip
        found.append(_Mapped(end, rows if end == "matched" else {}))
        seen.add(entry)
    return found


def _merged(said: list[_Row]) -> _Row | None:
    """What several tables say of one study together; None where they contradict each other."""
    merged: _Row = {}
    for name in said[0]:
        values = {row[name] for row in said} - {None}
        if len(values) > 1:
            return None
        merged[name] = values.pop() if values else None
    return merged


def _summary(kind: Kind, entries: list[_Mapped], published: set[tuple[str, ...]]) -> ImportSummary:
    ends = Counter("conflicting" if entry.rows and not published & entry.rows.keys() else entry.end for entry in entries)
    studies = {unique[0] for entry in entries for unique in entry.rows if unique in published}
    return ImportSummary(kind, len(entries), **ends, studies=len(studies))


def _unique(kind: Kind, key: str, entry: Entry) -> tuple[str, ...]:
    values = dict(entry.values)
    return (key, *(str(values[name]) for name in _WITHIN_STUDY[kind]))
