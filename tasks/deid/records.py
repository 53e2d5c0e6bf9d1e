"""What de-identification leaves in the lake about itself: the audit of rules and the evidence of looks. Never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from data_contracts import deid_audit, deid_evidence
from tasks.deid.audit.sample import modality_label
from tasks.deid.burned_in.evidence import Look
from tasks.deid.header import Audit
from tasks.deid.rules import keyword
from tasks.deid.study import StudyWork
from tasks.lake import Publication


def write(publication: Publication, work: StudyWork) -> None:
    """Add both tables of one study to its publication; nothing of a study of which nothing is released."""
    study = {"StudyInstanceUID": work.study_key, "PatientID": work.patient_key}
    applied = {**study, "profile": work.profile.name, "edition": work.profile.edition}
    publication.write_table(deid_audit.CONTRACT, [{**applied, **row} for row in _audit(work.audit)])
    publication.write_table(
        deid_evidence.CONTRACT, [{**study, **row} for row in _evidence(work.found.looks)] if work.drafts else []
    )


def _audit(audit: Audit) -> list[dict[str, Any]]:
    return [
        {"tag": f"({tag >> 16:04X},{tag & 0xFFFF:04X})", "keyword": keyword(tag), "rule": rule, "action": action, "n": n}
        for (tag, rule, action), n in sorted(audit.items())
    ]


def _evidence(looks: Mapping[tuple[str, str], Sequence[Look]]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str, str, str, str]] = Counter()
    frames: Counter[tuple[str, str, str, str]] = Counter()
    boxes: Counter[tuple[str, str, str, str]] = Counter()
    for (series, modality), each in looks.items():
        for look in each:
            key = (series, modality_label(modality), look.source, look.view)
            counted[key] += 1
            frames[key] += look.frames
            boxes[key] += look.boxes
    return [
        {
            "SeriesInstanceUID": key[0], "Modality": key[1], "source": key[2], "view": key[3],
            "looks": n, "frames": frames[key], "boxes": boxes[key],
        }
        for key, n in sorted(counted.items())
    ]  # fmt: skip
