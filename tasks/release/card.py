"""The card of a release: Markdown with YAML front matter, as hubs of data sets have it.

It says what is in the release, who is in it, who is missing, and what only people can say, marked where nobody has said it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from data_contracts.cohort import AGE_BANDS, ETHNICITIES, RACES
from tasks.errors import catalogue
from tasks.release.about import NOT_STATED, About
from tasks.release.counting import ALL, Counted, count, hidden
from tasks.release.people import OF_STUDY, OF_VOLUME, UNKNOWN, told
from tasks.release.rule import Row

_TITLES = {
    "sex": "Sex", "age_band": "Age in years", "race": "Race", "ethnicity": "Ethnicity", "site": "Site", "Modality": "Modality",
    "BodyPartExamined": "Body part", "Manufacturer": "Manufacturer", "ManufacturerModelName": "Model",
    "thickness_band": "Slice thickness", "ConvolutionKernel": "Convolution kernel",
}  # fmt: skip
#: Levels that are named even where nobody has them: their absence is a finding.
_EXPECTED = {
    "sex": ("F", "M"), "age_band": AGE_BANDS,
    "race": tuple(level for level in RACES if level not in {"Other", "Unknown", "More than one"}), "ethnicity": ETHNICITIES[:2],
}  # fmt: skip
_FILES = (
    "`croissant.json` describes the release for machines (Croissant 1.1); `volumes.csv`, `studies.csv`, `patients.csv` and `labels.csv` are "
    "its tables; `release.json` is what was frozen; `SHA256SUMS` holds every checksum, by paths from the lake's folder."
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Content:
    """What a card is written from.

    Attributes:
        rows: the volumes of the release, and `splits` the split of each.
        facts: study → demographics (`tasks.release.people.study_facts`).
        left: (reason, volumes, studies, patients without any volume in the release) of what was left out.
        labels: rows with `StudyInstanceUID`, `finding` and `label`: the reference labels.
        notes: sentences on how the splits were made.
        deidentified: sentences from the lake's certificate.
        selection: the selection in words, as lines.
        small_cells: counts of fewer patients are not shown; 0 shows all.
        minimum_group: groups of fewer patients are named as missing.
    """

    name: str
    version: str
    date: str
    about: About
    rows: Sequence[Row]
    splits: Sequence[str]
    split_names: Sequence[str]
    facts: Mapping[str, Mapping[str, Any]]
    left: Sequence[tuple[str, int, int, int]]
    labels: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    deidentified: Sequence[str]
    selection: Sequence[str]
    small_cells: int
    minimum_group: int


def card(content: Content) -> str:
    """The card as Markdown."""
    tables = [_counted(attribute, content) for attribute in (*OF_STUDY, *OF_VOLUME)]
    about = content.about
    people = (
        ("Licence", "licence", about.licence),
        ("Made by", "creator", about.creator),
        ("Cite as", "citation", about.citation),
    )
    sections = {
        "Intended use": _human("intended_use", about.intended_use),
        "Limitations": _human("limitations", about.limitations),
        "Licence and citation": "\n".join(f"- {what}: {_human(key, said)}" for what, key, said in people),
        "What is in it": _overview(content),
        "Reference labels": _labels(content),
        "How it was selected": "\n".join(content.selection),
        "Splits": "\n".join(f"- {note}" for note in content.notes),
        "De-identification": "\n".join(f"- {_plain(line)}" for line in content.deidentified),
        "Who is in it": _legend(content) + "\n\n" + "\n\n".join(_table(table, content) for table in tables),
        "Who is missing": _missing(tables, content),
        "Files": _FILES,
    }
    head = f"# {_plain(about.title or content.name)} {content.version}\n\n{_plain(about.description or '')}".rstrip()
    return "\n\n".join([_front_matter(content), head, *(f"## {title}\n\n{text}" for title, text in sections.items())]) + "\n"


def _front_matter(content: Content) -> str:
    licence = content.about.licence
    known = licence is not None and "://" not in licence
    said: dict[str, Any] = {
        "pretty_name": content.about.title or content.name,
        "license": str(licence).lower() if known else "other",
        "size_categories": [next((name for most, name in _SIZES if len(content.rows) < most), "n>1M")],
        "tags": sorted({"medical", "safelight", *(str(row["Modality"]) for row in content.rows if row["Modality"])}),
        "version": content.version,
        "date": content.date,
    }
    if not known and licence is not None:
        said["license_link"] = licence
    return f"---\n{yaml.safe_dump(said, sort_keys=False, allow_unicode=True)}---"


def _human(key: str, said: str | None) -> str:
    return _plain(said) if said else f"**{NOT_STATED.capitalize()}**: to be given as `{key}` in the file of `--about`."


def _counted(attribute: str, content: Content) -> Counted:
    entries = (
        (told(attribute, row, content.facts), split, row["PatientID"], row["StudyInstanceUID"])
        for row, split in zip(content.rows, content.splits, strict=True)
    )
    return count(attribute, entries, content.split_names, _EXPECTED.get(attribute, ()))


def _overview(content: Content) -> str:
    entries = (
        (ALL, split, row["PatientID"], row["StudyInstanceUID"]) for row, split in zip(content.rows, content.splits, strict=True)
    )
    counted = count("", entries, content.split_names, (ALL,))
    lines = ["| | patients | studies | volumes |", "|---|---:|---:|---:|"]
    for column in counted.columns:
        cell = counted.cells[ALL][column]
        lines.append(f"| {column} | {len(cell.patients)} | {len(cell.studies)} | {cell.volumes} |")
    return "\n".join(lines)


def _labels(content: Content) -> str:
    """Each finding's labels, in every split."""
    if not content.labels:
        return "The lake had no reference labels for these studies."
    said = {(row["StudyInstanceUID"], row["finding"]): str(row["label"]) for row in content.labels}
    parts = ["1 is present, 0 is absent; a cell holds patients / studies / volumes."]
    for finding in sorted({finding for _, finding in said}):
        entries = (
            (said.get((row["StudyInstanceUID"], finding), UNKNOWN), split, row["PatientID"], row["StudyInstanceUID"])
            for row, split in zip(content.rows, content.splits, strict=True)
        )
        parts.append(_table(count(f"Finding {finding}", entries, content.split_names, ("0", "1")), content))
    return "\n\n".join(parts)


