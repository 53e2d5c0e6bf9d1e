"""Freezing a version: every file is checked and the release is published at once; the same version with other content is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as installed
from typing import Any

from data_contracts import release_members
from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.release import croissant, tables
from tasks.release.card import Content, card
from tasks.release.frozen import STAGE, Bar, check_name, folder, hashes, key
from tasks.release.making import Made, Request, make
from tasks.stage import digest


@dataclass(frozen=True)
class Result:
    """What freezing came to: whether it lay there already, and its counts; `patients` counts persons."""

    known: bool
    patients: int
    studies: int
    volumes: int
    by_split: Mapping[str, int]
    left: Mapping[str, int]
    notes: Sequence[str]


def freeze(lake: Lake, asked: Request, bar: Bar) -> Result:
    """Freeze a version and publish it into the lake as `releases/NAME/VERSION/` and a part of the table `release_members`.

    Args:
        bar: of the volumes that are read.

    Raises:
        ConfigurationError: for what is wrong with the request; E-RELEASE-EMPTY where nothing is chosen; E-RELEASE-EXISTS where
            the version is there with other content.
        SafelightError: E-RELEASE-VOLUME where a file is not the one that the table names; nothing is published then.
    """
    check_name(asked.name, asked.version)
    made = make(lake, asked)
    content = made.content(asked)
    earlier = lake.manifest(STAGE, key(asked.name, asked.version))
    known = earlier is not None and bool(earlier.fingerprint)
    if known and earlier is not None and earlier.fingerprint != content:
        raise ConfigurationError("E-RELEASE-EXISTS", f"{asked.name} {asked.version}")
    if not known:
        with bar(len(made.volumes)) as step:
            _check_files(lake, made, step)
        _publish(lake, asked, made, content)
    return Result(
        known, made.persons, len(made.studies), len(made.volumes), Counter(row["split"] for row in made.volumes),
        {code: n for code, n, _, _ in made.left}, made.notes,
    )  # fmt: skip


def _check_files(lake: Lake, made: Made, on_file: Callable[[], object]) -> None:
    """Read every volume, hold that it is the one that the table names, and note its size."""
    found = hashes(lake, [row["path"] for row in made.volumes], on_file)
    for row in made.volumes:
        there = found[row["path"]]
        if there is None or there.sha256 != row["sha256"]:
            raise SafelightError("E-RELEASE-VOLUME", f"series {row['SeriesInstanceUID']}")
        row["size_bytes"] = there.size


def _publish(lake: Lake, asked: Request, made: Made, content: str) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    splits, place = list(asked.shares), folder(asked.name, asked.version)
    files = {f"{name}.csv": tables.write(name, getattr(made, name)) for name in tables.TABLES}
    files["release.json"] = (json.dumps(_facts(lake, asked, made, content, date), indent=1, ensure_ascii=False) + "\n").encode()
    files["card.md"] = card(_content(lake, asked, made, date)).encode()
    files["croissant.json"] = croissant.manifest(
        name=asked.name, version=asked.version, date=date, about=asked.about, splits=splits, volumes=made.volumes,
        description=asked.about.description or f"{len(made.volumes)} volumes of {made.persons} persons, frozen by Safelight. See card.md.",
        files={name: (sha256(body).hexdigest(), len(body)) for name, body in files.items()}, tables=tables.TABLES, keys=tables.KEYS,
    )  # fmt: skip
    sums = {f"{place}/{name}": sha256(body).hexdigest() for name, body in files.items()}
    sums |= {row["path"]: row["sha256"] for row in made.volumes}
    files["SHA256SUMS"] = "".join(f"{said}  {path}\n" for path, said in sorted(sums.items())).encode()
    with lake.publication(STAGE, key(asked.name, asked.version), content) as publication:
        for name, body in files.items():
            publication.write(f"{place}/{name}", body)
        publication.write_table(release_members.CONTRACT, made.members, part=key(asked.name, asked.version))
        publication.commit(passed=len(made.volumes))


def _facts(lake: Lake, asked: Request, made: Made, content: str, date: str) -> dict[str, Any]:
    """What `release.json` says: all that the release depends on."""
    studies = {row["StudyInstanceUID"] for row in made.studies}
    upstream = {manifest.key: manifest.digest for manifest in lake.manifests("volumes") if manifest.key in studies}
    return {
        "name": asked.name, "version": asked.version, "date": date, "code_version": installed("safelight"), "content_sha256": content,
        "selection": asked.selection(), "selection_sha256": digest(asked.selection()), "splits": dict(asked.shares), "seed": asked.seed,
        "stratify": list(asked.stratify), "keeps_splits_of": asked.keep, "upstream_sha256": digest(upstream), "notes": made.notes,
        "about": asked.about.model_dump(mode="json", exclude_none=True),
        "counts": {"persons": made.persons, "studies": len(made.studies), "volumes": len(made.volumes), "labels": len(made.labels)},
        "left_out": {code: n for code, n, _, _ in made.left},
    }  # fmt: skip


def _content(lake: Lake, asked: Request, made: Made, date: str) -> Content:
    facts = {row["StudyInstanceUID"]: row for row in made.studies}
    rule = asked.rule.model_dump(mode="json", exclude_defaults=True)
    selection = [f"- Rule `{asked.rule.name}`: {asked.rule.meaning}"]
    selection += [f"- `{name}`: `{json.dumps(value)}`" for name, value in rule.items() if name not in {"name", "meaning"}]
    if asked.where is not None:
        selection += ["- SQL:", "", *(f"      {line}" for line in asked.where.splitlines())]
    return Content(
        name=asked.name, version=asked.version, date=date, about=asked.about, rows=made.volumes,
        splits=[row["split"] for row in made.volumes], split_names=list(asked.shares), facts=facts, left=made.left,
        labels=made.labels, notes=made.notes, deidentified=_deidentified(lake),
        selection=selection, small_cells=asked.small_cells, minimum_group=asked.minimum_group,
    )  # fmt: skip


def _deidentified(lake: Lake) -> list[str]:
    """What the lake's certificate says, in sentences."""
    if not lake.exists("reports/certificate.json"):
        return ["The lake holds no certificate of de-identification; a night with one puts it there."]
    said = json.loads(lake.read("reports/certificate.json"))
    lines = [f"Profile {said['profile']}, PS3.15 Table E.1-1 of edition {said['edition']}, Safelight {said['version']}."]
    if said.get("methods"):
        lines.append(
            "Methods stated in the objects: " + ", ".join(f"{meaning} ({code})" for code, meaning in said["methods"]) + "."
        )
    lines.append(f"Certificate of the lake's release {said['release'][:12]}, of {said['released_at']}.")
    return lines
