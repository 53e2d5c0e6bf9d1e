"""What a release will hold, worked out from the lake's tables: which volumes, who is in which split, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_contracts.volumes import CONTRACT as VOLUMES
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.release import tables
from tasks.release.about import About
from tasks.release.frozen import read
from tasks.release.merges import Persons, read_pairs
from tasks.release.people import STUDY_COLUMNS, labels, strata, study_facts
from tasks.release.rule import Row, Rule, reasons
from tasks.release.selection import chosen_by
from tasks.release.splits import assign
from tasks.stage import digest

_COLUMNS = sorted({*tables.TABLES["volumes"]} - {"split", "size_bytes"} | {"regularly_spaced_3d_volume", "is_sheared"})


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        where: a selection by SQL (`tasks.release.selection`), or None.
        shares: split → share.
        stratify: attributes (`tasks.release.people`).
        merges: a file of pairs of patients that are one person.
        keep: a version of the same release whose patients stay in their splits.
        small_cells, minimum_group: of the card (`tasks.release.card`).
    """

    name: str
    version: str
    shares: Mapping[str, float]
    where: str | None = None
    rule: Rule = field(default_factory=Rule)
    seed: int = 0
    stratify: tuple[str, ...] = ()
    merges: Path | None = None
    keep: str | None = None
    about: About = field(default_factory=About)
    small_cells: int = 0
    minimum_group: int = 20

    def selection(self) -> dict[str, Any]:
        """The selection as data."""
        return {"where": self.where, "rule": self.rule.model_dump(mode="json")}


@dataclass(frozen=True)
class Made:
    """A release before it is published; `members` are rows of `release_members`, the others of `tables.TABLES`."""

    members: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    patients: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    left: list[tuple[str, int, int, int]]
    notes: list[str]
    persons: int

    def content(self, asked: Request) -> str:
        """SHA-256 over all that the release says, but for its date and the program's version."""
        return digest({
            "selection": asked.selection(), "shares": list(asked.shares.items()), "seed": asked.seed, "stratify": list(asked.stratify),
            "about": asked.about.model_dump(mode="json"), "small_cells": asked.small_cells, "minimum_group": asked.minimum_group,
            "keep": asked.keep, "members": self.members, "volumes": self.volumes, "studies": self.studies, "patients": self.patients,
            "labels": self.labels,
        })  # fmt: skip


def make(lake: Lake, asked: Request) -> Made:
    """Work a release out; nothing is written, and no volume is read.

    Raises:
        ConfigurationError: for what is wrong with the request; E-RELEASE-EMPTY where nothing is chosen.
    """
    rows: list[Row] = sorted(
        lake.table(VOLUMES, _COLUMNS).to_pylist(), key=lambda row: (row["SeriesInstanceUID"], row["volume_index"])
    )
    ends = reasons(rows, asked.rule, chosen_by(lake, asked.where, rows))
    taken = [row for row, end in zip(rows, ends, strict=True) if not end]
    if not taken:
        raise ConfigurationError("E-RELEASE-EMPTY", f"{len(rows)} volumes in the lake")
    if asked.keep == asked.version:
        raise ConfigurationError("E-RELEASE-SPLITS", "a version cannot keep its own splits")
    facts, labelled = study_facts(lake), labels(lake)
    earlier = read(lake, asked.name, asked.keep).patients if asked.keep is not None else []
    splits, person_of, notes = _split(asked, taken, facts, labelled, earlier)
    split_of = {patient: splits[person_of[patient]] for patient in {row["PatientID"] for row in taken}}
    volumes = [
        {name: row.get(name) for name in tables.TABLES["volumes"]} | {"split": split_of[row["PatientID"]]} for row in taken
    ]
    studies = {
        row["StudyInstanceUID"]: dict.fromkeys(STUDY_COLUMNS) | facts.get(row["StudyInstanceUID"], {})
        | {"StudyInstanceUID": row["StudyInstanceUID"], "PatientID": row["PatientID"], "split": split_of[row["PatientID"]]}
        for row in taken
    }  # fmt: skip
    members = [
        {
            "release": asked.name, "version": asked.version, **{name: row[name] for name in
            ("StudyInstanceUID", "PatientID", "SeriesInstanceUID", "volume_index", "path", "sha256")},
            "included": not end, "split": None if end else split_of[row["PatientID"]], "reason_code": end,
        }
        for row, end in zip(rows, ends, strict=True)
    ]  # fmt: skip
    given = [row | {"split": studies[row["StudyInstanceUID"]]["split"]} for row in labelled if row["StudyInstanceUID"] in studies]
    return Made(
        members, volumes, [studies[uid] for uid in sorted(studies)], _patients(taken, splits, person_of), given,
        _left(members), notes, len({person_of[patient] for patient in split_of}),
    )  # fmt: skip