def _legend(content: Content) -> str:
    said = "A cell holds patients / studies / volumes. A patient with several levels counts in each."
    if not content.small_cells:
        return said
    return (
        f"{said} Cells of fewer than {content.small_cells} patients are shown as `<{content.small_cells}`; `*` is a cell that is withheld "
        "because a small one could be worked out from it."
    )


def _table(counted: Counted, content: Content) -> str:
    away = hidden(counted, content.small_cells)
    lines = [
        f"### {_TITLES.get(counted.attribute, counted.attribute)}",
        "",
        "| | " + " | ".join(counted.columns) + " |",
        "|---|" + "---:|" * len(counted.columns),
    ]
    for level, row in counted.cells.items():
        shown = []
        for column, cell in row.items():
            if (level, column) in away:
                shown.append(f"<{content.small_cells}" if len(cell.patients) < content.small_cells else "*")
            else:
                shown.append(f"{len(cell.patients)} / {len(cell.studies)} / {cell.volumes}" if cell.volumes else "0")
        lines.append(f"| {_plain(level)} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _missing(tables: Sequence[Counted], content: Content) -> str:
    lines = []
    small = content.small_cells
    whole = len({row["PatientID"] for row in content.rows})
    for table in tables:
        away = hidden(table, content.small_cells)
        if UNKNOWN in table.cells:
            n = _number(table, UNKNOWN, away, content)
            lines.append(f"- {_TITLES[table.attribute]}: not known for a volume or more of {n} of {whole} patients.")
        few = [
            f"{_plain(level)} ({_number(table, level, away, content)})"
            for level in table.cells
            if level != UNKNOWN and table.patients(level) < content.minimum_group
        ]
        if few and table.attribute in _EXPECTED:
            lines.append(f"- {_TITLES[table.attribute]}: fewer than {content.minimum_group} patients are {', '.join(few)}.")
    lines = lines or ["- No value is unknown, and no group is below the minimum."]
    lines += [
        "",
        "Left out of the release:",
        "",
        "| reason | meaning | volumes | studies | patients with nothing in it |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {code} | {catalogue()[code].meaning} | {n} | {studies} | {f'<{small}' if 0 < lost < small else lost} |"
        for code, n, studies, lost in content.left
    ]
    return "\n".join(lines if content.left else [*lines[:-2], "", "Nothing."])


def _number(table: Counted, level: str, away: set[tuple[str, str]], content: Content) -> str:
    n = table.patients(level)
    return str(n) if (level, ALL) not in away else f"<{content.small_cells}" if n < content.small_cells else "*"


def _plain(text: str) -> str:
    """A value as text of Markdown that is nothing but text."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", re.sub(r"\s+", " ", text).strip())