def _split(
    asked: Request, taken: Sequence[Row], facts: Mapping[str, Mapping[str, Any]], labelled: Sequence[Mapping[str, Any]],
    earlier: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, str], dict[str, str], list[str]]:  # fmt: skip
    """Person → split, of this and of the earlier version; PatientID → person; and sentences on how that came about."""
    pairs = read_pairs(asked.merges)
    # an earlier version's merges hold on, whether or not they are given again
    persons = Persons([*pairs, *((row["PatientID"], row["person"]) for row in earlier)])
    patients = {row["PatientID"] for row in taken} | {row["PatientID"] for row in earlier}
    person_of = {patient: persons.of(patient) for patient in sorted(patients)}
    kept: dict[str, str] = {}
    order = list(asked.shares)
    for row in earlier:
        if row["split"] not in asked.shares:
            raise ConfigurationError("E-RELEASE-SPLITS", f"version {asked.keep} has a split of another name")
        person = person_of[row["PatientID"]]
        kept[person] = min(kept.get(person, row["split"]), row["split"], key=order.index)
    moved = sum(kept[person_of[row["PatientID"]]] != row["split"] for row in earlier)
    known = {person_of[row["PatientID"]] for row in taken}
    assigned = assign(strata(taken, person_of, asked.stratify, facts, labelled), asked.shares, asked.seed, kept)
    counted = Counter(assigned.splits.values())
    shares = ", ".join(f"{name} {share:.3g} ({counted[name]} persons)" for name, share in asked.shares.items())
    notes = [f"By person, seed {asked.seed}: {shares}. No person is in two splits."]
    notes.append(f"Stratified by {', '.join(asked.stratify)}." if asked.stratify else "Not stratified.")
    if assigned.small_strata:
        notes.append(
            f"Strata of fewer than {assigned.minimum} persons: {assigned.small_strata}, with {assigned.small_persons} persons in all. They "
            "were joined with those that are alike in all but the last attributes."
        )
    merged = len({row["PatientID"] for row in taken}) - len(known)
    if merged:
        notes.append(f"{merged} patients were found to be the same person as another one, and are in that person's split.")
    if asked.keep is not None:
        notes.append(f"{len(known & kept.keys())} persons are in the split that they had in version {asked.keep}.")
    if moved:
        notes.append(f"{moved} patients changed their split, since they were found to be a person who was in another one.")
    notes += [f"The split {name} is empty: there are too few persons." for name in asked.shares if not counted[name]]
    return kept | dict(assigned.splits), person_of, notes


def _patients(taken: Sequence[Row], splits: Mapping[str, str], person_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """The release's patients, and with no volumes those of the version it follows, so that a later one still knows their split."""
    volumes = Counter(row["PatientID"] for row in taken)
    studies = Counter(patient for patient, _ in {(row["PatientID"], row["StudyInstanceUID"]) for row in taken})
    return [
        {
            "PatientID": patient, "person": person, "split": splits[person], "n_studies": studies[patient], "n_volumes": volumes[patient],
        }
        for patient, person in sorted(person_of.items())
    ]  # fmt: skip


def _left(members: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int, int]]:
    """(reason, volumes, studies, patients of whom nothing is in the release), the most volumes first."""
    inside = {row["PatientID"] for row in members if row["included"]}
    found = []
    for code in {row["reason_code"] for row in members} - {""}:
        of_it = [row for row in members if row["reason_code"] == code]
        patients = {row["PatientID"] for row in of_it}
        found.append((code, len(of_it), len({row["StudyInstanceUID"] for row in of_it}), len(patients - inside)))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))
